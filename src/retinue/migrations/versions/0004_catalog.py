"""Models and their versions."""

import sqlalchemy as sa
from alembic import op

from retinue.base.tables import Instant

revision = "0004_catalog"
down_revision = "0003_media"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "models",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("price", sa.BigInteger),
        sa.Column("thresholds", sa.JSON, nullable=False),
        sa.Column("active_version_id", sa.String(36)),
        sa.Column("changes", sa.Integer, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "model_versions",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("model_id", sa.String(36), sa.ForeignKey("models.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("manifest", sa.JSON, nullable=False),
        sa.Column("package_key", sa.Text, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("files", sa.JSON, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("intake", sa.JSON, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("created_by", sa.String(36)),
        sa.Column("activated_at", Instant()),
        sa.UniqueConstraint("model_id", "number"),
    )


def downgrade() -> None:
    op.drop_table("model_versions")
    op.drop_table("models")
