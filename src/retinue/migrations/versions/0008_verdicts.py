"""Verdicts, and on each prediction what was last said of it."""

import sqlalchemy as sa
from alembic import op

from retinue.base.tables import Instant

revision = "0008_verdicts"
down_revision = "0007_jobs"
branch_labels = None
depends_on = None

JUDGED = sa.text("deleted_at IS NULL AND feedback IS NOT NULL")


def upgrade() -> None:
    op.add_column("predictions", sa.Column("feedback", sa.String(5)))
    op.create_index(
        "ix_predictions_by_feedback",
        "predictions",
        ["user_id", "feedback", "id"],
        postgresql_where=JUDGED,
        sqlite_where=JUDGED,
    )
    op.create_table(
        "verdicts",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("prediction_id", sa.String(36), sa.ForeignKey("predictions.id"), nullable=False),
        sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("owner_id", sa.String(36), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("version_id", sa.String(36), sa.ForeignKey("model_versions.id"), nullable=False),
        sa.Column("picture_sha256", sa.String(64), nullable=False),
        sa.Column("correct", sa.Boolean, nullable=False),
        sa.Column("label", sa.Text),
        sa.Column("boxes", sa.JSON),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.UniqueConstraint("prediction_id", "user_id"),
    )
    op.create_index("ix_verdicts_owner_id_id", "verdicts", ["owner_id", "id"])
    op.create_index("ix_verdicts_version_id_picture_sha256", "verdicts", ["version_id", "picture_sha256"])


def downgrade() -> None:
    op.drop_table("verdicts")
    op.drop_index("ix_predictions_by_feedback", "predictions")
    op.drop_column("predictions", "feedback")
