"""Runs the tests behind every promise and writes docs/reliability.md: how many tries, how long, what figure.

`python -m tests.torture.reliability` tries everything at the figures of a release, which takes hours;
`… quick` leaves out the slow tests and says so. Figures may be added to those of an earlier run of single tests: name
their file in RETINUE_TORTURE_FIGURES.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from tests.torture import seeded_faults
from tests.torture.promises import PROMISES, Promise
from tests.torture.report import PLACE, Figure, figures

CHECKOUT = Path(__file__).parents[2]
PAGE = CHECKOUT / "docs" / "reliability.md"
HEAD = """<!-- Written by `make torture` from what it saw; run it again instead of editing. -->

# What was tried, and what was seen

{summary}

| promise | tried by | cases | failed | not run here | seconds |
|---|---|---|---|---|---|
"""
FIGURES = """
## Figures of this run

| what | tried | figure |
|---|---|---|
"""


@dataclass(frozen=True)
class Outcome:
    promise: Promise
    cases: int
    failed: int
    skipped: int
    seconds: float

    @property
    def is_kept(self) -> bool:
        return self.failed == 0 and self.cases > self.skipped


def tried(promise: Promise, *, quick: bool) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [sys.executable, "-m", "pytest", "-q", "--show-capture=no", f"--junitxml={report}"]
        subprocess.run([*command, *(["-m", "not slow"] if quick else []), *promise.tests], cwd=CHECKOUT, check=False)
        suites = ElementTree.parse(report).getroot().findall("testsuite") if report.exists() else []
    count = {name: sum(float(suite.get(name, 0)) for suite in suites) for name in ("tests", "failures", "errors")}
    failed = int(count["failures"] + count["errors"]) or (0 if suites else 1)
    skipped, seconds = (sum(float(suite.get(name, 0)) for suite in suites) for name in ("skipped", "time"))
    return Outcome(promise, int(count["tests"]), failed, int(skipped), seconds)


def page(outcomes: Sequence[Outcome], seen: Sequence[Figure], *, at: datetime, quick: bool) -> str:
    kept = sum(outcome.is_kept for outcome in outcomes)
    summary = (
        f"{kept} of {len(outcomes)} promises kept in {sum(one.cases for one in outcomes)} cases on {at:%d %B %Y}, with "
        f"{os.cpu_count()} processors{', without the slow tests' if quick else ''}."
    )
    return HEAD.format(summary=summary) + "".join(_lines(outcomes)) + FIGURES + "".join(_figures(seen))


def _lines(outcomes: Sequence[Outcome]) -> Iterator[str]:
    for one in outcomes:
        tests = ", ".join(f"`{test.removeprefix('tests/')}`" for test in one.promise.tests)
        yield f"| {one.promise.words} | {tests} | {one.cases} | {one.failed} | {one.skipped} | {one.seconds:.0f} |\n"


def _figures(seen: Sequence[Figure]) -> Iterator[str]:
    for figure in seen:
        yield f"| {figure.what} | {figure.tried} | {figure.seen} |\n"


def main(*, quick: bool) -> int:
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault(PLACE, str(Path(folder, "figures.jsonl")))
        code = 0 if quick else seeded_faults.main("")
        outcomes = [tried(promise, quick=quick) for promise in PROMISES]
        PAGE.write_text(page(outcomes, figures(), at=datetime.now(UTC), quick=quick), "utf-8")
    for broken in (outcome for outcome in outcomes if not outcome.is_kept):
        print(f"Not kept: {broken.promise.words}")
    return code or int(not all(outcome.is_kept for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main(quick="quick" in sys.argv[1:]))
