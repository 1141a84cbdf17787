"""Videos in jobs: their frames are items with a price of their own, and may become films again."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012_job_videos"
down_revision = "0011_took_over_from"
branch_labels = None
depends_on = None


def _added() -> Iterator[tuple[str, sa.Column[Any]]]:
    yield "jobs", sa.Column("frame_price", sa.BigInteger, nullable=False, server_default="0")
    yield "jobs", sa.Column("frames", sa.Integer, nullable=False, server_default="0")
    yield "jobs", sa.Column("films_due", sa.Boolean, nullable=False, server_default=sa.false())
    yield "jobs", sa.Column("frames_done", sa.Integer, nullable=False, server_default="0")
    yield "job_chunks", sa.Column("frames_done", sa.Integer, nullable=False, server_default="0")
    yield "job_chunks", sa.Column("film", sa.Integer)
    yield "job_results", sa.Column("frame", sa.Integer)
    yield "job_results", sa.Column("time_s", sa.Float)


def upgrade() -> None:
    for table, column in _added():
        op.add_column(table, column)
    op.create_table(
        "job_videos",
        sa.Column("job_id", sa.String(36), sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("item_index", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("first_item", sa.Integer, nullable=False),
        sa.Column("frames", sa.Integer, nullable=False),
        sa.Column("duration_s", sa.Float, nullable=False),
        sa.Column("output_id", sa.String(36)),
    )


def downgrade() -> None:
    op.drop_table("job_videos")
    for table, column in _added():
        op.drop_column(table, column.name)
