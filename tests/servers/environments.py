"""Environments for servers whose libraries must not meet ours: made on demand beside the checkout, then kept."""

import fcntl
import subprocess
import sys
import venv
from pathlib import Path

from tests.servers.processes import ServerDidNotStart

CHECKOUT = Path(__file__).parents[2]


def environment_of(name: str) -> Path:
    """The bin folder of `.venv-NAME`, made from NAME-requirements.txt the first time and whenever that file changes."""
    wanted = Path(__file__).with_name(f"{name}-requirements.txt")
    home = CHECKOUT / f".venv-{name}"
    home.mkdir(exist_ok=True)
    installed = home / "installed-requirements.txt"
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test processes want it at once
        if not installed.exists() or installed.read_text() != wanted.read_text():
            print(f"Making the environment {home.name} (once, about 10 s)", file=sys.stderr)
            _install(home, wanted)
            installed.write_text(wanted.read_text())
    return home / "bin"


def _install(home: Path, requirements: Path) -> None:
    venv.create(home, with_pip=True)
    # Isolated: a PYTHONPATH would make pip believe that our own libraries are in there.
    pip: list[str | Path] = [home / "bin" / "python", "-I", "-m", "pip"]
    command = [*pip, "install", "--quiet", "--requirement", requirements]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ServerDidNotStart(f"The environment {home.name} could not be made:\n{done.stderr[-2000:]}")
