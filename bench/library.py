"""The library against the bare loop: from the bytes of a JPEG to its five best classes, in the same minute.

    python -m bench.library [--rounds 9] [--seconds 1.5] [--only WORDS]

Rounds alternate between the two, and a figure is the median of the rounds' ratios: what else the machine does in
between hits both. Ends with 1 where a floor is missed.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.bare_loop import BareLoop
from bench.figures import Figure, give
from bench.graphs import resnet50
from bench.limits import limits_of
from bench.pictures import jpegs
from retinue.vision import Asked, Engine, Package, builtin_packages


@dataclass(frozen=True)
class Case:
    """`callers` ask at once; one alone is measured by its median time, against the bare loop in one thread."""

    name: str
    package: Package
    pictures: list[bytes]
    callers: int = 2
    floor: float | None = None
    goal: float | None = None


@dataclass(frozen=True)
class Measured:
    """Pictures per second, and milliseconds of processor time per picture, which other work on the machine disturbs
    least; `ratio` is ours to the bare loop's, with the middle half of the rounds beside it."""

    case: str
    network_alone: float
    bare: float
    ours: float
    bare_cpu_ms: float
    our_cpu_ms: float
    ratio: float
    middle_half: tuple[float, float]
    floor: float | None
    goal: float | None
    same_first_class: str
    largest_change: float


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rounds", type=int, default=9)
    asked.add_argument("--seconds", type=float, default=1.5)
    asked.add_argument("--only", default="", help="cases whose names hold these words")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        chosen = [case for case in cases(Path(folder)) if given.only in case.name]
        measured = asyncio.run(measure_all(chosen, Path(folder), rounds=given.rounds, seconds=given.seconds))
    return give("library", [figure_of(one) for one in measured])


def figure_of(one: Measured) -> Figure:
    low, high = one.middle_half
    remark = (
        f"{one.ours} of {one.bare} pictures/s, the network alone {one.network_alone}; half of the rounds {low}–{high}; "
        f"processor {one.our_cpu_ms} of {one.bare_cpu_ms} ms; same first class {one.same_first_class}"
    )
    return Figure(one.case, one.ratio, floor=one.floor, goal=one.goal, remark=remark)


def cases(folder: Path) -> list[Case]:
    lite0 = builtin_packages(folder)["efficientnet-lite0"]
    resnet = resnet50(folder / "resnet50")
    small, large = jpegs(64, width=640, height=480), jpegs(12, width=4000, height=3000)
    return [
        Case("EfficientNet-Lite0, 640×480", lite0, small, floor=0.92, goal=1.0),
        Case("EfficientNet-Lite0, 640×480, 32 callers", lite0, small, callers=32, floor=0.92, goal=1.0),
        Case("EfficientNet-Lite0, 12 megapixels", lite0, large, floor=0.92, goal=1.0),
        Case("EfficientNet-Lite0, 640×480, one caller", lite0, small, callers=1),
        Case("ResNet-50-sized, 640×480", resnet, small, floor=0.95, goal=1.0),
        Case("ResNet-50-sized, 640×480, one caller", resnet, small, callers=1),
    ]


async def measure_all(chosen: list[Case], cache: Path, *, rounds: int, seconds: float) -> list[Measured]:
    for package in {case.package.name: case.package for case in chosen}.values():
        print(f"{package.name}: {limits_of(package)}")
    print(f"{'':42}{'pictures per second':^27}{'':9}{'':13}  processor ms", flush=True)
    print(
        f"{'':42}{'network':>9}{'bare':>9}{'ours':>9}{'ratio':>9}  middle half{'bare':>8}{'ours':>7}  first class same"
    )
    figures = []
    async with Engine(cache=cache) as eye:
        for case in chosen:
            figure = await measure(case, eye, rounds=rounds, seconds=seconds)
            figures.append(figure)
            low, high = figure.middle_half
            print(
                f"{figure.case:42}{figure.network_alone:9.1f}{figure.bare:9.1f}{figure.ours:9.1f}{figure.ratio:9.3f}"
                f"  {low:.3f}–{high:.3f}{figure.bare_cpu_ms:8.2f}{figure.our_cpu_ms:7.2f}"
                f"  {figure.same_first_class}, odds differ ≤ {figure.largest_change}",
                flush=True,
            )
    return figures


