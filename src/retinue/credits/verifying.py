"""Whether the books are right: every invariant of this room recomputed from the entries, with words for what is not.

I1 the sides sum to zero · I2 cached balances · I3 cached held · I4 nothing below zero · I5 one release per closed
hold · I6 charges and release make up the hold · I7 refunds within their charge · I10 no hold outlives its deadline ·
I11 nothing was changed or removed · I13 whole amounts of at most 15 digits.
I8, I9 (work ⇔ charge) are checked by the rooms that do the work, through `LedgerChecks`; I12 is a primary key.
"""

# ruff: noqa: S608 the statements are put together from words of this file only

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from retinue.base.database import Transaction
from retinue.base.tables import Instant
from retinue.credits.ledger import EFFECTS
from retinue.credits.shapes import as_credits
from retinue.credits.tables import MOST

PATIENCE = timedelta(seconds=60)  # an expired hold is swept within seconds; after this long nobody sweeps
AT_MOST = 100  # violations told per rule: the first ones explain the rest


@dataclass(frozen=True, slots=True)
class Violation:
    rule: str
    about: str
    words: str


Check = Callable[[Transaction], Iterable[Violation]]


@dataclass(frozen=True)
class LedgerChecks:
    """What other rooms know about their charges; the assembly lists them."""

    more: Sequence[Check] = ()


def verify(now: Transaction, *, more: Sequence[Check] = ()) -> list[Violation]:
    """Empty when every hundredth is where it should be. One snapshot, so it may run while credits move."""
    return [violation for check in (*CHECKS, *more) for violation in check(now)]


def _sides_sum_to_zero(now: Transaction) -> Iterator[Violation]:
    """What users have, what the house granted (negative) and what it earned come to nothing."""
    users = _sum(now, "SELECT SUM(balance) FROM credit_accounts")
    granted = -_sum(now, "SELECT SUM(amount) FROM credit_entries WHERE kind IN ('topup', 'adjust')")
    earned = _sum(
        now,
        "SELECT SUM(CASE kind WHEN 'charge' THEN amount ELSE -amount END)"
        " FROM credit_entries WHERE kind IN ('charge', 'refund')",
    )
    if total := users + granted + earned:
        yield Violation("I1", "ledger", f"The sides sum to {as_credits(total):.2f} instead of zero")


def _accounts_match_entries(now: Transaction) -> Iterator[Violation]:
    for row in _rows(
        now,
        f"SELECT a.user_id, a.balance, a.held, COALESCE(e.balance, 0) AS told_balance, COALESCE(e.held, 0) AS told_held"
        f" FROM credit_accounts a LEFT JOIN (SELECT user_id, SUM({_effect(0)}) AS balance, SUM({_effect(1)}) AS held"
        f" FROM credit_entries GROUP BY user_id) e ON e.user_id = a.user_id"
        f" WHERE a.balance <> COALESCE(e.balance, 0) OR a.held <> COALESCE(e.held, 0)",
    ):
        if row.balance != row.told_balance:
            yield Violation("I2", row.user_id, f"The balance is {row.balance}, the entries make {row.told_balance}")
        if row.held != row.told_held:
            yield Violation("I3", row.user_id, f"{row.held} are held, the entries make {row.told_held}")


def _accounts_match_open_holds(now: Transaction) -> Iterator[Violation]:
    for row in _rows(
        now,
        "SELECT a.user_id, a.held, COALESCE(h.held, 0) AS open FROM credit_accounts a LEFT JOIN"
        ' (SELECT user_id, SUM("left") AS held FROM credit_open_holds GROUP BY user_id) h ON h.user_id = a.user_id'
        " WHERE a.held <> COALESCE(h.held, 0)",
    ):
        yield Violation("I3", row.user_id, f"{row.held} are held, the open holds make {row.open}")


def _nothing_below_zero(now: Transaction) -> Iterator[Violation]:
    for row in _rows(now, "SELECT user_id, balance, held FROM credit_accounts WHERE held < 0 OR balance - held < 0"):
        yield Violation("I4", row.user_id, f"balance {row.balance}, held {row.held}")


def _holds_are_open_or_closed(now: Transaction) -> Iterator[Violation]:
    releases = "(SELECT hold_id, COUNT(*) AS times FROM credit_entries WHERE kind = 'release' GROUP BY hold_id)"
    for row in _rows(
        now,
        "SELECT e.id, o.id AS open, COALESCE(r.times, 0) AS releases FROM credit_entries e"
        f" LEFT JOIN credit_open_holds o ON o.id = e.id LEFT JOIN {releases} r ON r.hold_id = e.id"
        " WHERE e.kind = 'hold' AND COALESCE(r.times, 0) <> CASE WHEN o.id IS NULL THEN 1 ELSE 0 END",
    ):
        state = "closed" if row.open is None else "open"
        yield Violation("I5", row.id, f"This {state} hold has {row.releases} releases")
    for row in _rows(
        now,
        "SELECT e.id, e.kind FROM credit_entries e LEFT JOIN credit_entries h ON h.id = e.hold_id AND h.kind = 'hold'"
        " WHERE e.kind IN ('charge', 'release') AND h.id IS NULL",
    ):
        yield Violation("I5", row.id, f"This {row.kind} belongs to no hold")
    for row in _rows(
        now,
        "SELECT hold_id, part, COUNT(*) AS times FROM credit_entries WHERE kind = 'charge'"
        " GROUP BY hold_id, part HAVING COUNT(*) > 1",
    ):
        yield Violation("I5", row.hold_id, f"Part {row.part!r} was charged {row.times} times")


