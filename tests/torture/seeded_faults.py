"""Breaks a copy of the sources in one place at a time, runs the test that should notice, and counts who did.

`python -m tests.torture.seeded_faults` tries all of them; words after it choose those whose description holds them.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import retinue
from tests.torture.faults import FAULTS, Fault
from tests.torture.report import Figure, note

CHECKOUT = Path(__file__).parents[2]
SOURCES = Path(retinue.__file__).parent
LONGEST_S = 300
TESTS_FAILED = 1  # pytest's own word for it; broken imports and wrong names have others


class NoSuchPlace(Exception):
    """The words that a fault exchanges are not in its file exactly once: the fault has to follow the code."""


@dataclass(frozen=True)
class Tried:
    fault: Fault
    is_caught: bool
    said: str


@contextmanager
def copied_sources() -> Iterator[Path]:
    """`…/src` with the package in it, to be put before the one that is installed."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        shutil.copytree(SOURCES, Path(folder, "retinue"), ignore=shutil.ignore_patterns("__pycache__"))
        yield Path(folder)


def try_out(fault: Fault, sources: Path) -> Tried:
    file = sources / "retinue" / fault.file
    whole = file.read_text("utf-8")
    if whole.count(fault.old) != 1:
        raise NoSuchPlace(f"{fault.what}: {whole.count(fault.old)} times in {fault.file}")
    file.write_text(whole.replace(fault.old, fault.new), "utf-8")
    try:
        code, said = run_tests([fault.test], sources)
    except subprocess.TimeoutExpired:
        code, said = -1, f"The test did not end within {LONGEST_S} s."
    finally:
        file.write_text(whole, "utf-8")
    return Tried(fault, code == TESTS_FAILED, said)


def run_tests(tests: Sequence[str], sources: Path) -> tuple[int, str]:
    """By a Python that finds the copy first and keeps no compiled files of it."""
    environment = {**os.environ, "PYTHONPATH": str(sources), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--tb=line", "--show-capture=no", "-k", "not postgresql"]
    told = subprocess.run(
        [*command, *tests],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LONGEST_S * len(tests),
        check=False,
    )
    return told.returncode, told.stdout[-1500:]


def main(words: str) -> int:
    chosen = [fault for fault in FAULTS if words in fault.what]
    with copied_sources() as sources:
        code, said = run_tests(sorted({fault.test for fault in chosen}), sources)
        if code:
            print(f"The tests fail without any fault:\n{said}")
            return 1
        caught = 0
        for fault in chosen:
            tried = try_out(fault, sources)
            caught += tried.is_caught
            print(f"{'caught' if tried.is_caught else 'MISSED'}  {fault.what}  ({fault.test})", flush=True)
            if not tried.is_caught:
                print(tried.said)
    print(f"{caught} of {len(chosen)} caught")
    note(
        Figure(
            "Seeded faults",
            "a guard taken away, then the test that is named for it",
            f"{caught} of {len(chosen)} caught",
        )
    )
    return 0 if caught == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:])))
