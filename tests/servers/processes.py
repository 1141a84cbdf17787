"""How a test server lives: in a temporary folder, as a child that dies with its parent, gone without a trace."""

import contextlib
import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

NOBODY = 65534
LEASH = Path(__file__).with_name("leash.py")


class ServerDidNotStart(Exception):
    """A real server that the tests need is not there; the message says which and why."""


def start_on_leash(
    command: list[str | Path],
    *,
    folder: Path,
    log: Path,
    environment: dict[str, str],
    user: int | None = None,
    end_with: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a server that ends when we do, even by kill -9.

    The kernel watches the thread that started the child: start it from one that lives as long as the server should.
    """
    leash: list[str | Path] = [
        sys.executable,
        "-I",
        "-S",
        LEASH,
        str(os.getpid()),
        str(os.getuid() if user is None else user),
        str(end_with.value),
    ]
    with log.open("ab") as out:
        return subprocess.Popen(
            [*leash, *command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            # A group of its own: Ctrl-C reaches only the tests, which end the server in order; kill() takes all of it.
            start_new_session=True,
        )


def stop(
    process: subprocess.Popen[bytes], *, with_signal: signal.Signals = signal.SIGTERM, patience_s: float = 60
) -> None:
    if process.poll() is None:
        process.send_signal(with_signal)
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """As the machine would lose it: SIGKILL to the server and all its children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(60)


def wait_until(
    ready: Callable[[], bool], *, process: subprocess.Popen[bytes], log: Path, name: str, patience_s: float = 120
) -> None:
    deadline = time.monotonic() + patience_s
    while not ready():
        if process.poll() is not None:
            raise ServerDidNotStart(f"{name} ended with {process.returncode}:\n{_last_words(log)}")
        if time.monotonic() > deadline:
            kill(process)
            raise ServerDidNotStart(f"{name} gave no answer in {patience_s} s:\n{_last_words(log)}")
        time.sleep(0.01)


@contextlib.contextmanager
def own_folder(kind: str) -> Iterator[Path]:
    """A temporary folder under a lock; folders whose owner was killed are swept by the next one who asks."""
    prefix = f"retinue-test-{kind}-"
    _sweep(prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """Below 32768, where Linux takes no ports for outgoing connections: it stays ours over a restart."""
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _sweep(prefix: str) -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with contextlib.suppress(OSError), (folder / "lock").open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)


def _last_words(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:] if log.exists() else "(no log)"
