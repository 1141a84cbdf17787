"""A whole cluster as processes of this machine, by the commands of deploy/compose.yaml: every one may be restarted."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from retinue.client import Client
from tests.accounts.people import PASSWORD
from tests.servers.postgres import OwnPostgres, own_postgres
from tests.servers.processes import free_port, kill, start_on_leash, stop, wait_until
from tests.servers.s3 import S3Server, own_swift
from tests.servers.valkey import OwnValkey, own_valkey

ADMIN = "root@example.com"
READY_S = 300  # on a machine that others use too; a start takes seconds
RETINUE: tuple[str | Path, ...] = (sys.executable, "-m", "retinue.cli.main")


@dataclass
class Node:
    """`retinue api` or `retinue worker`, with a data folder of its own as in a container."""

    name: str
    command: tuple[str | Path, ...]
    sign: str
    folder: Path
    environment: dict[str, str]
    builtin: Path
    address: str = ""
    down: list[tuple[float, float]] = field(default_factory=list)
    _process: "subprocess.Popen[bytes] | None" = None

    def begin(self) -> None:
        shelf = self.folder / "models"
        if not shelf.exists():
            shelf.mkdir(parents=True)
            (shelf / "builtin").symlink_to(self.builtin)
        self._log.unlink(missing_ok=True)
        environment = {**self.environment, "RETINUE_DATA_DIR": str(self.folder)}
        self._process = start_on_leash(
            [*RETINUE, *self.command], folder=self.folder, log=self._log, environment=environment
        )

    def start(self) -> None:
        self.begin()
        self.wait()

    def wait(self) -> None:
        assert self._process is not None
        wait_until(self._is_ready, process=self._process, log=self._log, name=self.name, patience_s=READY_S)

    def restart(self, *, with_signal: signal.Signals) -> None:
        assert self._process is not None
        self.down.append((time.monotonic(), float("inf")))
        if with_signal == signal.SIGKILL:
            kill(self._process)
        else:
            stop(self._process, with_signal=with_signal, patience_s=READY_S)
            # uvicorn ends in order, then by the signal itself
            assert self._process.returncode in {0, -with_signal}, self._log.read_text()[-2000:]
        self.start()
        self.down[-1] = (self.down[-1][0], time.monotonic())

    def was_down(self, *, since: float) -> bool:
        """At any moment between then and now."""
        return any(start <= time.monotonic() and since <= end for start, end in self.down)

    def close(self) -> None:
        if self._process is not None:
            kill(self._process)

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    def _is_ready(self) -> bool:
        return self.sign in self._log.read_text()


@dataclass
class Cluster:
    postgres: OwnPostgres
    valkey: OwnValkey
    s3: S3Server
    apis: list[Node]
    workers: list[Node]
    environment: dict[str, str]

    def restart_postgres(self) -> None:
        self.postgres.kill()
        self.postgres.start()

    def restart_valkey(self) -> None:
        self.valkey.kill()
        self.valkey.start()

    def restart_s3(self) -> None:
        self.s3.kill()
        self.s3.start()

    def key_of_somebody_rich(self, email: str, *, amount: float) -> str:
        """An API key, as it is made over the API."""
        with Client(self.apis[0].address, email=ADMIN, password=PASSWORD) as root:
            root.admin.users.add(email=email, password=PASSWORD)
            root.admin.users.recharge(email, amount, reason="for the test")
        with Client(self.apis[0].address, email=email, password=PASSWORD) as somebody:
            return somebody.keys.make("cluster").key

    def run(self, *command: str) -> str:
        """A command of an operator, to its end."""
        done = subprocess.run(
            [*RETINUE, *command], env=self.environment, capture_output=True, text=True, timeout=READY_S, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextmanager
def cluster(folder: Path, builtin: Path, *, apis: int, workers: int) -> Iterator[Cluster]:
    with own_postgres() as postgres, own_valkey() as valkey, own_swift() as s3:
        environment = {
            **{name: told for name, told in os.environ.items() if not name.startswith(("RETINUE_", "AWS_"))},
            **s3.environment,
            "RETINUE_DATA_DIR": str(folder / "operator"),
            "RETINUE_DATABASE_URL": postgres.url,
            "RETINUE_STORAGE_URL": s3.fresh_url(),
            "RETINUE_BROKER_URL": valkey.url,
            "RETINUE_CACHE_URL": re.sub(r"/0$", "/1", valkey.url),
            "RETINUE_SECRET_KEY": "a secret of this test, which nobody else knows",
            "RETINUE_ADMIN_EMAIL": ADMIN,
            "RETINUE_ADMIN_PASSWORD": PASSWORD,
            "RETINUE_JOB_LEASE_SECONDS": "6",
            "RETINUE_JOB_SENT_SECONDS": "6",
            "RETINUE_LOG_LEVEL": "warning",
            "COLUMNS": "400",
        }
        nodes = [_api(folder, n, environment, builtin) for n in range(apis)]
        hands = [
            Node(f"worker-{n}", ("worker", "--slots", "1"), "takes", folder / f"worker-{n}", environment, builtin)
            for n in range(workers)
        ]
        built = Cluster(postgres, valkey, s3, nodes, hands, environment)
        try:
            built.run("migrate")
            for node in (*nodes, *hands):
                node.begin()
            for node in (*nodes, *hands):
                node.wait()
            yield built
        finally:
            for node in (*nodes, *hands):
                node.close()


def _api(folder: Path, number: int, environment: dict[str, str], builtin: Path) -> Node:
    name, port = f"api-{number}", free_port()
    command = ("api", "--port", str(port))
    return Node(name, command, "serves on", folder / name, environment, builtin, address=f"http://127.0.0.1:{port}")
