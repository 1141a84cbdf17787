"""Thirty seconds of kill -9, pauses longer than a lease, brokers that forget and databases that are killed; then the
books. What is done and to whom follows from a seed.

The negative control runs the same with the fence taken away, and must be caught.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from retinue.base import migrating
from retinue.base.database import Database, Transaction
from retinue.credits.tables import Entry
from retinue.credits.verifying import verify
from retinue.jobs.settling import abort
from retinue.jobs.tables import Chunk, Job
from retinue.jobs.verifying import charges_match_chunks, holds_match_jobs, sums_match_chunks
from tests.credits.people import a_user
from tests.jobs.works import a_job
from tests.servers.postgres import OwnPostgres
from tests.servers.processes import kill, start_on_leash
from tests.servers.valkey import OwnValkey

CHECKOUT = Path(__file__).parents[2]
SECONDS = float(os.environ.get("RETINUE_CHAOS_SECONDS", "30"))
LABOURERS, JOBS, CHUNKS = 3, 6, 120
PATIENCE_S = 240


class Yard:
    """Labourers on one database and one broker."""

    def __init__(
        self,
        folder: Path,
        database_url: str,
        valkey: OwnValkey,
        *,
        fenced: bool = True,
        postgres: OwnPostgres | None = None,
    ) -> None:
        self.folder, self.url, self.valkey, self.fenced, self.postgres = folder, database_url, valkey, fenced, postgres
        self.running: list[subprocess.Popen[bytes]] = []
        self.started = self.restarted = 0

    def start(self) -> None:
        self.started += 1
        command = [sys.executable, "-m", "tests.jobs.labourer", self.url, self.valkey.url, str(self.folder / "files")]
        command += [str(self.started), *([] if self.fenced else ["--without-fence"])]
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
        log = self.folder / f"labourer-{self.started}.log"
        self.running.append(start_on_leash(command, folder=CHECKOUT, log=log, environment=environment))  # type: ignore[arg-type]

    def kill_one(self, chance: random.Random) -> None:
        victim = self.running.pop(chance.randrange(len(self.running)))
        kill(victim)
        self.start()

    def pause_one(self, chance: random.Random) -> None:
        """For longer than its leases live, then it wakes and believes that nothing happened."""
        sleeper = chance.choice(self.running)
        os.killpg(sleeper.pid, signal.SIGSTOP)
        time.sleep(2.5)
        os.killpg(sleeper.pid, signal.SIGCONT)

    def flush(self, _chance: random.Random) -> None:
        self.valkey.flush()

    def restart_broker(self, _chance: random.Random) -> None:
        self.valkey.kill()
        self.valkey.start()

    def restart_database(self, _chance: random.Random) -> None:
        """In the middle of everybody's transactions."""
        assert self.postgres is not None, "only a server of the test's own"
        self.postgres.kill()
        self.postgres.start()
        self.restarted += 1

    def deeds(self) -> list[Callable[[random.Random], None]]:
        usual = [self.kill_one, self.kill_one, self.pause_one, self.flush, self.restart_broker]
        return [*usual, self.restart_database] if self.postgres else usual

    def close(self) -> None:
        for process in self.running:
            kill(process)


def open_jobs(now: Transaction) -> int:
    return now.value(sa.select(sa.func.count()).where(Job.state.in_(("planning", "ready", "running", "aborting")))) or 0


def what_is_wrong(now: Transaction) -> list[str]:
    """Empty when every job is over, and every done chunk is paid for exactly once."""
    wrong = [
        f"{one.rule} {one.about}: {one.words}"
        for one in verify(now, more=(charges_match_chunks, holds_match_jobs, sums_match_chunks))
    ]
    if left := open_jobs(now):
        wrong.append(f"{left} jobs never ended")
    charges = now.value(sa.select(sa.func.count()).where(Entry.kind == "charge"))
    done = now.value(sa.select(sa.func.count()).where(Chunk.state == "done"))
    if charges != done:
        wrong.append(f"{charges} charges for {done} done chunks")
    return wrong


def live_through(
    yard: Yard, database: Database, *, seed: int, seconds: float, patience_s: float = PATIENCE_S
) -> list[str]:
    chance = random.Random(seed)
    users = [database.write_now(lambda now: a_user(now, 100_000_000)) for _ in range(3)]
    jobs = [
        database.write_now(lambda now, user=user: a_job(now, user, chunks=CHUNKS))
        for user in users
        for _ in range(JOBS // 3)
    ]
    for _ in range(LABOURERS):
        yard.start()
    end = time.monotonic() + seconds
    deeds = yard.deeds()
    for number, deed in enumerate(_as_chance_wills(deeds, chance)):
        if number >= len(deeds) and time.monotonic() > end:
            break
        time.sleep(chance.uniform(0.3, 1.2))
        deed(chance)
        if open_jobs_now(database) < 3:
            user = chance.choice(users)
            jobs.append(database.write_now(lambda now, user=user: a_job(now, user, chunks=CHUNKS)))
        if chance.random() < 0.1:
            victim = chance.choice(jobs)
            database.write_now(lambda now, one=victim: abort(now, one))
    deadline = time.monotonic() + patience_s
    while open_jobs_now(database) and time.monotonic() < deadline:
        time.sleep(0.2)
    return database.read_now(what_is_wrong)


def _as_chance_wills(deeds: list[Callable[[random.Random], None]], chance: random.Random) -> Iterator[Any]:
    """Each of them once, then whichever: a slow machine has time for few."""
    yield from chance.sample(deeds, len(deeds))
    while True:
        yield chance.choice(deeds)


def open_jobs_now(database: Database) -> int:
    return database.read_now(open_jobs)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [7])
def test_nothing_is_lost_and_nothing_is_paid_twice(
    tmp_path: Path, database_url: str, database: Database, own_valkey_server: OwnValkey, seed: int
) -> None:
    yard = Yard(tmp_path, database_url, own_valkey_server)
    try:
        assert live_through(yard, database, seed=seed, seconds=SECONDS) == []
        assert yard.started > LABOURERS
    finally:
        yard.close()


@pytest.mark.slow
def test_nor_where_the_database_is_killed_too(
    tmp_path: Path, own_postgres_server: OwnPostgres, own_valkey_server: OwnValkey
) -> None:
    database = Database(own_postgres_server.url)
    yard = Yard(tmp_path, own_postgres_server.url, own_valkey_server, postgres=own_postgres_server)
    try:
        migrating.upgrade(database)
        assert live_through(yard, database, seed=11, seconds=SECONDS, patience_s=2 * PATIENCE_S) == []
        assert yard.restarted
    finally:
        yard.close()
        database.close()


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_without_the_fence_the_same_is_caught(
    tmp_path: Path, database_url: str, database: Database, own_valkey_server: OwnValkey
) -> None:
    yard = Yard(tmp_path, database_url, own_valkey_server, fenced=False)
    try:
        rounds = (live_through(yard, database, seed=seed, seconds=15, patience_s=15) for seed in (7, 8, 9))
        assert any(rounds)  # on a slow machine one of them may be lucky
    finally:
        yard.close()
