"""From `retinue up` to the first answer, on a first start and on the next ones, and what the server takes in memory.

    python -m bench.starting [--rounds 5]

A first start makes the built-in models and the schema; the next ones find them.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from statistics import median

from bench.client import ask_all, request_of
from bench.figures import Figure, give
from bench.pictures import jpegs
from bench.server import serving

PATH = "/api/v1/predict?cache=false"


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rounds", type=int, default=5)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        first, token = start(Path(folder), None)[:2]
        later = [start(Path(folder), token) for _ in range(given.rounds)]
    answered, resident = (median(one[place] for one in later) for place in (0, 2))
    words = f"{min(one[0] for one in later):.2f} to {max(one[0] for one in later):.2f} s"
    return give(
        "starting",
        [
            Figure("first start to first answer", round(first, 2), "s", less_is_better=True),
            Figure("next start to first answer", round(answered, 2), "s", 2.5, less_is_better=True, remark=words),
            Figure("resident with one model", round(resident / 2**20), "MiB", 350, less_is_better=True),
        ],
    )


def start(folder: Path, token: str | None) -> tuple[float, str, int]:
    """Seconds to the first answer, a key that can pay, and resident bytes after a few answers more."""
    picture = jpegs(1, width=640, height=480)[0]
    with serving(folder, rate_limit="1000000") as server:
        token = token or server.rich_person("starter")
        request = request_of(PATH, picture, token=token, port=server.port)
        first = asyncio.run(ask_all(server.port, [request], clients=1, seconds=0.2))
        took_s = server.ready_after_s + first.took_s[0]
        assert not first.wrong, first.wrong
        asyncio.run(ask_all(server.port, [request], clients=2, seconds=1))
        return took_s, token, server.resident_bytes()


if __name__ == "__main__":
    sys.exit(main())