def _holds_add_up(now: Transaction) -> Iterator[Violation]:
    for row in _rows(
        now,
        'SELECT h.id, h.amount, SUM(e.amount) AS used, MAX(o."left") AS still_open FROM credit_entries h'
        " LEFT JOIN credit_entries e ON e.hold_id = h.id AND e.kind IN ('charge', 'release')"
        " LEFT JOIN credit_open_holds o ON o.id = h.id WHERE h.kind = 'hold' GROUP BY h.id, h.amount"
        ' HAVING h.amount <> COALESCE(SUM(e.amount), 0) + COALESCE(MAX(o."left"), 0)',
    ):
        used, still_open = row.used or 0, row.still_open or 0
        yield Violation("I6", row.id, f"{row.amount} held, {used} charged and released, {still_open} still open")


def _refunds_stay_within_charges(now: Transaction) -> Iterator[Violation]:
    for row in _rows(
        now,
        "SELECT r.charge_id, SUM(r.amount) AS refunded, MAX(c.amount) AS charged FROM credit_entries r"
        " LEFT JOIN credit_entries c ON c.id = r.charge_id AND c.kind = 'charge' WHERE r.kind = 'refund'"
        " GROUP BY r.charge_id HAVING SUM(r.amount) > COALESCE(MAX(c.amount), 0)",
    ):
        yield Violation("I7", str(row.charge_id), f"{row.refunded} refunded of {row.charged or 0} charged")


def _no_hold_is_overdue(now: Transaction) -> Iterator[Violation]:
    overdue = sa.text(
        f"SELECT id, expires_at FROM credit_open_holds WHERE expires_at < :limit ORDER BY expires_at LIMIT {AT_MOST}"
    ).bindparams(sa.bindparam("limit", now.time - PATIENCE, type_=Instant()))
    for row in now.rows(overdue.columns(sa.column("id"), sa.column("expires_at", Instant()))):
        yield Violation("I10", row.id, f"This hold should have been released at {row.expires_at.isoformat()}")


def _nothing_was_changed(now: Transaction) -> Iterator[Violation]:
    """Numbers without a gap, each entry beginning where the one before ended, and guards that keep it so."""
    for row in _rows(
        now,
        "SELECT a.user_id, a.entries, COUNT(e.id) AS there, COALESCE(MAX(e.number), 0) AS last FROM credit_accounts a"
        " LEFT JOIN credit_entries e ON e.user_id = a.user_id GROUP BY a.user_id, a.entries"
        " HAVING a.entries <> COUNT(e.id) OR a.entries <> COALESCE(MAX(e.number), 0)",
    ):
        words = f"{row.entries} entries were made, {row.there} are there, the last is number {row.last}"
        yield Violation("I11", row.user_id, words)
    for row in _rows(
        now,
        "SELECT id, balance_before, balance_was, held_before, held_was FROM (SELECT id, balance_before, held_before,"
        " LAG(balance_after, 1, 0) OVER story AS balance_was, LAG(held_after, 1, 0) OVER story AS held_was"
        " FROM credit_entries WINDOW story AS (PARTITION BY user_id ORDER BY number)) chain"
        " WHERE balance_before <> balance_was OR held_before <> held_was",
    ):
        words = (
            f"This entry begins at {row.balance_before} ({row.held_before} held),"
            f" the one before ended at {row.balance_was} ({row.held_was} held)"
        )
        yield Violation("I11", row.id, words)
    for guard in sorted(GUARDS - _guards(now)):
        yield Violation("I11", guard, "The trigger that keeps entries from being changed is missing")


def _amounts_are_whole(now: Transaction) -> Iterator[Violation]:
    is_other = " OR typeof(amount) <> 'integer'" if now.connection.dialect.name == "sqlite" else ""
    for row in _rows(now, f"SELECT id, amount FROM credit_entries WHERE ABS(amount) > {MOST}{is_other}"):
        yield Violation("I13", row.id, f"{row.amount!r} is not a whole amount of at most 15 digits")


CHECKS: tuple[Check, ...] = (
    _sides_sum_to_zero,
    _accounts_match_entries,
    _accounts_match_open_holds,
    _nothing_below_zero,
    _holds_are_open_or_closed,
    _holds_add_up,
    _refunds_stay_within_charges,
    _no_hold_is_overdue,
    _nothing_was_changed,
    _amounts_are_whole,
)
GUARDS = frozenset({"credit_entries_no_update", "credit_entries_no_delete"})


def _guards(now: Transaction) -> set[str]:
    catalog = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if now.connection.dialect.name == "sqlite"
        # O: fires for everybody but replication; a disabled trigger is no guard
        else "SELECT tgname AS name FROM pg_trigger WHERE tgrelid = 'credit_entries'::regclass AND tgenabled <> 'D'"
    )
    return {row.name for row in now.rows(sa.text(catalog))}


def _effect(side: int) -> str:
    cases = " ".join(f"WHEN '{kind}' THEN {effect[side]} * amount" for kind, effect in EFFECTS.items())
    return f"CASE kind {cases} END"


def _sum(now: Transaction, statement: str) -> int:
    return int(now.execute(sa.text(statement)).scalar() or 0)


def _rows(now: Transaction, statement: str) -> Sequence[sa.Row[Any]]:
    return now.rows(sa.text(f"{statement} LIMIT {AT_MOST}"))
