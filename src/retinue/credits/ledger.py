"""How credits move: hold, charge, close, and the entry that each of them leaves.

Everything here is a plain function of a transaction, in integers of hundredths. Whoever moves credits locks the open
hold first, then the account: the same order everywhere.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from retinue.base.database import Transaction
from retinue.base.errors import Conflict, Invalid, NotFound, PaymentNeeded
from retinue.base.ids import new_id
from retinue.base.prepared import Prepared
from retinue.credits.shapes import as_credits
from retinue.credits.tables import MOST, Account, Entry, OpenHold

# What one hundredth of each kind does to (balance, held). The other side of every entry is the house: it grants what
# is topped up and adjusted, and earns what is charged and not refunded. The house's side is computed from the entries:
# as a row of its own every request of every user would wait for it.
EFFECTS = {
    "topup": (+1, 0),
    "hold": (0, +1),
    "charge": (-1, -1),
    "release": (0, -1),
    "refund": (+1, 0),
    "adjust": (+1, 0),
}
HOUSE = "house"
LIVE_GRACE = timedelta(seconds=30)  # a live request's hold lives this much longer than its deadline


class NotEnoughCredits(PaymentNeeded):
    code = "not-enough-credits"
    title = "Not enough credits"

    def __init__(self, *, needed: int, available: int) -> None:
        super().__init__(
            f"This needs {as_credits(needed):.2f} credits; {as_credits(available):.2f} are available",
            needed=as_credits(needed),
            available=as_credits(available),
        )


class HoldResolved(Conflict):
    code = "hold-resolved"
    title = "These held credits are already settled or released"


class ChargedAlready(Conflict):
    code = "charged-already"
    title = "This part is already charged"


class ChargeTooLarge(Conflict):
    code = "charge-too-large"
    title = "This is more than was held"


class RefundTooLarge(Conflict):
    code = "refund-too-large"
    title = "This is more than is left of the charge"


class TooManyCredits(Invalid):
    code = "too-many-credits"
    title = "An account cannot hold that many credits"


class NoSuchEntry(NotFound):
    code = "no-such-entry"
    title = "There is no such entry in the ledger"


@dataclass(frozen=True, slots=True)
class Balance:
    balance: int
    held: int

    @property
    def available(self) -> int:
        return self.balance - self.held


@dataclass(frozen=True, slots=True)
class Hold:
    id: str
    user_id: str
    amount: int
    operation: str
    operation_id: str
    expires_at: datetime | None


def open_account(now: Transaction, user_id: str) -> None:
    now.insert(Account, {"user_id": user_id, "balance": 0, "held": 0, "entries": 0})


def balance(now: Transaction, user_id: str) -> Balance:
    row = now.row(_BALANCE, {"user": user_id})
    if row is None:
        raise NoSuchEntry("This user has no credit account")
    return Balance(row.balance, row.held)


def hold(
    now: Transaction,
    user_id: str,
    amount: int,
    *,
    operation: str,
    operation_id: str,
    expires_at: datetime | None,
) -> Hold:
    """Set the price aside before the work. `expires_at` is for live requests; a job's hold ends when it is settled."""
    _must_not_be_negative(amount)
    new = Hold(new_id(now.time), user_id, amount, operation, operation_id, expires_at)
    _post(now, user_id, _step("hold", amount, hold=new, id=new.id))
    now.insert(
        OpenHold,
        {
            "id": new.id,
            "user_id": user_id,
            "left": amount,
            "operation": operation,
            "operation_id": operation_id,
            "expires_at": expires_at,
        },
    )
    return new


def settle(now: Transaction, held: Hold, amount: int, *, description: str = "") -> str:
    """The end of a live request, in one go: charge, release the rest. Gives the id of the charge."""
    _must_not_be_negative(amount)
    row = now.row(_RESOLVE, {"hold": held.id})
    if row is None:
        raise _resolved(now, held.id)
    if amount > row.left:
        raise ChargeTooLarge(f"{as_credits(amount):.2f} of {as_credits(row.left):.2f} held credits")
    charged, _ = _post(
        now,
        held.user_id,
        _step("charge", amount, hold=held, description=description),
        _step("release", row.left - amount, hold=held),
    )
    return charged


