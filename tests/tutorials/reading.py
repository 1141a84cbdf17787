"""Pages whose blocks are run in their order, as a reader would: `python` and `bash` blocks, never `sh` ones."""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from retinue.cli.main import app

BLOCK = re.compile(r"^```(python|bash)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ONLY_IN_A_SHELL = re.compile(r"[|$=;*]")
SAID = re.compile(r"print\(.*\)  # (.*)$|^ +# (.*)$", re.MULTILINE)
BIN = Path(sys.executable).parent


def run_page(page: Path, *, instead: Mapping[str, str], python: Path | None = None) -> int:
    """How many blocks there were. What they print is compared with what they say behind a #.

    `instead`: what stands here for what the page names; `python`: where its python blocks need what we do not have.
    """
    text = page.read_text("utf-8")
    for words, ours in instead.items():
        text = text.replace(words, ours)
    names: dict[str, object] = {}
    blocks = BLOCK.findall(text)
    if python is not None:
        run_elsewhere(python, "".join(block for language, block in blocks if language == "python"))
    for language, block in blocks:
        if language == "python" and python is None:
            run_python(block, names, page)
        elif language == "bash":
            run_bash(block)
    return len(blocks)


def run_python(text: str, names: dict[str, object], page: Path) -> None:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(text, str(page), "exec"), names)
    compare(out.getvalue(), text)


def run_elsewhere(python: Path, text: str) -> None:
    done = subprocess.run(
        [python, "-I", "-c", text], cwd=Path.cwd(), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, (text, done.stderr)
    compare(done.stdout, text)


def compare(printed: str, text: str) -> None:
    assert printed.splitlines() == [one or other for one, other in SAID.findall(text)], (printed, text)


def run_bash(text: str) -> None:
    """Commands of ours in this process: each start of a program of its own would take longer than the work."""
    if all(line.startswith("retinue ") and not ONLY_IN_A_SHELL.search(line) for line in text.splitlines()):
        for line in text.splitlines():
            run_command(line)
    else:
        run_shell(text)


def run_command(line: str) -> None:
    said = re.search(r"# exit code (\d)", line)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = app(shlex.split(line, comments=True)[1:], exit_on_error=False)
    assert code == (int(said[1]) if said else 0), (line, out.getvalue())


def run_shell(text: str) -> None:
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, (text, done.stdout, done.stderr)
