"""What a shadow costs live callers: p95 with one on every picture against none, where there is idle time between the
pictures; and whether it is let go where there is none.

    python -m bench.shadow [--rounds 4] [--pictures 40]

Rounds alternate between off and on; the candidate is the model itself, so that it is exactly as heavy.
"""

import argparse
import asyncio
import http.client
import random
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from statistics import median

from bench.client import ask_all, request_of
from bench.figures import Figure, give
from bench.pictures import jpegs
from bench.server import Served, serving
from retinue.vision import builtin_packages

MODEL = "/api/v1/models/efficientnet-lite0"
PATH = "/api/v1/predict?cache=false"
CEILING = 1.2
PAUSE_S = (0.1, 0.4)  # about a third of two cores


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rounds", type=int, default=4)
    asked.add_argument("--pictures", type=int, default=40)
    given = asked.parse_args()
    pictures = jpegs(64, width=640, height=480)
    took: dict[bool, list[float]] = {False: [], True: []}
    rates: dict[bool, list[float]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as folder, serving(rate_limit="1000000", rate_burst="100000") as server:
        token = server.rich_person("ada")
        server.add_model(f"{MODEL}/versions", builtin_packages(Path(folder))["efficientnet-lite0"])
        ask_calmly(server, token, pictures[:8])
        seen = before = crowded = 0.0
        for number in range(2 * given.rounds):
            is_on = bool(number % 2)
            shadow = {"version": "2", "percent": 100} if is_on else None
            server.ask("PATCH", MODEL, {"shadow": shadow}, token=server.sign_in())
            time.sleep(2.5)  # until every request knows
            took[is_on] += ask_calmly(server, token, pictures[: given.pictures])
            calm = counted(server, "seen")
            requests = [request_of(PATH, picture, token=token, port=server.port) for picture in pictures]
            rates[is_on].append(asyncio.run(ask_all(server.port, requests, clients=8, seconds=3)).per_second)
            seen += calm - before
            before = counted(server, "seen")
            crowded += before - calm
        shed = counted(server, "shed")
    off, on = (sorted(times)[int(0.95 * len(times))] * 1000 for times in (took[False], took[True]))
    ratio = median(rates[True]) / median(rates[False])
    calm_words = f"{on:.1f} ms with, {off:.1f} ms without; {seen:.0f} pictures looked at"
    crowd_words = f"{crowded:.0f} looked at, {shed:.0f} let go"
    return give(
        "shadow",
        [
            Figure(
                "p95 with a shadow", round(on / off, 3), "× without", CEILING, less_is_better=True, remark=calm_words
            ),
            Figure("looked at beside calm callers", seen, "pictures", floor=1),
            Figure(
                "pictures/s with a shadow, 8 callers without a pause", round(ratio, 3), "× without", remark=crowd_words
            ),
            Figure("let go where there is no idle time", shed, "pictures", floor=crowded),
        ],
    )


def ask_calmly(server: Served, token: str, pictures: list[bytes]) -> list[float]:
    """Seconds of each answer; a person who looks at it before asking again."""
    chance, took = random.Random(7), []
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "image/jpeg"}
    for picture in pictures:
        began = time.perf_counter()
        connection.request("POST", PATH, picture, headers)
        answer = connection.getresponse()
        answer.read()
        took.append(time.perf_counter() - began)
        if answer.status != http.client.OK:
            raise SystemExit(f"status {answer.status}")
        time.sleep(chance.uniform(*PAUSE_S))
    connection.close()
    return took


def counted(server: Served, outcome: str) -> float:
    with urllib.request.urlopen(f"{server.address}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    wanted = f'retinue_shadow_total{{outcome="{outcome}"}} '
    return sum(float(line.removeprefix(wanted)) for line in lines if line.startswith(wanted))


if __name__ == "__main__":
    sys.exit(main())