def charge(now: Transaction, hold_id: str, amount: int, *, part: str = "", description: str = "") -> str:
    """Take from the hold, once per part (a job's chunk), and leave it open. Gives the id of the charge."""
    _must_not_be_negative(amount)
    row = now.row(_TAKE, {"hold": hold_id, "amount": amount})
    if row is None:
        left = now.value(sa.select(OpenHold.left).where(OpenHold.id == hold_id))
        if left is None:
            raise _resolved(now, hold_id)
        raise ChargeTooLarge(f"{as_credits(amount):.2f} of {as_credits(left):.2f} held credits")
    try:
        (charged,) = _post(now, row.user_id, _step("charge", amount, hold=row, part=part, description=description))
    except sa.exc.IntegrityError as twice:
        raise ChargedAlready(f"Part {part!r} of this hold is already charged") from twice
    return charged


def close(now: Transaction, hold_id: str, *, because: str = "", actor: str = "") -> int:
    """Give back what was not charged. Of many closers one wins; the others get `HoldResolved`."""
    row = now.row(_RESOLVE, {"hold": hold_id})
    if row is None:
        raise _resolved(now, hold_id)
    _post(now, row.user_id, _step("release", row.left, hold=row, description=because, actor=actor))
    return int(row.left)


def expired_holds(now: Transaction, *, at_most: int = 200) -> list[str]:
    found = sa.select(OpenHold.id).where(OpenHold.expires_at <= now.time).order_by(OpenHold.expires_at).limit(at_most)
    return [row.id for row in now.rows(found)]


def expire(now: Transaction, hold_id: str) -> int | None:
    """Release a live hold whose time is over; None where somebody was faster. Each in a transaction of its own."""
    row = now.row(_RESOLVE_EXPIRED, {"hold": hold_id, "time": now.time})
    if row is None:
        return None
    _post(now, row.user_id, _step("release", row.left, hold=row, description="expired", actor=HOUSE))
    return int(row.left)


def topup(now: Transaction, user_id: str, amount: int, *, actor: str = HOUSE, reason: str = "") -> str:
    _must_be_positive(amount)
    (entry,) = _post(now, user_id, _step("topup", amount, operation="topup", actor=actor, description=reason))
    return entry


def adjust(now: Transaction, user_id: str, amount: int, *, actor: str, reason: str) -> str:
    """Mend by another entry, up or down; never below what is held."""
    if amount == 0:
        raise Invalid("An adjustment of nothing is no adjustment")
    (entry,) = _post(now, user_id, _step("adjust", amount, operation="adjust", actor=actor, description=reason))
    return entry


def refundable(now: Transaction, charge_id: str) -> int:
    """What is left of a charge to give back."""
    return _charge(now, charge_id).amount - int(now.execute(_REFUNDED, {"charge": charge_id}).scalar_one())


def refund(now: Transaction, charge_id: str, amount: int, *, actor: str, reason: str) -> str:
    """Give back a charge or a part of it; all refunds of a charge together never exceed it."""
    _must_be_positive(amount)
    charged = _charge(now, charge_id)
    step = _step("refund", amount, hold=charged, charge_id=charge_id, actor=actor, description=reason)
    (entry,) = _post(now, charged.user_id, step)  # from here on the account is locked: two refunds cannot both see room
    given_back = now.execute(_REFUNDED, {"charge": charge_id}).scalar_one()
    if given_back > charged.amount:
        left = charged.amount - (given_back - amount)
        raise RefundTooLarge(f"{as_credits(left):.2f} of this charge are left to refund", left=as_credits(left))
    return entry


