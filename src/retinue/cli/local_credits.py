"""Credits, straight in the database of this machine's house."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from retinue.accounts.audit import CONSOLE
from retinue.assembly import LEDGER_CHECKS
from retinue.base.database import Database, Transaction
from retinue.base.settings import read_settings
from retinue.credits import ledger
from retinue.credits.admin_routes import recharge, user_id_of
from retinue.credits.shapes import as_credits, as_hundredths
from retinue.credits.verifying import verify as verify_ledger


class Here:
    def show(self, who: str) -> dict[str, float]:
        with _database() as database:
            return _told(database.read_now(lambda now: ledger.balance(now, user_id_of(now, who))))

    def add(self, who: str, amount: Decimal, *, reason: str) -> dict[str, float]:
        def add_and_look(now: Transaction) -> ledger.Balance:
            user_id = user_id_of(now, who)
            recharge(now, user_id, as_hundredths(amount), actor=CONSOLE, reason=reason)
            return ledger.balance(now, user_id)

        with _database() as database:
            return _told(database.write_now(add_and_look))

    def verify(self) -> list[dict[str, Any]]:
        with _database() as database:
            found = database.read_now(lambda now: verify_ledger(now, more=LEDGER_CHECKS.more))
        return [{"rule": one.rule, "about": one.about, "words": one.words} for one in found]


def _told(has: ledger.Balance) -> dict[str, float]:
    return {
        "balance": as_credits(has.balance),
        "held": as_credits(has.held),
        "available": as_credits(has.available),
    }


@contextmanager
def _database() -> Iterator[Database]:
    database = Database(read_settings().database)
    try:
        yield database
    finally:
        database.close()
