"""Jobs, their chunks, results and events; workers; and news that wait to be told."""

import sqlalchemy as sa
from alembic import op

from retinue.base.tables import Instant

revision = "0007_jobs"
down_revision = "0006_datasets"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("retry_of", sa.String(36)),
        sa.Column("dataset_id", sa.String(36)),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("version_id", sa.String(36), sa.ForeignKey("model_versions.id"), nullable=False),
        sa.Column("model_version", sa.Text, nullable=False),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("parameters", sa.JSON, nullable=False),
        sa.Column("webhook", sa.Text),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("priority", sa.SmallInteger, nullable=False),
        sa.Column("pool", sa.String(8), nullable=False),
        sa.Column("price", sa.BigInteger, nullable=False),
        sa.Column("held", sa.BigInteger, nullable=False),
        sa.Column("hold_id", sa.String(36), nullable=False),
        sa.Column("items", sa.Integer, nullable=False),
        sa.Column("chunk_items", sa.Integer, nullable=False),
        sa.Column("manifest", sa.Text, nullable=False),
        sa.Column("manifest_bytes", sa.BigInteger, nullable=False),
        sa.Column("planned_items", sa.Integer, nullable=False),
        sa.Column("planned_bytes", sa.BigInteger, nullable=False),
        sa.Column("chunks", sa.Integer, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("worked_ms", sa.BigInteger, nullable=False),
        sa.Column("changes", sa.Integer, nullable=False),
        sa.Column("turn", sa.BigInteger, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("started_at", Instant()),
        sa.Column("finished_at", Instant()),
        sa.CheckConstraint("done >= 0 AND failed >= 0 AND done + failed <= items", name="ck_jobs_counts_fit"),
        sa.CheckConstraint(
            "state IN ('planning', 'ready', 'running', 'aborting', 'done', 'aborted')", name="ck_jobs_known_state"
        ),
    )
    op.create_index("ix_jobs_user_id_id", "jobs", ["user_id", "id"])
    op.create_index("ix_jobs_version_id_id", "jobs", ["version_id", "id"])
    _partial_index("ix_jobs_open", "jobs", ["state"], "state IN ('planning', 'ready', 'running', 'aborting')")
    op.create_table(
        "job_chunks",
        sa.Column("job_id", sa.String(36), sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("first_item", sa.Integer, nullable=False),
        sa.Column("items", sa.Integer, nullable=False),
        sa.Column("first_byte", sa.BigInteger, nullable=False),
        sa.Column("end_byte", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("crashes", sa.Integer, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("until", Instant(), nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.CheckConstraint(
            "state IN ('ready', 'sent', 'leased', 'done', 'failed', 'cancelled', 'split')",
            name="ck_job_chunks_known_state",
        ),
    )
    op.create_index("ix_job_chunks_state_until", "job_chunks", ["state", "until"])
    _partial_index("ix_job_chunks_ready", "job_chunks", ["job_id", "number"], "state = 'ready'")
    _partial_index("ix_job_chunks_crashed", "job_chunks", ["state"], "crashes > 0")
    op.create_table(
        "job_results",
        sa.Column("job_id", sa.String(36), sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("chunk", sa.Integer, nullable=False),
        sa.Column("change", sa.Integer, nullable=False),
        sa.Column("item_index", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("image_id", sa.String(36), nullable=False),
        sa.Column("prediction_id", sa.String(36)),
        sa.Column("code", sa.Text),
        sa.Column("reason", sa.Text),
    )
    op.create_index("ix_job_results_prediction_id", "job_results", ["prediction_id"])
    op.create_index("ix_job_results_job_id_change_position", "job_results", ["job_id", "change", "position"])
    op.create_table(
        "job_events",
        sa.Column("job_id", sa.String(36), sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("pool", sa.String(8), nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("slots", sa.Integer, nullable=False),
        sa.Column("models", sa.JSON, nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("event", sa.String(40), nullable=False),
        sa.Column("url", sa.Text),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("sent_at", Instant()),
    )
    _partial_index("ix_outbox_unsent", "outbox", ["id"], "sent_at IS NULL")


def downgrade() -> None:
    for table in ("outbox", "workers", "job_events", "job_results", "job_chunks", "jobs"):
        op.drop_table(table)


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
