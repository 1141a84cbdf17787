"""What people read of the ledger: a user's statement, and sums for the admin."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from retinue.base.database import Transaction
from retinue.base.ids import first_id_at
from retinue.base.paging import Asked
from retinue.credits.tables import Entry, OpenHold

Kind = Literal["topup", "hold", "charge", "release", "refund", "adjust"]
Status = Literal["held", "done", "partly_refunded", "refunded"]
GroupBy = Literal["user", "day", "operation"]
LIST = "transactions"


@dataclass(frozen=True, slots=True)
class Told:
    """An entry, and what has become of it since."""

    entry: Entry
    status: Status


@dataclass(frozen=True, slots=True)
class Sums:
    """Of one user, day or operation; in hundredths."""

    key: str
    charged: int
    refunded: int
    topped_up: int
    adjusted: int
    entries: int


def statement(
    now: Transaction, user_id: str, page: Asked, *, kinds: Sequence[Kind] = ()
) -> tuple[list[Told], str | None]:
    """Latest first."""
    wanted = sa.select(Entry).where(Entry.user_id == user_id)
    if kinds:
        wanted = wanted.where(Entry.kind.in_(kinds))
    if (after := page.after(int, of=LIST)) is not None:
        wanted = wanted.where(Entry.number < after[0])
    found = now.all(wanted.order_by(Entry.number.desc()).limit(page.limit + 1))
    entries, next_cursor = page.cut(found, lambda entry: (entry.number,), of=LIST)
    return _told(now, entries), next_cursor


def everybodys(
    now: Transaction, page: Asked, *, since: datetime | None = None, until: datetime | None = None
) -> tuple[list[Told], str | None]:
    """Latest first."""
    wanted = _within(sa.select(Entry), since, until)
    entries, next_cursor = page.newest_first(now, wanted, Entry.id, of="all-transactions")
    return _told(now, entries), next_cursor


def entry_told(now: Transaction, entry_id: str) -> Told:
    return _told(now, now.all(sa.select(Entry).where(Entry.id == entry_id)))[0]


def entries_of_hold(now: Transaction, hold_id: str) -> list[Told]:
    """The whole story of a hold, oldest first: what a receipt shows."""
    user = now.value(sa.select(Entry.user_id).where(Entry.id == hold_id))
    if user is None:
        return []
    kinds = (Entry.kind == "charge", Entry.kind == "release")  # apart, so that each finds its own partial index
    found = [now.all(sa.select(Entry).where(Entry.hold_id == hold_id, kind)) for kind in kinds]
    held = now.all(sa.select(Entry).where(Entry.id == hold_id))
    refunds = now.all(
        sa.select(Entry).where(Entry.charge_id.in_([entry.id for entry in found[0]]), Entry.kind == "refund")
    )
    return _told(now, sorted([*held, *found[0], *found[1], *refunds], key=lambda entry: entry.number))


def sums(
    now: Transaction, *, group_by: GroupBy, since: datetime | None = None, until: datetime | None = None
) -> list[Sums]:
    """Of everybody, for a page of the admin's."""
    key = {"user": Entry.user_id, "operation": Entry.operation, "day": _day(now)}[group_by]
    wanted = sa.select(
        key.label("key"),
        _total("charge").label("charged"),
        _total("refund").label("refunded"),
        _total("topup").label("topped_up"),
        _total("adjust").label("adjusted"),
        sa.func.count().label("entries"),
    )
    rows = now.rows(_within(wanted, since, until).group_by(sa.text("1")).order_by(sa.text("1")))
    return [
        Sums(row.key, int(row.charged), int(row.refunded), int(row.topped_up), int(row.adjusted), row.entries)
        for row in rows
    ]


def _told(now: Transaction, entries: Sequence[Entry]) -> list[Told]:
    holds = [entry.id for entry in entries if entry.kind == "hold"]
    charges = [entry.id for entry in entries if entry.kind == "charge"]
    still_open = {row.id for row in now.rows(sa.select(OpenHold.id).where(OpenHold.id.in_(holds)))} if holds else set()
    refunded = _refunded(now, charges) if charges else {}
    return [Told(entry, _status(entry, entry.id in still_open, refunded.get(entry.id, 0))) for entry in entries]


def _refunded(now: Transaction, charges: Sequence[str]) -> dict[str, int]:
    rows = now.rows(
        sa.select(Entry.charge_id, sa.func.sum(Entry.amount).label("amount"))
        .where(Entry.charge_id.in_(charges), Entry.kind == "refund")
        .group_by(Entry.charge_id)
    )
    return {row.charge_id: int(row.amount) for row in rows}


def _status(entry: Entry, is_open: bool, refunded: int) -> Status:
    if is_open:
        return "held"
    if refunded:
        return "refunded" if refunded == entry.amount else "partly_refunded"
    return "done"


def _within(wanted: sa.Select[Any], since: datetime | None, until: datetime | None) -> Any:
    """Ids begin with their time, so a range of time is a range of the primary key."""
    if since is not None:
        wanted = wanted.where(Entry.id >= first_id_at(since))
    return wanted if until is None else wanted.where(Entry.id < first_id_at(until))


def _total(kind: Kind) -> Any:
    return sa.func.coalesce(sa.func.sum(sa.case((Entry.kind == kind, Entry.amount))), 0)


def _day(now: Transaction) -> Any:
    if now.connection.dialect.name == "sqlite":  # whole microseconds since 1970
        return sa.literal_column("date(credit_entries.created_at / 1000000, 'unixepoch')")
    return sa.literal_column("to_char(credit_entries.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')")