async def measure(case: Case, eye: Engine, *, rounds: int, seconds: float) -> Measured:
    bare = BareLoop(case.package, threads=min(case.callers, 2))
    await eye.load(case.package)
    same, change = await compare(case, bare, eye)
    theirs, ours = [], []
    for turn in range(rounds):  # whoever is second finds the machine as the first one left it
        if turn % 2:
            ours.append(await our_speed(case, eye, seconds=seconds))
        theirs.append(await bare_speed(case, bare, seconds=seconds))
        if not turn % 2:
            ours.append(await our_speed(case, eye, seconds=seconds))
    ratios = sorted(our.rate / their.rate for our, their in zip(ours, theirs, strict=True))
    quarter = len(ratios) // 4
    return Measured(
        case.name,
        network_alone=round(await asyncio.to_thread(bare.runs_per_second, case.pictures[0], seconds=seconds), 1),
        bare=round(median(speed.rate for speed in theirs), 1),
        ours=round(median(speed.rate for speed in ours), 1),
        bare_cpu_ms=round(min(speed.cpu_ms for speed in theirs), 2),
        our_cpu_ms=round(min(speed.cpu_ms for speed in ours), 2),
        ratio=round(median(ratios), 3),
        middle_half=(round(ratios[quarter], 3), round(ratios[-1 - quarter], 3)),
        floor=case.floor,
        goal=case.goal,
        same_first_class=same,
        largest_change=round(change, 4),
    )


async def compare(case: Case, bare: BareLoop, eye: Engine) -> tuple[str, float]:
    """How many pictures have the same first class, and by how much the bare loop's five best odds differ from ours."""
    same, change = 0, 0.0
    for jpeg in case.pictures:
        theirs = bare.top_five(jpeg)
        ours = await eye.predict(case.package, jpeg, asked=Asked(top_k=1000))
        odds = {score.label: score.score for score in ours.result.items}  # type: ignore[union-attr]
        same += max(odds, key=lambda label: odds[label]) == theirs[0][0]
        change = max(change, *(abs(odds[label] - score) for label, score in theirs))
    return f"{same} of {len(case.pictures)}", change


@dataclass(frozen=True)
class Speed:
    """Of one slice of time. One caller alone is as quick as its median picture."""

    took: list[float]
    wall_s: float
    cpu_s: float
    callers: int

    @property
    def rate(self) -> float:
        return len(self.took) / self.wall_s if self.callers > 1 else 1 / median(self.took)

    @property
    def cpu_ms(self) -> float:
        return self.cpu_s / len(self.took) * 1e3


async def bare_speed(case: Case, bare: BareLoop, *, seconds: float) -> Speed:
    began, cpu = time.perf_counter(), time.process_time()
    took = await asyncio.to_thread(bare.run, case.pictures, seconds=seconds)
    return Speed(took, time.perf_counter() - began, time.process_time() - cpu, case.callers)


async def our_speed(case: Case, eye: Engine, *, seconds: float) -> Speed:
    took: list[float] = []
    pictures = _in_turn(case.pictures)
    began, cpu = time.perf_counter(), time.process_time()

    async def call() -> None:
        while (asked_at := time.perf_counter()) < began + seconds:
            await eye.predict(case.package, next(pictures))
            took.append(time.perf_counter() - asked_at)

    await asyncio.gather(*(call() for _ in range(case.callers)))
    return Speed(took, time.perf_counter() - began, time.process_time() - cpu, case.callers)


def _in_turn(pictures: list[bytes]) -> Iterator[bytes]:
    while True:
        yield from pictures


if __name__ == "__main__":
    sys.exit(main())
