"""Datasets, their items, resumable uploads, and how much room everybody uses."""

import sqlalchemy as sa
from alembic import op

from retinue.base.tables import Instant

revision = "0006_datasets"
down_revision = "0005_predictions"
branch_labels = None
depends_on = None

STILL_THERE = sa.text("deleted_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "datasets",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("owner_id", sa.String(36), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("next_index", sa.Integer, nullable=False),
        sa.Column("pictures", sa.Integer, nullable=False),
        sa.Column("videos", sa.Integer, nullable=False),
        sa.Column("frames", sa.BigInteger, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("deleted_at", Instant()),
    )
    _create_unique_among_kept("datasets", ["owner_id", "name"])
    op.create_index("ix_datasets_owner_id_id", "datasets", ["owner_id", "id"])
    op.create_table(
        "dataset_items",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("dataset_id", sa.String(36), sa.ForeignKey("datasets.id"), nullable=False),
        sa.Column("index", sa.Integer, nullable=False),
        sa.Column("group", sa.Text, nullable=False),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("mask_name", sa.Text),
        sa.Column("image_id", sa.String(36), sa.ForeignKey("assets.id"), nullable=False),
        sa.Column("mask_id", sa.String(36), sa.ForeignKey("assets.id")),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("frames", sa.Integer),
        sa.Column("fps", sa.Float),
        sa.Column("duration_s", sa.Float),
        sa.Column("times", sa.JSON),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
        sa.Column("hold_id", sa.String(36)),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("deleted_at", Instant()),
        sa.UniqueConstraint("dataset_id", "index"),
    )
    _create_unique_among_kept("dataset_items", ["dataset_id", "fingerprint"])
    op.create_index("ix_dataset_items_hold_id", "dataset_items", ["hold_id"])
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("owner_id", sa.String(36), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("received_bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.Text),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("completed_at", Instant()),
    )
    op.create_index("ix_uploads_owner_id", "uploads", ["owner_id"])
    op.create_index("ix_uploads_expires_at", "uploads", ["expires_at"])
    op.create_table(
        "upload_parts",
        sa.Column("upload_id", sa.String(36), sa.ForeignKey("uploads.id"), primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
    )
    op.create_table(
        "storage_uses",
        sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("files", sa.BigInteger, nullable=False),
    )


def _create_unique_among_kept(table: str, columns: list[str]) -> None:
    op.create_index(
        f"uq_{table}_{'_'.join(columns)}",
        table,
        columns,
        unique=True,
        postgresql_where=STILL_THERE,
        sqlite_where=STILL_THERE,
    )


def downgrade() -> None:
    for table in ("storage_uses", "upload_parts", "uploads", "dataset_items", "datasets"):
        op.drop_table(table)
