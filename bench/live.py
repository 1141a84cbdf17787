"""Live predictions over HTTP, with accounts, credits, originals and history on, against the bare loop of the same run.

    python -m bench.live [--rounds 5] [--seconds 3] [--only WORDS]

Rounds alternate between the server and the bare loop; a figure is the median of the rounds' ratios. The result cache is
off and the pictures are distinct, so every answer is looked at, stored and paid for. One client alone is compared with
a server of twenty lines that does nothing else (bench/plain_server.py).
"""

import argparse
import asyncio
import io
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.bare_loop import BareLoop
from bench.client import Tally, ask_all, request_of
from bench.figures import Figure, give
from bench.graphs import resnet50
from bench.pictures import jpegs
from bench.plain_server import plainly_served
from bench.server import Served, serving
from retinue.vision import builtin_packages

PATH = "/api/v1/predict?cache=false"
LITE, RESNET = "efficientnet-lite0", "resnet50-sized"
IN_A_ZIP = 16


@dataclass(frozen=True)
class Case:
    """So many clients, each with one request under way."""

    name: str
    requests: list[bytes]
    pictures: list[bytes]
    model: str = LITE
    clients: int = 8
    pictures_each: int = 1
    floor: float | None = None
    goal: float | None = None


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--seconds", type=float, default=3.0)
    asked.add_argument("--only", default="", help="cases whose names hold these words")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as temporary, serving(rate_limit="1000000", rate_burst="100000") as server:
        folder = Path(temporary)
        packages = {LITE: builtin_packages(folder)[LITE], RESNET: resnet50(folder / "resnet50")}
        server.add_model("/api/v1/models", packages[RESNET], name=RESNET)
        loops = {model: BareLoop(package) for model, package in packages.items()}
        chosen = [case for case in cases(server) if given.only in case.name]
        figures = [measure(server, loops[case.model], case, given.rounds, given.seconds) for case in chosen]
        if given.only in "one client alone":
            figures += one_client_alone(server, packages[LITE].folder, given.rounds, given.seconds)
        if given.only in "the same picture again":
            figures.append(the_same_again(server, given.seconds))
    return give("live", figures)


def cases(server: Served) -> list[Case]:
    token = server.rich_person("crowd")
    small, large = jpegs(64, width=640, height=480), jpegs(12, width=4000, height=3000)

    def asks(pictures: Sequence[bytes], path: str = PATH, kind: str = "image/jpeg") -> list[bytes]:
        return [request_of(path, one, token=token, content_type=kind, port=server.port) for one in pictures]

    zips = [zipped(small[at : at + IN_A_ZIP]) for at in range(0, len(small), IN_A_ZIP)]
    zip_asks = asks(zips, "/api/v1/predict/zip?cache=false", "application/zip")
    return [
        Case("EfficientNet-Lite0, 640×480, 8 clients", asks(small), small, floor=0.90, goal=1.0),
        Case("EfficientNet-Lite0, 640×480, 32 clients", asks(small), small, clients=32, floor=0.90, goal=1.0),
        Case("EfficientNet-Lite0, 12 megapixels, 8 clients", asks(large), large, floor=0.85, goal=0.95),
        Case(f"EfficientNet-Lite0, ZIPs of {IN_A_ZIP}, 2 clients", zip_asks, small, clients=2, pictures_each=IN_A_ZIP),
        Case("ResNet-50-sized, 8 clients", asks(small, f"{PATH}&model={RESNET}"), small, RESNET, floor=0.95, goal=0.98),
    ]


def measure(server: Served, loop: BareLoop, case: Case, rounds: int, seconds: float) -> Figure:
    ask(server, case, 1)
    ratios, rates, bares, tallies, cpu, bare_cpu = [], [], [], list[Tally](), [], []
    for _ in range(rounds):
        began, before = time.perf_counter(), time.process_time()
        looked = len(loop.run(case.pictures, seconds=seconds))
        bare = looked / (time.perf_counter() - began)
        bare_cpu.append((time.process_time() - before) / looked)
        used = server.cpu_s()
        tally = ask(server, case, seconds)
        cpu.append((server.cpu_s() - used) / len(tally.took_s) / case.pictures_each)
        rate = tally.per_second * case.pictures_each
        tallies.append(tally)
        rates.append(rate)
        bares.append(bare)
        ratios.append(rate / bare)
    remark = (
        f"{median(rates):.1f} of {median(bares):.1f} pictures/s; p50 {middle_ms(tallies, 0.5):.1f} ms, "
        f"p95 {middle_ms(tallies, 0.95):.1f} ms; processor {median(cpu) * 1000:.1f} of {median(bare_cpu) * 1000:.1f} ms"
    )
    return Figure(case.name, round(median(ratios), 3), floor=case.floor, goal=case.goal, remark=remark)


def one_client_alone(server: Served, package: Path, rounds: int, seconds: float) -> list[Figure]:
    """Median and 95th percentile of an answer's time, against the plain server's in the same rounds."""
    pictures, token = jpegs(64, width=640, height=480), server.rich_person("alone")
    ours, theirs = list[Tally](), list[Tally]()
    with plainly_served(package) as port:
        mine = [request_of(PATH, one, token=token, port=server.port) for one in pictures]
        plain = [request_of("/predict", one, token="none", port=port) for one in pictures]
        for turn in range(rounds + 1):
            rounds_ours = asyncio.run(ask_all(server.port, mine, clients=1, seconds=seconds))
            rounds_theirs = asyncio.run(ask_all(port, plain, clients=1, seconds=seconds))
            if turn:  # the first one warms up
                ours.append(rounds_ours)
                theirs.append(rounds_theirs)
    told = []
    for name, share, floor, goal in (("p50", 0.5, 0.90, 0.75), ("p95", 0.95, 1.1, None)):
        our_ms, their_ms = middle_ms(ours, share), middle_ms(theirs, share)
        what, remark = f"one client alone, {name}", f"{our_ms:.1f} ms against {their_ms:.1f} ms"
        value = round(our_ms / their_ms, 3)
        told.append(Figure(what, value, "× a plain server", floor, goal, less_is_better=True, remark=remark))
    return told


def the_same_again(server: Served, seconds: float) -> Figure:
    """From the result cache: no eye, but a hold, a charge, a row."""
    path, token = "/api/v1/predict", server.rich_person("again")
    again = [request_of(path, one, token=token, port=server.port) for one in jpegs(8, width=640, height=480)]
    asyncio.run(ask_all(server.port, again, clients=1, seconds=1))
    tally = asyncio.run(ask_all(server.port, again, clients=1, seconds=seconds))
    p50, p95 = (round(tally.percentile(share) * 1000, 2) for share in (0.5, 0.95))
    what = "the same picture again, median answer"
    return Figure(what, p50, "ms", floor=2.0, less_is_better=True, remark=f"with HTTP and client; p95 {p95} ms")


def ask(server: Served, case: Case, seconds: float) -> Tally:
    tally = asyncio.run(
        ask_all(server.port, case.requests, clients=case.clients, seconds=seconds, each=case.pictures_each)
    )
    if tally.wrong:
        raise SystemExit(f"wrong answer: {tally.wrong[0]}")
    return tally


def middle_ms(tallies: Sequence[Tally], share: float) -> float:
    return median(tally.percentile(share) for tally in tallies) * 1000


def zipped(pictures: Sequence[bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for number, picture in enumerate(pictures):
            archive.writestr(f"{number:02}.jpg", picture)
    return packed.getvalue()


if __name__ == "__main__":
    sys.exit(main())
