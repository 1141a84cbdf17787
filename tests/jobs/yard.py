"""A house whose processes are real and may be killed: prepared here, then run by `retinue up`, `api` and `worker`."""

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from retinue import assembly
from retinue.accounts.credentials import Hasher
from retinue.base.database import Database
from retinue.base.settings import Settings
from retinue.credits import ledger
from retinue.credits.verifying import Violation, verify
from tests.accounts.people import Person, add_person
from tests.jobs.datasets import Picture, a_dataset
from tests.servers.processes import kill, start_on_leash, stop, wait_until

LEASE_S = 1.5
SENT_S = 2.0


@dataclass
class Node:
    """One process. `address` where it serves."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path
    address: str = ""

    def has_died(self) -> bool:
        return self.process.poll() is not None

    def kill(self) -> None:
        kill(self.process)

    def stop(self) -> int:
        stop(self.process, patience_s=60)
        return int(self.process.returncode)


@dataclass
class Yard:
    folder: Path
    database_url: str
    builtin: Path
    broker_url: str = ""
    lease_s: float = LEASE_S
    sent_s: float = SENT_S
    nodes: list[Node] = field(default_factory=list)

    def settings(self) -> Settings:
        shelf = self.folder / "data" / "models"
        if not shelf.exists():
            shelf.mkdir(parents=True)
            (shelf / "builtin").symlink_to(self.builtin)
        return Settings(
            data_dir=self.folder / "data",
            database_url=self.database_url,
            broker_url=self.broker_url,
            job_lease_seconds=self.lease_s,
            job_sent_seconds=self.sent_s,
        )

    async def person(self, email: str, pictures: Sequence[Picture], *, credits_: int = 10_000_000) -> Person:
        """Somebody rich with a dataset; signed in for ten minutes on every node."""
        house = assembly.open_house(self.settings(), hasher=Hasher(memory_kib=8, passes=1))
        try:
            assembly.prepare(house)
            person = add_person(house, httpx2.AsyncClient(), email)
            house.database.write_now(lambda now: ledger.topup(now, person.user.id, credits_))
            await a_dataset(house, person, pictures)
        finally:
            house.close()
        return person

    def start(self, command: str, *more: str, failpoints: str = "") -> Node:
        """`up`, `api` or `worker`; ready when this returns."""
        name = f"{command}-{len(self.nodes)}"
        log = self.folder / f"{name}.log"
        settings = self.settings()
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("RETINUE_")},
            "RETINUE_DATA_DIR": str(settings.data_dir),
            "RETINUE_DATABASE_URL": self.database_url,
            "RETINUE_BROKER_URL": self.broker_url,
            "RETINUE_JOB_LEASE_SECONDS": str(self.lease_s),
            "RETINUE_JOB_SENT_SECONDS": str(self.sent_s),
            "RETINUE_FAILPOINTS": failpoints,
            "RETINUE_LOG_LEVEL": "warning",
            "COLUMNS": "400",
        }
        port = () if command == "worker" else ("--port", "0")
        process = start_on_leash(
            [sys.executable, "-m", "retinue.cli.main", command, *port, *more],
            folder=self.folder,
            log=log,
            environment=environment,
        )
        node = Node(name, process, log)
        self.nodes.append(node)
        sign = "takes" if command == "worker" else "serves on"
        wait_until(lambda: sign in log.read_text(), process=process, log=log, name=name, patience_s=240)
        if command != "worker":
            found = re.search(r"serves on (http://\S+)", log.read_text())
            assert found is not None
            node.address = found[1]
        return node

    @contextmanager
    def database(self) -> Iterator[Database]:
        database = Database(self.settings().database)
        try:
            yield database
        finally:
            database.close()

    def violations(self) -> list[Violation]:
        with self.database() as database:
            return database.read_now(lambda now: verify(now, more=assembly.LEDGER_CHECKS.more))

    def close(self) -> None:
        for node in self.nodes:
            if not node.has_died():
                node.kill()


@asynccontextmanager
async def at(node: Node, person: Person, *, patience_s: float = 120) -> AsyncIterator[Person]:
    """The same person, asking that node."""
    async with httpx2.AsyncClient(base_url=node.address, timeout=patience_s) as http:
        yield Person(http, person.user, person.credential)


async def until_dead(node: Node, *, patience_s: float = 120) -> None:
    deadline = time.monotonic() + patience_s
    while not node.has_died():
        assert time.monotonic() < deadline, f"{node.name} lives: {node.log.read_text()[-2000:]}"
        await asyncio.sleep(0.02)
