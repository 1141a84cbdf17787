"""Which version of a model answers beside the active one, for how many pictures, and what it said."""

import sqlalchemy as sa
from alembic import op

from retinue.base.tables import Instant

revision = "0013_shadow"
down_revision = "0012_job_videos"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("models", sa.Column("shadow_version", sa.String(20)))
    op.add_column("models", sa.Column("shadow_percent", sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "shadow_looks",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("prediction_id", sa.String(36), sa.ForeignKey("predictions.id"), nullable=False),
        sa.Column("model_id", sa.String(36), sa.ForeignKey("models.id"), nullable=False),
        sa.Column("version_id", sa.String(36), sa.ForeignKey("model_versions.id"), nullable=False),
        sa.Column("label", sa.Text),
        sa.Column("score", sa.Float),
        sa.Column("result", sa.JSON, nullable=False),
        sa.Column("strength", sa.Integer, nullable=False),
        sa.Column("model_ms", sa.Float, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.UniqueConstraint("prediction_id", "version_id"),
    )
    op.create_index("ix_shadow_looks_model_id_strength_id", "shadow_looks", ["model_id", "strength", "id"])


def downgrade() -> None:
    op.drop_table("shadow_looks")
    op.drop_column("models", "shadow_percent")
    op.drop_column("models", "shadow_version")
