"""Senders that are killed again and again with messages under way: every message comes, and always as the same one."""

import asyncio
import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from retinue.base.database import Database, Transaction
from retinue.webhooks import events
from retinue.webhooks.tables import OPEN, Delivery
from tests.credits.people import a_user
from tests.servers.processes import kill, start_on_leash
from tests.webhooks.receiver import Receiver

MESSAGES = int(os.environ.get("RETINUE_WEBHOOK_MESSAGES", "30"))
CHECKOUT = Path(__file__).parents[2]
PATIENCE_S = 240


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_every_message_comes_however_often_senders_are_killed(
    tmp_path: Path, database_url: str, receiver: Receiver
) -> None:
    database, chance, killed = Database(database_url), random.Random(7), 0
    try:
        ids = database.write_now(lambda now: tell_of_many(now, receiver.url()))
        while killed < MESSAGES // 6 and database.read_now(how_many_wait):
            before = len(receiver.messages)
            with sending(tmp_path, database_url, killed):
                await receiver.until(lambda before=before: len(receiver.messages) > before, patience_s=PATIENCE_S)  # type: ignore[misc]
                await asyncio.sleep(chance.uniform(0, 0.02))
            killed += 1
        with sending(tmp_path, database_url, killed):
            await until_none_waits(database)
        bodies = defaultdict(set)
        for message in receiver.messages:
            bodies[message.id].add(message.body)
        assert {message_id: len(told) for message_id, told in bodies.items()} == dict.fromkeys(ids, 1)
        assert database.read_now(lambda now: now.rows(sa.select(Delivery.state).distinct())) == [("delivered",)]
    finally:
        database.close()


def tell_of_many(now: Transaction, address: str) -> set[str]:
    user_id = a_user(now)
    for number in range(MESSAGES):
        events.tell(now, user_id, "job.completed", {"inference_id": str(number)}, own_address=address)
    return {row.id for row in now.rows(sa.select(Delivery.id))}


def how_many_wait(now: Transaction) -> int:
    return now.value(sa.select(sa.func.count()).where(Delivery.state.in_(OPEN))) or 0


@contextmanager
def sending(folder: Path, database_url: str, before: int) -> Iterator["subprocess.Popen[bytes]"]:
    """One that lives until this is closed, and then dies at whatever line it is."""
    messenger = start_on_leash(
        [sys.executable, "-m", "tests.webhooks.messenger", database_url, str(before)],
        folder=CHECKOUT,
        log=folder / f"messenger-{before}.log",
        environment={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )
    try:
        yield messenger
    finally:
        kill(messenger)


async def until_none_waits(database: Database) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while left := database.read_now(how_many_wait):
        assert time.monotonic() < deadline, f"{left} messages wait"
        await asyncio.sleep(0.05)
