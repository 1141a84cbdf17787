"""Credits, on a server: what an admin may, with a key that was made for it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from retinue.cli.reaching import At
from retinue.client.admin import UserCredits


@dataclass(frozen=True, slots=True)
class There:
    at: At

    def show(self, who: str) -> dict[str, float]:
        with self.at.client() as client:
            return _told(client.admin.users.credits(who))

    def add(self, who: str, amount: Decimal, *, reason: str) -> dict[str, float]:
        with self.at.client() as client:
            return _told(client.admin.users.recharge(who, float(amount), reason=reason))

    def verify(self) -> list[dict[str, Any]]:
        with self.at.client() as client:
            return [one.model_dump() for one in client.admin.verify_ledger().violations]


def _told(has: UserCredits) -> dict[str, float]:
    return {"balance": has.balance, "held": has.held, "available": has.available}
