"""How a version does in service: traffic, failures it answered for, and how long it takes."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from pydantic import BaseModel

from retinue.base.database import Transaction
from retinue.base.ids import first_id_at
from retinue.catalog.tables import Model, Version
from retinue.predictions.tables import Prediction

WINDOW = timedelta(days=7)
MOST_SAMPLED = 2000  # latest answers that percentiles are read from


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


def _percentile(values: list[float], share: float) -> float | None:
    return values[min(len(values) - 1, int(len(values) * share))] if values else None
