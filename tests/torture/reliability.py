"""Runs the tests behind every promise and writes docs/reliability.md: how many tries, how long, what figure.

`python -m tests.torture.reliability` tries everything at the figures of a release, which takes hours. `… quick` leaves
out the slow tests and says so. `… P23 faults` tries these alone; what an earlier run noted in the file that
RETINUE_TORTURE_FIGURES names stays in the page, so that a run may be made in parts.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import orjson

from tests.torture import seeded_faults
from tests.torture.promises import PROMISES, Promise
from tests.torture.report import PLACE, Figure, figures

CHECKOUT = Path(__file__).parents[2]
PAGE = CHECKOUT / "docs" / "reliability.md"
CONDITIONS = "RETINUE_TORTURE_CONDITIONS"
HEAD = """<!-- Written by `make torture` from what it saw; run it again instead of editing. -->

# What was tried, and what was seen

{summary}

| | promise | tried by | cases | failed | not run here | seconds | on |
|---|---|---|---|---|---|---|---|
"""
FIGURES = """
## Figures of this run

| what | tried | figure |
|---|---|---|
"""


NEVER = "| {promise.number} | {promise.words} | {tests} | not tried in this run | | | | |\n"


@dataclass(frozen=True)
class Outcome:
    promise: str
    cases: int
    failed: int
    skipped: int
    seconds: float
    on: str

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
    on = f"{datetime.now(UTC):%d %B %Y}{', without the slow tests' if quick else ''}"
    return Outcome(promise.number, int(count["tests"]), failed, int(skipped), seconds, on)


def page(outcomes: Mapping[str, Outcome], seen: Sequence[Figure], *, conditions: str = "") -> str:
    """`outcomes` by the number of their promise; `conditions`: what a reader must know of the machine."""
    kept = sum(outcome.is_kept for outcome in outcomes.values())
    untried = len(PROMISES) - len(outcomes)
    summary = (
        f"Of {len(PROMISES)} promises {kept} were kept, {len(outcomes) - kept} broken and {untried} not tried, in "
        f"{sum(one.cases for one in outcomes.values())} cases with {os.cpu_count()} processors. {conditions}".rstrip()
    )
    return HEAD.format(summary=summary) + "".join(_lines(outcomes)) + FIGURES + "".join(_figures(seen))


def _lines(outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    for promise in PROMISES:
        tests = ", ".join(f"`{test.removeprefix('tests/')}`" for test in promise.tests)
        one = outcomes.get(promise.number)
        if one is None:
            yield NEVER.format(promise=promise, tests=tests)
            continue
        tried = f"{one.cases} | {one.failed} | {one.skipped} | {one.seconds:.0f} | {one.on}"
        yield f"| {promise.number} | {promise.words} | {tests} | {tried} |\n"


def _figures(seen: Sequence[Figure]) -> Iterator[str]:
    for figure in seen:
        yield f"| {figure.what} | {figure.tried} | {figure.seen} |\n"


def main(words: Sequence[str]) -> int:
    quick, chosen = "quick" in words, {word for word in words if word != "quick"}
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault(PLACE, str(Path(folder, "figures.jsonl")))
        kept_in = Path(os.environ[PLACE]).with_suffix(".outcomes")
        outcomes = _known(kept_in)
        code = seeded_faults.main("") if "faults" in chosen or not (quick or chosen) else 0
        for promise in PROMISES:
            if not chosen or promise.number in chosen:
                outcomes[promise.number] = tried(promise, quick=quick)
                kept_in.write_bytes(orjson.dumps([asdict(one) for one in outcomes.values()]))
        PAGE.write_text(page(outcomes, figures(), conditions=os.environ.get(CONDITIONS, "")), "utf-8")
    for broken in (outcome for outcome in outcomes.values() if not outcome.is_kept):
        print(f"Not kept: {broken.promise}")
    return code or int(not all(outcome.is_kept for outcome in outcomes.values()))


def _known(kept_in: Path) -> dict[str, Outcome]:
    told = orjson.loads(kept_in.read_bytes()) if kept_in.exists() else []
    return {one["promise"]: Outcome(**one) for one in told}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
