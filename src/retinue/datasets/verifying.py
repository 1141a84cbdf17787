"""I8 and I9 for datasets: every charge for an upload has its items, and every paid item its charge."""

from collections.abc import Iterator

import sqlalchemy as sa

from retinue.base.database import Transaction
from retinue.credits.shapes import as_credits
from retinue.credits.tables import Entry
from retinue.credits.verifying import AT_MOST, Violation
from retinue.datasets.items import OPERATION
from retinue.datasets.tables import Item


def charges_match_items(now: Transaction) -> Iterator[Violation]:
    """Deleted items count too: what they cost stays spent."""
    charged = (
        sa.select(Entry.hold_id, sa.func.sum(Entry.amount).label("amount"))
        .where(Entry.kind == "charge", Entry.operation == OPERATION)
        .group_by(Entry.hold_id)
        .subquery()
    )
    taken_in = (
        sa.select(Item.hold_id, sa.func.sum(Item.cost).label("cost"))
        .where(Item.hold_id.is_not(None))
        .group_by(Item.hold_id)
        .subquery()
    )
    paid, cost = sa.func.coalesce(charged.c.amount, 0), sa.func.coalesce(taken_in.c.cost, 0)
    hold_id = sa.func.coalesce(charged.c.hold_id, taken_in.c.hold_id)
    both = charged.join(taken_in, charged.c.hold_id == taken_in.c.hold_id, full=True)
    apart = sa.select(hold_id.label("hold_id"), paid.label("paid"), cost.label("cost")).select_from(both)
    for row in now.rows(apart.where(paid != cost).limit(AT_MOST)):
        words = f"{as_credits(row.paid):.2f} were charged, the items cost {as_credits(row.cost):.2f}"
        yield Violation("I8", row.hold_id, words)
