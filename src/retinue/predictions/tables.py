"""One row per answered picture, and one counter per person."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from retinue.base.tables import Hundredths, Id, Row

NOT_DELETED = sa.text("deleted_at IS NULL")
JUDGED = sa.text("deleted_at IS NULL AND feedback IS NOT NULL")


def _index(first: str, *more: str) -> sa.Index:
    name = f"ix_predictions_by_{first}"
    return sa.Index(name, "user_id", first, *more, postgresql_where=NOT_DELETED, sqlite_where=NOT_DELETED)


class Prediction(Row):
    __tablename__ = "predictions"
    __table_args__ = (
        # Ids rise with time, so each of these serves its filter, the newest first, at any depth. The columns behind the
        # id let a capped total be counted in the index alone: 10,000 rows took 50 ms, their index entries take 3.
        _index("id", "model", "model_version", "label", "source"),
        _index("model", "id", "model_version", "label", "source"),
        _index("label", "id", "model", "model_version", "source"),
        _index("source", "id", "model", "model_version", "label"),
        sa.Index(
            "ix_predictions_by_feedback",
            "user_id",
            "feedback",
            "id",
            postgresql_where=JUDGED,
            sqlite_where=JUDGED,
        ),
        sa.Index("ix_predictions_version_id_id", "version_id", "id"),
        sa.Index("ix_predictions_image_id", "image_id"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    user_id: Mapped[Id] = mapped_column(sa.ForeignKey("users.id"))
    image_id: Mapped[Id] = mapped_column(sa.ForeignKey("assets.id"))
    version_id: Mapped[Id] = mapped_column(sa.ForeignKey("model_versions.id"))
    model: Mapped[str]
    model_version: Mapped[str]
    task: Mapped[str]
    source: Mapped[str]  # ui | api | job | check | replay | protocol
    filename: Mapped[str]
    label: Mapped[str | None]  # the top answer
    score: Mapped[float | None]
    result: Mapped[dict[str, Any]]
    parameters: Mapped[dict[str, Any]]
    receipt: Mapped[dict[str, Any]]
    timing: Mapped[dict[str, Any]]
    cost: Mapped[Hundredths]
    cached: Mapped[bool]
    annotated_id: Mapped[str | None] = mapped_column(sa.String(36))
    heat_map_id: Mapped[str | None] = mapped_column(sa.String(36))
    output_id: Mapped[str | None] = mapped_column(sa.String(36))
    hold_id: Mapped[str | None] = mapped_column(sa.String(36))
    feedback: Mapped[str | None] = mapped_column(sa.String(5))  # right | wrong: the latest verdict, if there is one
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class PredictionCount(Row):
    """How many predictions a person has: counting a million rows for each page would cost more than the page."""

    __tablename__ = "prediction_counts"

    user_id: Mapped[Id] = mapped_column(sa.ForeignKey("users.id"), primary_key=True)
    total: Mapped[int] = mapped_column(sa.BigInteger())
