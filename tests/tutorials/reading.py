"""Pages whose blocks are run in their order, as a reader would: `python` and `bash` blocks, never `sh` ones."""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from retinue.cli.main import app

BLOCK = re.compile(r"^```(python|bash)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ONLY_IN_A_SHELL = re.compile(r"[|$=;]")
BIN = Path(sys.executable).parent


def run_page(page: Path, *, at: str) -> int:
    """How many blocks there were. What they print is compared with what they say behind a #."""
    names: dict[str, object] = {}
    blocks = BLOCK.findall(page.read_text("utf-8").replace("https://retinue.example", at))
    for language, text in blocks:
        if language == "python":
            run_python(text, names, page)
        elif all(line.startswith("retinue ") and not ONLY_IN_A_SHELL.search(line) for line in text.splitlines()):
            for line in text.splitlines():
                run_command(line)
        else:
            run_shell(text)
    return len(blocks)


def run_python(text: str, names: dict[str, object], page: Path) -> None:
    said = re.findall(r"print\(.*\)  # (.*)$|^ +# (.*)$", text, re.MULTILINE)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(text, str(page), "exec"), names)
    printed = out.getvalue().splitlines()
    assert printed == [one or other for one, other in said], (printed, text)


def run_command(line: str) -> None:
    """In this process: each start of a program of its own would take longer than the work."""
    said = re.search(r"# exit code (\d)", line)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = app(shlex.split(line, comments=True)[1:], exit_on_error=False)
    assert code == (int(said[1]) if said else 0), (line, out.getvalue())


def run_shell(text: str) -> None:
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-ec", text], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, (text, done.stdout, done.stderr)
