"""Every speed question in turn, or those that are named; ends with 1 where one of them missed its floor.

    python -m bench [QUESTION …] [--runs 3] [--page]

A question asked several times is answered by its median run. `--page` writes the figures into docs/performance.md; all
of them are in artefacts/bench/all.json too.
"""

import argparse
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
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
PAGE = Path("docs/performance.md")
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
        PAGE.write_text(
            BLOCK.sub(lambda marks: marks[1] + "\n".join(page(answers)) + "\n" + marks[2], PAGE.read_text())
        )
    print("\n".join(summary(answers)))
    return int(any(figure.is_missed for figures in answers.values() for figure in figures))


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


def summary(answers: dict[str, list[Figure]]) -> Iterator[str]:
    yield f"\n{machine()}"
    for question, figures in answers.items():
        for figure in figures:
            yield f"{question:>9}  {figure.verdict:>15}  {figure}"


if __name__ == "__main__":
    sys.exit(main())
