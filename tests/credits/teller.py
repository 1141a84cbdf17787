"""A bank teller as a process of its own: random operations on everybody's accounts, and at the end what was moved.

python -m tests.credits.teller DATABASE_URL SEED OPERATIONS
"""

import json
import random
import sys
from collections import Counter
from datetime import timedelta

import sqlalchemy as sa

from retinue.base.database import Database, Transaction
from retinue.credits import ledger
from retinue.credits.ledger import ChargedAlready, ChargeTooLarge, HoldResolved, NotEnoughCredits, RefundTooLarge
from retinue.credits.tables import Account, Entry, OpenHold

REFUSALS = (ChargedAlready, ChargeTooLarge, HoldResolved, NotEnoughCredits, RefundTooLarge)


class Teller:
    def __init__(self, database: Database, seed: int) -> None:
        self.database = database
        self.chance = random.Random(seed)
        self.users = database.read_now(lambda now: [row.user_id for row in now.rows(sa.select(Account.user_id))])
        self.moved: Counter[str] = Counter()

    def work(self, operations: int) -> None:
        kinds = [self.topup, self.adjust, self.refund, self.live, self.hold, self.charge, self.close]
        for _ in range(operations):
            try:
                self.chance.choice(kinds)()
                self.moved["done"] += 1
            except REFUSALS:
                self.moved["refused"] += 1

    def topup(self) -> None:
        user, amount = self.chance.choice(self.users), self.chance.randint(1, 500)
        self.database.write_now(lambda now: ledger.topup(now, user, amount))
        self.moved["granted"] += amount

    def adjust(self) -> None:
        user, amount = self.chance.choice(self.users), -self.chance.randint(1, 100)
        self.database.write_now(lambda now: ledger.adjust(now, user, amount, actor="admin", reason="test"))
        self.moved["granted"] += amount

    def live(self) -> None:
        """Two transactions, as a live request has them."""
        user, price = self.chance.choice(self.users), self.chance.randint(1, 300)
        held = self.database.write_now(
            lambda now: ledger.hold(
                now, user, price, operation="predict", operation_id="p", expires_at=now.time + timedelta(seconds=60)
            )
        )
        self.database.write_now(lambda now: ledger.settle(now, held, price))
        self.moved["earned"] += price

    def hold(self) -> None:
        user, amount = self.chance.choice(self.users), self.chance.randint(1, 1_000)
        self.database.write_now(
            lambda now: ledger.hold(now, user, amount, operation="job", operation_id="j", expires_at=None)
        )

    def charge(self) -> None:
        hold, amount, part = self._some_hold(), self.chance.randint(1, 300), str(self.chance.randint(0, 3))
        if hold is not None:
            self.database.write_now(lambda now: ledger.charge(now, hold, amount, part=part))
            self.moved["earned"] += amount

    def close(self) -> None:
        if (hold := self._some_hold()) is not None:
            self.database.write_now(lambda now: ledger.close(now, hold))

    def refund(self) -> None:
        charges = sa.select(Entry.id).where(Entry.kind == "charge").order_by(Entry.id.desc()).limit(20)
        found = self.database.read_now(lambda now: [row.id for row in now.rows(charges)])
        if found:
            charge, amount = self.chance.choice(found), self.chance.randint(1, 100)
            self.database.write_now(lambda now: ledger.refund(now, charge, amount, actor="admin", reason="test"))
            self.moved["earned"] -= amount

    def _some_hold(self) -> str | None:
        """Anybody's: another teller may be faster."""

        def look(now: Transaction) -> list[str]:
            wanted = sa.select(OpenHold.id).where(OpenHold.expires_at.is_(None)).order_by(OpenHold.id.desc()).limit(10)
            return [row.id for row in now.rows(wanted)]

        found = self.database.read_now(look)
        return self.chance.choice(found) if found else None


def main(url: str, seed: str, operations: str) -> None:
    database = Database(url, readers=1)
    teller = Teller(database, int(seed))
    teller.work(int(operations))
    database.close()
    print(json.dumps(teller.moved))


if __name__ == "__main__":
    main(*sys.argv[1:])
