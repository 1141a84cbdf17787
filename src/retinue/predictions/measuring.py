"""How a version does in service: traffic, failures it answered for, and how long it takes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

import sqlalchemy as sa
from pydantic import BaseModel

from retinue.base.database import Transaction
from retinue.base.ids import first_id_at
from retinue.catalog.tables import Model, Version
from retinue.predictions.tables import Prediction

WINDOW = timedelta(days=7)
MOST_SAMPLED = 2000  # latest answers that percentiles are read from
# Of each stretch of a chart: enough for a p95, and a chart of 24 reads no more rows in a week of a million.
MOST_OF_A_STRETCH, MOST_LOOKED_AT = 200, 1000


class Stats(BaseModel):
    """Of the answers a version gave in the last seven days; cached ones took no time of its."""

    model: str
    version: str

    since: datetime
    predictions: int
    cached: int
    people: int
    model_ms_p50: float | None
    model_ms_p95: float | None
    total_ms_p50: float | None
    total_ms_p95: float | None
    last_at: datetime | None


def stats_of(now: Transaction, model: Model, version: Version) -> Stats:
    since = now.time - WINDOW
    recent = sa.and_(Prediction.version_id == version.id, Prediction.id >= first_id_at(since))
    counted = now.execute(
        sa.select(
            sa.func.count().label("predictions"),
            sa.func.coalesce(sa.func.sum(sa.case((Prediction.cached, 1), else_=0)), 0).label("cached"),
            sa.func.count(sa.distinct(Prediction.user_id)).label("people"),
            sa.func.max(Prediction.created_at).label("last_at"),
        ).where(recent)
    ).one()
    answered = sa.select(Prediction.timing).where(recent, Prediction.cached.is_(False))
    timings = [row.timing for row in now.rows(answered.order_by(Prediction.id.desc()).limit(MOST_SAMPLED))]
    of_model, in_all = sorted(one["model"] for one in timings), sorted(one["total"] for one in timings)
    return Stats(
        model=model.name,
        version=version.label,
        since=since,
        predictions=counted.predictions,
        cached=counted.cached,
        people=counted.people,
        model_ms_p50=_percentile(of_model, 0.5),
        model_ms_p95=_percentile(of_model, 0.95),
        total_ms_p50=_percentile(in_all, 0.5),
        total_ms_p95=_percentile(in_all, 0.95),
        last_at=counted.last_at,
    )


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the last live answers of a stretch of time took; what was known or belongs to a job is left out."""

    since: datetime
    answers: int
    total_ms_p50: float | None
    total_ms_p95: float | None


def paces(now: Transaction, edges: Iterable[datetime]) -> list[Pace]:
    """One of each stretch between two edges."""
    return [_pace(now, since, until) for since, until in pairwise(edges)]


def _pace(now: Transaction, since: datetime, until: datetime) -> Pace:
    within = sa.and_(Prediction.id >= first_id_at(since), Prediction.id < first_id_at(until))
    newest = sa.select(Prediction.timing, Prediction.cached, Prediction.source).where(within)
    looked_at = newest.order_by(Prediction.id.desc()).limit(MOST_LOOKED_AT).subquery()
    live = sa.and_(looked_at.c.cached.is_(False), looked_at.c.source != "job")
    wanted = sa.select(looked_at.c.timing).where(live).limit(MOST_OF_A_STRETCH)
    took_ms = sorted(row.timing["total"] for row in now.rows(wanted))
    return Pace(since, len(took_ms), _percentile(took_ms, 0.5), _percentile(took_ms, 0.95))


def _percentile(values: list[float], share: float) -> float | None:
    return values[min(len(values) - 1, int(len(values) * share))] if values else None
