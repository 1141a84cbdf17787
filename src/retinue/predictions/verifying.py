"""I8 and I9 for live work: every charge for a prediction has its predictions, and every paid prediction its charge."""

from collections.abc import Iterator

import sqlalchemy as sa

from retinue.base.database import Transaction
from retinue.credits.shapes import as_credits
from retinue.credits.tables import Entry
from retinue.credits.verifying import AT_MOST, Violation
from retinue.predictions.paying import OPERATION
from retinue.predictions.tables import Prediction


def charges_match_predictions(now: Transaction) -> Iterator[Violation]:
    """Compared hold by hold: a batch has one hold and a charge for each picture that worked."""
    charged = (
        sa.select(Entry.hold_id, sa.func.sum(Entry.amount).label("amount"))
        .where(Entry.kind == "charge", Entry.operation == OPERATION)
        .group_by(Entry.hold_id)
        .subquery()
    )
    remembered = (
        sa.select(Prediction.hold_id, sa.func.sum(Prediction.cost).label("cost"))
        .where(Prediction.hold_id.is_not(None), Prediction.source != "job")
        .group_by(Prediction.hold_id)
        .subquery()
    )
    paid, cost = sa.func.coalesce(charged.c.amount, 0), sa.func.coalesce(remembered.c.cost, 0)
    hold_id = sa.func.coalesce(charged.c.hold_id, remembered.c.hold_id)
    both = charged.join(remembered, charged.c.hold_id == remembered.c.hold_id, full=True)
    apart = sa.select(hold_id.label("hold_id"), paid.label("paid"), cost.label("cost")).select_from(both)
    for row in now.rows(apart.where(paid != cost).limit(AT_MOST)):
        words = f"{as_credits(row.paid):.2f} were charged, the predictions cost {as_credits(row.cost):.2f}"
        yield Violation("I8", row.hold_id, words)
