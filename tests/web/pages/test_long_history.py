"""Every page with a hundred thousand predictions in the database: how much is read, how long it takes, its weight."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bench import growth
from retinue import assembly
from tests.web.pages.browsing import LIGHT_BYTES, Browser, weight_of
from tests.web.pages.screens import a_world

pytestmark = pytest.mark.slow
PREDICTIONS, AT_ONCE = 100_000, 10_000
APART_MS = 6_000  # a week of them: within every window that a page looks back on
# A walk over all of the predictions takes a million steps of SQLite's own machine, a page of them a thousand. Steps are
# counted, so that a crowded machine changes nothing. Times are a figure to read: 50 ms are meant, 5 to 15 usual.
MOST_STEPS = 50_000
CEILING_MS = 250
TIMES = 20


class Steps:
    """How many steps the database's own machine went, in thousands."""

    def __init__(self) -> None:
        self.thousands = 0

    def watch(self, connection: sqlite3.Connection, *_: Any) -> None:
        connection.set_progress_handler(self._one_more, 1000)

    def _one_more(self) -> int:
        self.thousands += 1
        return 0


@contextmanager
def counted() -> Iterator[Steps]:
    steps = Steps()
    sa.event.listen(sa.Pool, "checkout", steps.watch)
    try:
        yield steps
    finally:
        sa.event.remove(sa.Pool, "checkout", steps.watch)


def grow(house: assembly.House, user_id: str) -> None:
    began = house.clock.now() - timedelta(milliseconds=APART_MS * PREDICTIONS)
    for before in range(0, PREDICTIONS, AT_ONCE):
        house.database.write_now(
            lambda now, before=before: growth.add(now, user_id, AT_ONCE, before, begins=began, ms=APART_MS)  # type: ignore[misc]
        )


async def test_pages_stay_quick_and_light(house: assembly.House, admin: Browser) -> None:
    """Processor time of server and test together, so that waiting for others is not counted; the bound is loose."""
    addresses = await a_world(house, admin)
    grow(house, admin.user.id)
    weights, far, took_ms = {}, {}, {}
    with counted() as steps:
        for path, address in addresses.items():
            weights[path] = await weight_of(admin.http, (await admin.get(address)).text)
            steps.thousands, times = 0, []
            for _ in range(TIMES):
                began = time.process_time()
                assert (await admin.get(address)).status_code == 200
                times.append((time.process_time() - began) * 1000)
            far[path], took_ms[path] = steps.thousands * 1000 // TIMES, sorted(times)[int(TIMES * 0.95) - 1]
    print("".join(f"{path}: {far[path]} steps, p95 {took_ms[path]:.1f} ms\n" for path in addresses))
    assert {path: weight for path, weight in weights.items() if weight > LIGHT_BYTES} == {}
    assert {path: steps for path, steps in far.items() if steps > MOST_STEPS} == {}
    assert {path: ms for path, ms in took_ms.items() if ms > CEILING_MS} == {}
