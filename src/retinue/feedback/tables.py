"""What people said of answers: one verdict per person and prediction."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from retinue.base.tables import Id, Row


class Verdict(Row):
    """`owner_id`, `version_id` and `picture_sha256` are the prediction's: they never change, and are asked for here."""

    __tablename__ = "verdicts"
    __table_args__ = (
        sa.UniqueConstraint("prediction_id", "user_id"),
        sa.Index("ix_verdicts_owner_id_id", "owner_id", "id"),
        sa.Index("ix_verdicts_version_id_picture_sha256", "version_id", "picture_sha256"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    prediction_id: Mapped[Id] = mapped_column(sa.ForeignKey("predictions.id"))
    user_id: Mapped[Id] = mapped_column(sa.ForeignKey("users.id"))  # who judged
    owner_id: Mapped[Id] = mapped_column(sa.ForeignKey("users.id"))  # whose prediction it is
    version_id: Mapped[Id] = mapped_column(sa.ForeignKey("model_versions.id"))
    picture_sha256: Mapped[str] = mapped_column(sa.String(64))
    correct: Mapped[bool]
    label: Mapped[str | None]  # what it is, where the answer named something else
    boxes: Mapped[list[Any] | None] = mapped_column(sa.JSON(none_as_null=True))  # everything there is; [] is nothing
    comment: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class ShadowLook(Row):
    """What a candidate said of a picture that the active version answered for."""

    __tablename__ = "shadow_looks"
    __table_args__ = (
        sa.UniqueConstraint("prediction_id", "version_id"),
        sa.Index("ix_shadow_looks_model_id_strength_id", "model_id", "strength", "id"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    prediction_id: Mapped[Id] = mapped_column(sa.ForeignKey("predictions.id"))
    model_id: Mapped[Id] = mapped_column(sa.ForeignKey("models.id"))
    version_id: Mapped[Id] = mapped_column(sa.ForeignKey("model_versions.id"))
    label: Mapped[str | None]
    score: Mapped[float | None]
    result: Mapped[dict[str, Any]]
    strength: Mapped[int]  # of their disagreement, in thousandths; 0 where both say the same
    model_ms: Mapped[float]
    created_at: Mapped[datetime]
