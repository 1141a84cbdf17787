"""Kept files."""

import sqlalchemy as sa
from alembic import op

from retinue.base.tables import Instant

revision = "0003_media"
down_revision = "0002_credits"
branch_labels = None
depends_on = None

ORIGINALS = sa.text("kind = 'original' AND deleted_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "assets",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("owner_id", sa.String(36), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("mime_type", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("used_at", Instant(), nullable=False),
        sa.Column("deleted_at", Instant()),
        sa.UniqueConstraint("key"),
    )
    op.create_index(
        "uq_assets_original",
        "assets",
        ["owner_id", "sha256"],
        unique=True,
        postgresql_where=ORIGINALS,
        sqlite_where=ORIGINALS,
    )
    op.create_index("ix_assets_owner_id_kind_id", "assets", ["owner_id", "kind", "id"])
    op.create_index("ix_assets_kind_used_at", "assets", ["kind", "used_at"])


def downgrade() -> None:
    op.drop_table("assets")
