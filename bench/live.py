"""Live predictions over HTTP, with accounts, credits, originals and history on, against the bare loop of the same run.

    python -m bench.live [--rounds 5] [--seconds 3] [--json FILE]

Rounds alternate between the server and the bare loop; a figure is the median of the rounds' ratios. The result cache is
off and the pictures are distinct, so every answer is looked at, stored and paid for.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from bench.bare_loop import BareLoop
from bench.client import Tally, ask_all, request_of
from bench.pictures import jpegs
from bench.server import Served, serving
from retinue.vision import builtin_packages

RESULTS = Path("artefacts/bench/live.json")
PATH = "/api/v1/predict?cache=false"
FLOOR = 0.80


@dataclass(frozen=True)
class Figure:
    """Pictures per second of both, and milliseconds of the server's processor time per picture."""

    case: str
    bare: float
    ours: float
    ratio: float
    p50_ms: float
    p95_ms: float
    cpu_ms: float
    bare_cpu_ms: float
    wrong: int


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--seconds", type=float, default=3.0)
    asked.add_argument("--json", type=Path, default=RESULTS)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder, serving(rate_limit="1000000", rate_burst="100000") as server:
        loop = BareLoop(builtin_packages(Path(folder))["efficientnet-lite0"])
        figures = [measure(server, loop, clients, rounds=given.rounds, seconds=given.seconds) for clients in (1, 8, 32)]
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=1) + "\n", "utf-8")
    missed = [figure for figure in figures if figure.wrong or (figure.ratio < FLOOR and figure.case != "1 client")]
    for figure in missed:
        print(f"below its floor: {figure}", file=sys.stderr)
    return 1 if missed else 0


def measure(server: Served, loop: BareLoop, clients: int, *, rounds: int, seconds: float) -> Figure:
    import time

    pictures = jpegs(64, width=640, height=480)
    token = server.rich_person(f"person{clients}")
    requests = [request_of(PATH, picture, token=token, port=server.port) for picture in pictures]
    asyncio.run(ask_all(server.port, requests, clients=clients, seconds=1))
    ratios, tallies, bares, cpu, bare_cpu = [], list[Tally](), [], [], []
    for _ in range(rounds):
        before = time.process_time()
        bare = len(loop.run(pictures, seconds=seconds)) / seconds
        bare_cpu.append((time.process_time() - before) / (bare * seconds))
        used = server.cpu_s()
        tally = asyncio.run(ask_all(server.port, requests, clients=clients, seconds=seconds))
        cpu.append((server.cpu_s() - used) / len(tally.took_s))
        tallies.append(tally)
        bares.append(bare)
        ratios.append(tally.per_second / bare)
    figure = Figure(
        case=f"{clients} client{'s' if clients > 1 else ''}",
        bare=round(median(bares), 1),
        ours=round(median(tally.per_second for tally in tallies), 1),
        ratio=round(median(ratios), 3),
        p50_ms=round(median(tally.percentile(0.5) for tally in tallies) * 1000, 1),
        p95_ms=round(median(tally.percentile(0.95) for tally in tallies) * 1000, 1),
        cpu_ms=round(median(cpu) * 1000, 2),
        bare_cpu_ms=round(median(bare_cpu) * 1000, 2),
        wrong=sum(len(tally.wrong) for tally in tallies),
    )
    for tally in tallies:
        for body in tally.wrong[:2]:
            print(f"wrong answer: {body}", file=sys.stderr)
    print(
        f"{figure.case:>10}: {figure.ours:6.1f} of {figure.bare:6.1f} pictures/s = {figure.ratio:.3f};"
        f" p50 {figure.p50_ms} ms, p95 {figure.p95_ms} ms; processor {figure.cpu_ms} ms, bare {figure.bare_cpu_ms} ms"
    )
    return figure


if __name__ == "__main__":
    sys.exit(main())
