"""Every speed question in turn, or those that are named; ends with 1 where one of them missed its floor.

    python -m bench [QUESTION …] [--runs 3] [--page]

A question asked several times is answered by its median run. `--page` writes the figures into docs/performance.md, and
the first of them into README.md; all of them are in artefacts/bench/all.json too.
"""

import argparse
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from bench.figures import RESULTS, Figure, given, machine, middle, table

QUESTIONS = (
    "library",
    "live",
    "costs",
    "protocol",
    "starting",
    "loading",
    "shadow",
    "database",
    "growth",
    "datasets",
    "jobs",
    "job_memory",
    "scaling",
    "beside",
)
PAGE, README = Path("docs/performance.md"), Path("README.md")
TOLD_FIRST = (
    ("library", "EfficientNet-Lite0, 640×480"),
    ("live", "EfficientNet-Lite0, 640×480, 8 clients"),
    ("live", "ResNet-50-sized, 8 clients"),
    ("live", "the same picture again, median answer"),
    ("jobs", "a job over 2,000 pictures"),
    ("starting", "first start to first answer"),
)
BLOCK = re.compile(r"(<!-- figures -->\n).*(<!-- /figures -->)", re.DOTALL)


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("questions", nargs="*", metavar="QUESTION", help=", ".join(QUESTIONS))
    asked.add_argument("--runs", type=int, default=1)
    asked.add_argument("--page", action="store_true")
    wanted = asked.parse_args()
    answers = {question: ask(question, wanted.runs) for question in wanted.questions or QUESTIONS}
    keep(answers)
    if wanted.page:
        write(PAGE, page(answers))
        write(README, in_short(answers))
    print("\n".join(summary(answers)))
    return int(any(figure.is_missed for figures in answers.values() for figure in figures))


def write(file: Path, lines: Iterable[str]) -> None:
    """Between the marks of the file."""
    text = "\n".join(lines)
    file.write_text(BLOCK.sub(lambda marks: f"{marks[1]}{text}\n{marks[2]}", file.read_text("utf-8")), "utf-8")


def ask(question: str, runs: int) -> list[Figure]:
    """In a process of its own, so that no question inherits another's memory."""
    told = []
    for _ in range(runs):
        print(f"== {question}", flush=True)
        (RESULTS / f"{question}.json").unlink(missing_ok=True)
        subprocess.run([sys.executable, "-m", f"bench.{question}"], check=False)
        told.append(given(question) or [Figure(f"{question}: it broke", 0, "figures", floor=1)])
    return middle(told) if len({len(one) for one in told}) == 1 else told[-1]


def keep(answers: dict[str, list[Figure]]) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    whole = {question: [asdict(figure) for figure in figures] for question, figures in answers.items()}
    kept = json.dumps({"machine": machine(), **whole}, indent=1, ensure_ascii=False)
    (RESULTS / "all.json").write_text(kept + "\n", "utf-8")


def page(answers: dict[str, list[Figure]]) -> Iterator[str]:
    yield f"Measured on {machine()}."
    for question, figures in answers.items():
        first = (importlib.import_module(f"bench.{question}").__doc__ or "").split("\n\n")[0].replace("\n", " ")
        yield f"\n### {question.capitalize()}\n\n{first}\n\n`python -m bench.{question}`\n"
        yield from table(figures)
    yield ""


def in_short(answers: dict[str, list[Figure]]) -> Iterator[str]:
    """For the README, in the very words of the page."""
    yield "| asked | what | figure | |"
    yield "|---|---|---|---|"
    for question, what in TOLD_FIRST:
        for one in answers.get(question, []):
            if one.what == what:
                remark = "; ".join(one.remark.split("; ")[:2])
                yield f"| {question} | {one.what} | {one.value:g} {one.unit} | {remark} |"


def summary(answers: dict[str, list[Figure]]) -> Iterator[str]:
    yield f"\n{machine()}"
    for question, figures in answers.items():
        for figure in figures:
            yield f"{question:>9}  {figure.verdict:>15}  {figure}"


if __name__ == "__main__":
    sys.exit(main())