_BALANCE = Prepared(sa.select(Account.balance, Account.held).where(Account.user_id == sa.bindparam("user")))
_MOVE = Prepared(
    sa.update(Account)
    .where(
        Account.user_id == sa.bindparam("user"),
        Account.balance - Account.held + sa.bindparam("balance_by") - sa.bindparam("held_by") >= 0,
        Account.balance + sa.bindparam("balance_by") <= MOST,
    )
    .values(
        balance=Account.balance + sa.bindparam("balance_by"),
        held=Account.held + sa.bindparam("held_by"),
        entries=Account.entries + sa.bindparam("count"),
    )
    .returning(Account.balance, Account.held, Account.entries)
)
_WHOSE = (OpenHold.id, OpenHold.user_id, OpenHold.left, OpenHold.operation, OpenHold.operation_id)
_TAKE = Prepared(
    sa.update(OpenHold)
    .where(OpenHold.id == sa.bindparam("hold"), OpenHold.left >= sa.bindparam("amount"))
    .values(left=OpenHold.left - sa.bindparam("amount"))
    .returning(*_WHOSE)
)
_RESOLVING = sa.delete(OpenHold).where(OpenHold.id == sa.bindparam("hold")).returning(*_WHOSE)
_RESOLVE = Prepared(_RESOLVING)
_RESOLVE_EXPIRED = Prepared(
    _RESOLVING.where(OpenHold.expires_at <= sa.bindparam("time", type_=OpenHold.expires_at.type))
)
_REFUNDED = sa.select(sa.func.coalesce(sa.func.sum(Entry.amount), 0)).where(
    Entry.charge_id == sa.bindparam("charge"), Entry.kind == "refund"
)


def _post(now: Transaction, user_id: str, *steps: dict[str, Any]) -> list[str]:
    """The only place where credits move: the account in one guarded step, then the entries that tell of it."""
    balance_by = sum(EFFECTS[step["kind"]][0] * step["amount"] for step in steps)
    held_by = sum(EFFECTS[step["kind"]][1] * step["amount"] for step in steps)
    after = now.row(_MOVE, {"user": user_id, "balance_by": balance_by, "held_by": held_by, "count": len(steps)})
    if after is None:
        raise _refusal(now, user_id, balance_by=balance_by, held_by=held_by)
    in_account, in_holds, number = after.balance - balance_by, after.held - held_by, after.entries - len(steps)
    for step in steps:
        on_balance, on_held = EFFECTS[step["kind"]]
        step["user_id"], step["created_at"] = user_id, now.time
        step["id"] = step["id"] or new_id(now.time)
        step["actor"] = step["actor"] or user_id
        step["balance_before"], step["held_before"] = in_account, in_holds
        in_account += on_balance * step["amount"]
        in_holds += on_held * step["amount"]
        number += 1
        step["balance_after"], step["held_after"], step["number"] = in_account, in_holds, number
    now.insert(Entry, steps)
    return [step["id"] for step in steps]


def _step(
    kind: str,
    amount: int,
    *,
    hold: Hold | Entry | Any | None = None,
    id: str = "",  # noqa: A002 the column's name
    operation: str = "",
    part: str = "",
    charge_id: str | None = None,
    actor: str = "",
    description: str = "",
) -> dict[str, Any]:
    """One entry to be; with a hold it belongs to the hold's operation."""
    return {
        "id": id,
        "kind": kind,
        "amount": amount,
        "operation": hold.operation if hold is not None else operation,
        "operation_id": hold.operation_id if hold is not None else "",
        "hold_id": (hold.hold_id if isinstance(hold, Entry) else hold.id) if hold is not None else None,
        "part": part,
        "charge_id": charge_id,
        "actor": actor,
        "description": description,
    }


def _charge(now: Transaction, charge_id: str) -> Entry:
    charged = now.first(sa.select(Entry).where(Entry.id == charge_id, Entry.kind == "charge"))
    if charged is None:
        raise NoSuchEntry("There is no charge with this id")
    return charged


def _refusal(now: Transaction, user_id: str, *, balance_by: int, held_by: int) -> Exception:
    has = balance(now, user_id)
    if has.balance + balance_by > MOST:
        return TooManyCredits(f"{as_credits(MOST):.2f} is the most")
    return NotEnoughCredits(needed=held_by - balance_by, available=has.available)


def _resolved(now: Transaction, hold_id: str) -> Exception:
    """What the loser reads: the closing entry of whoever was first."""
    release = now.first(sa.select(Entry).where(Entry.hold_id == hold_id, Entry.kind == "release"))
    if release is None:
        return NoSuchEntry("There is no hold with this id")
    return HoldResolved(resolved_at=release.created_at.isoformat(), because=release.description)


def _must_not_be_negative(amount: int) -> None:
    if amount < 0:
        raise Invalid("An amount cannot be negative")


def _must_be_positive(amount: int) -> None:
    if amount <= 0:
        raise Invalid("An amount must be more than nothing")
