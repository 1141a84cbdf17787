"""Many processes and threads on the same accounts: the sum is right in every single read, and each hold ends once."""

import json
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from retinue.base.clock import SetClock
from retinue.base.database import Database, Transaction
from retinue.credits import ledger
from retinue.credits.ledger import Hold, HoldResolved
from retinue.credits.tables import Entry
from retinue.credits.verifying import verify

Somebody = Callable[..., str]
CHECKOUT = Path(__file__).parents[2]
TELLERS = 8


class TestABank:
    """Eight processes, ten accounts. The total is read while they work."""

    def test_is_exact_in_every_read(self, database: Database, database_url: str, somebody: Somebody) -> None:
        self._open(database, database_url, somebody, operations=60)

    @pytest.mark.slow
    def test_is_exact_in_every_read_for_long(self, database: Database, database_url: str, somebody: Somebody) -> None:
        self._open(database, database_url, somebody, operations=1_000)

    def _open(self, database: Database, url: str, somebody: Somebody, *, operations: int) -> None:
        for _ in range(10):
            somebody(10_00)
        seed = random.randrange(10**6)
        print(f"seed {seed}")
        tellers = [self._teller(url, seed + n, operations) for n in range(TELLERS)]
        reads = 0
        while any(teller.poll() is None for teller in tellers):
            # The tellers' clocks are the real ones; this one stands still, so no hold can look overdue.
            assert database.read_now(verify) == []
            reads += 1
            with suppress(subprocess.TimeoutExpired):  # leaves the processors to the tellers for a moment
                tellers[0].wait(timeout=0.05)
        moved: Counter[str] = Counter()
        for teller in tellers:
            told, complaints = teller.communicate()
            assert teller.returncode == 0, complaints
            moved.update(json.loads(told))
        assert reads > 0
        assert moved["done"] + moved["refused"] == TELLERS * operations
        assert database.read_now(verify) == []
        assert database.read_now(_granted_and_earned) == (10 * 10_00 + moved["granted"], moved["earned"])

    def _teller(self, url: str, seed: int, operations: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.credits.teller", url, str(seed), str(operations)]
        return subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


class TestAHold:
    HOLDS = 200
    RIVALS = 8

    def test_ends_once_whoever_ends_it(
        self, database: Database, database_url: str, somebody: Somebody, clock: SetClock
    ) -> None:
        user = somebody(self.HOLDS * 1_00)

        def hold_all(now: Transaction) -> list[Hold]:
            return [
                ledger.hold(
                    now, user, 1_00, operation="p", operation_id=str(n), expires_at=now.time + timedelta(seconds=1)
                )
                for n in range(self.HOLDS)
            ]

        holds = database.write_now(hold_all)
        clock.advance(seconds=2)
        together = threading.Barrier(self.RIVALS)

        def rival(number: int) -> Counter[str]:
            own = Database(database_url, clock=clock, readers=1)
            ends = [_settle, _close, _expire]
            seen: Counter[str] = Counter()
            for at, held in enumerate(holds):
                together.wait()
                seen[ends[(number + at) % 3](own, held)] += 1
            own.close()
            return seen

        with ThreadPoolExecutor(self.RIVALS) as pool:
            outcomes = sum(pool.map(rival, range(self.RIVALS)), Counter())
        assert outcomes["lost"] == self.HOLDS * (self.RIVALS - 1)
        assert outcomes["settled"] + outcomes["closed"] + outcomes["expired"] == self.HOLDS
        has = database.read_now(lambda now: ledger.balance(now, user))
        assert (has.balance, has.held) == (self.HOLDS * 1_00 - outcomes["settled"] * 1_00, 0)
        assert database.read_now(verify) == []


def _settle(database: Database, held: Hold) -> str:
    try:
        database.write_now(lambda now: ledger.settle(now, held, 1_00))
    except HoldResolved:
        return "lost"
    return "settled"


def _close(database: Database, held: Hold) -> str:
    try:
        database.write_now(lambda now: ledger.close(now, held.id))
    except HoldResolved:
        return "lost"
    return "closed"


def _expire(database: Database, held: Hold) -> str:
    released = database.write_now(lambda now: ledger.expire(now, held.id))
    return "lost" if released is None else "expired"


def _granted_and_earned(now: Transaction) -> tuple[int, int]:
    rows = now.rows(sa.select(Entry.kind, sa.func.sum(Entry.amount).label("amount")).group_by(Entry.kind))
    by_kind = Counter({row.kind: int(row.amount) for row in rows})
    return by_kind["topup"] + by_kind["adjust"], by_kind["charge"] - by_kind["refund"]
