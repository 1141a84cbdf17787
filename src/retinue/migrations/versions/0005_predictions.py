"""Predictions and how many each person has."""

import sqlalchemy as sa
from alembic import op

from retinue.base.tables import Instant

revision = "0005_predictions"
down_revision = "0004_catalog"
branch_labels = None
depends_on = None


NOT_DELETED = sa.text("deleted_at IS NULL")


def _index(first: str, *more: str) -> None:
    op.create_index(
        f"ix_predictions_by_{first}",
        "predictions",
        ["user_id", first, *more],
        postgresql_where=NOT_DELETED,
        sqlite_where=NOT_DELETED,
    )


def upgrade() -> None:
    op.create_table(
        "predictions",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("image_id", sa.String(36), sa.ForeignKey("assets.id"), nullable=False),
        sa.Column("version_id", sa.String(36), sa.ForeignKey("model_versions.id"), nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("model_version", sa.Text, nullable=False),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("label", sa.Text),
        sa.Column("score", sa.Float),
        sa.Column("result", sa.JSON, nullable=False),
        sa.Column("parameters", sa.JSON, nullable=False),
        sa.Column("receipt", sa.JSON, nullable=False),
        sa.Column("timing", sa.JSON, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
        sa.Column("cached", sa.Boolean, nullable=False),
        sa.Column("annotated_id", sa.String(36)),
        sa.Column("heat_map_id", sa.String(36)),
        sa.Column("output_id", sa.String(36)),
        sa.Column("hold_id", sa.String(36)),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("deleted_at", Instant()),
    )
    _index("id", "model", "model_version", "label", "source")
    _index("model", "id", "model_version", "label", "source")
    _index("label", "id", "model", "model_version", "source")
    _index("source", "id", "model", "model_version", "label")
    op.create_index("ix_predictions_version_id_id", "predictions", ["version_id", "id"])
    op.create_index("ix_predictions_image_id", "predictions", ["image_id"])
    op.create_table(
        "prediction_counts",
        sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("total", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("prediction_counts")
    op.drop_table("predictions")
