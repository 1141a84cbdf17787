"""One shape for all figures: what was measured, what it may not miss, and what it is after."""

import json
import platform
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

RESULTS = Path("artefacts/bench")
LIMIT = "× the bare loop"


@dataclass(frozen=True)
class Figure:
    """`floor` is the least that will do, `goal` what we are after; of times and sizes, the most."""

    what: str
    value: float
    unit: str = LIMIT
    floor: float | None = None
    goal: float | None = None
    less_is_better: bool = False
    remark: str = ""

    @property
    def is_missed(self) -> bool:
        return self.floor is not None and not self._reaches(self.floor)

    @property
    def verdict(self) -> str:
        if self.is_missed:
            return "below its floor"
        if self.goal is None:
            return "" if self.floor is None else "holds"
        return "goal reached" if self._reaches(self.goal) else "holds"

    def _reaches(self, mark: float) -> bool:
        return self.value <= mark if self.less_is_better else self.value >= mark

    def __str__(self) -> str:
        wanted = ", ".join(f"{name} {mark:g}" for name, mark in (("floor", self.floor), ("goal", self.goal)) if mark)
        told = f"{self.what}: {self.value:g} {self.unit}" + (f" ({wanted})" if wanted else "")
        return f"{told}; {self.remark}" if self.remark else told


def give(question: str, figures: Sequence[Figure]) -> int:
    """Printed, kept, and the exit code of the question."""
    for figure in figures:
        print(f"{'MISSED ' if figure.is_missed else ''}{figure}", flush=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    kept = json.dumps([asdict(figure) for figure in figures], indent=1, ensure_ascii=False)
    (RESULTS / f"{question}.json").write_text(kept + "\n", "utf-8")
    return int(any(figure.is_missed for figure in figures))


def given(question: str) -> list[Figure]:
    file = RESULTS / f"{question}.json"
    return [Figure(**told) for told in json.loads(file.read_text("utf-8"))] if file.exists() else []


def middle(runs: Sequence[Sequence[Figure]]) -> list[Figure]:
    """Of the same question asked several times: the median run's value, and how far the others were from it."""
    return [_middle(same) for same in zip(*runs, strict=True)]


def _middle(same: Sequence[Figure]) -> Figure:
    values = [figure.value for figure in same]
    nearest = min(same, key=lambda figure: abs(figure.value - median(values)))
    if len(same) == 1:
        return nearest
    spread = f"{min(values):g} to {max(values):g} in {len(same)} runs"
    return replace(nearest, remark="; ".join(part for part in (spread, nearest.remark) if part))


def table(figures: Iterable[Figure]) -> Iterator[str]:
    """For a page."""
    yield "| what | figure | floor | goal | | |"
    yield "|---|---|---|---|---|---|"
    for one in figures:
        floor, goal = ("" if mark is None else f"{mark:g}" for mark in (one.floor, one.goal))
        verdict = f"**{one.verdict}**" if one.is_missed else one.verdict
        yield f"| {one.what} | {one.value:g} {one.unit} | {floor} | {goal} | {verdict} | {one.remark} |"


def machine() -> str:
    cpu = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor() or platform.machine(),
    )
    cores = sum(line.startswith("processor") for line in _lines("/proc/cpuinfo"))
    return f"{cores} cores ({cpu}), Python {platform.python_version()}, {platform.system()}"


def _lines(place: str) -> list[str]:
    file = Path(place)
    return file.read_text("utf-8").splitlines() if file.exists() else []
