"""What was asked and answered: a page at any depth, filtered, with a total that never counts a million rows."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from retinue.base.database import Transaction
from retinue.base.errors import Conflict, NotFound
from retinue.base.ids import first_id_at
from retinue.base.paging import Asked
from retinue.media import keeping
from retinue.predictions.remembering import count
from retinue.predictions.tables import Prediction, PredictionCount

MOST_COUNTED = 10_000  # a filtered total stops here: counting on would cost more than the page
DEEPEST_PAGE_ROWS = 100_000  # beyond this, cursors


class NoSuchPrediction(NotFound):
    code = "no-such-prediction"
    title = "There is no such prediction"


class SignedFor(Conflict):
    code = "prediction-signed"
    title = "A signed hand-over of a kit rests on this prediction or its picture, so both stay"


@dataclass(frozen=True, slots=True)
class Filters:
    """Which predictions are wanted. Unset means all."""

    user_id: str | None
    model: str | None = None
    version: str | None = None
    label: str | None = None
    source: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    feedback: Literal["right", "wrong", "any", "none"] | None = None

    def narrow(self, statement: sa.Select[Any]) -> sa.Select[Any]:
        wanted = {
            Prediction.user_id: self.user_id,
            Prediction.model: self.model,
            Prediction.model_version: self.version,
            Prediction.label: self.label,
            Prediction.source: self.source,
        }
        for column, value in wanted.items():
            if value is not None:
                statement = statement.where(column == value)
        if self.since is not None:
            statement = statement.where(Prediction.id >= first_id_at(self.since))
        if self.until is not None:
            statement = statement.where(Prediction.id < first_id_at(self.until))
        if self.feedback == "none":
            statement = statement.where(Prediction.feedback.is_(None))
        elif self.feedback == "any":
            statement = statement.where(Prediction.feedback.is_not(None))
        elif self.feedback is not None:
            statement = statement.where(Prediction.feedback == self.feedback)
        return statement.where(Prediction.deleted_at.is_(None))

    def are_plain(self) -> bool:
        """Everything of one person: the counter knows how many that is."""
        told = (self.model, self.version, self.label, self.source, self.since, self.until, self.feedback)
        return self.user_id is not None and all(value is None for value in told)


@dataclass(frozen=True, slots=True)
class Listed:
    predictions: list[Prediction]
    total: int
    total_capped: bool
    next_cursor: str | None


def list_predictions(now: Transaction, filters: Filters, asked: Asked, *, page: int | None) -> Listed:
    """The newest first: by cursor at any depth, or by page number among the first hundred thousand."""
    statement = filters.narrow(sa.select(Prediction))
    if page is not None and page > 1:
        statement = _from_page(now, filters, statement, skip=(page - 1) * asked.limit)
    rows, next_cursor = asked.newest_first(now, statement, Prediction.id, of="predictions")
    total, capped = _total(now, filters)
    return Listed(rows, total, capped, next_cursor)


def _from_page(now: Transaction, filters: Filters, statement: sa.Select[Any], *, skip: int) -> sa.Select[Any]:
    """Skips over ids in the index alone, then reads whole rows from there: 20 times cheaper than OFFSET over rows."""
    ids = filters.narrow(sa.select(Prediction.id)).order_by(Prediction.id.desc())
    first = now.value(ids.offset(min(skip, DEEPEST_PAGE_ROWS)).limit(1))
    return statement.where(Prediction.id <= first if first else sa.false())


def _total(now: Transaction, filters: Filters) -> tuple[int, bool]:
    if filters.are_plain():
        kept = now.value(sa.select(PredictionCount.total).where(PredictionCount.user_id == filters.user_id))
        return kept or 0, False
    some = filters.narrow(sa.select(Prediction.id)).limit(MOST_COUNTED + 1).subquery()
    found = now.value(sa.select(sa.func.count()).select_from(some)) or 0
    return min(found, MOST_COUNTED), found > MOST_COUNTED


def prediction_of(now: Transaction, prediction_id: str, *, user_id: str | None) -> Prediction:
    """The prediction, if it is there and yours (`user_id` None: anybody's, for admins)."""
    asked = sa.select(Prediction).where(Prediction.id == prediction_id, Prediction.deleted_at.is_(None))
    if user_id is not None:
        asked = asked.where(Prediction.user_id == user_id)
    found = now.first(asked)
    if found is None:
        raise NoSuchPrediction()
    return found


def delete(now: Transaction, prediction: Prediction) -> None:
    """The row stays for the ledger's sake, out of sight; pictures that nobody else needs go."""
    now.execute(sa.update(Prediction).where(Prediction.id == prediction.id).values(deleted_at=now.time, result={}))
    count(now, prediction.user_id, -1)
    ids = [prediction.annotated_id, prediction.heat_map_id, prediction.output_id]
    still_used = now.value(
        sa.select(Prediction.id).where(Prediction.image_id == prediction.image_id, Prediction.deleted_at.is_(None))
    )
    if still_used is None:
        ids.append(prediction.image_id)
    keeping.forget(now, [one for one in ids if one])
