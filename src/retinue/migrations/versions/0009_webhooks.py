"""Webhooks, their deliveries and every try; the outbox that nothing emptied gives way to them."""

import sqlalchemy as sa
from alembic import op

from retinue.base.tables import Instant

revision = "0009_webhooks"
down_revision = "0008_verdicts"
branch_labels = None
depends_on = None

IS_OPEN = sa.text("state IN ('waiting', 'sending')")
IS_UNSENT = sa.text("sent_at IS NULL")


def upgrade() -> None:
    op.drop_table("outbox")
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("events", sa.JSON, nullable=False),
        sa.Column("salt", sa.String(36), nullable=False),
        sa.Column("old_salt", sa.String(36)),
        sa.Column("old_until", Instant()),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("failing_since", Instant()),
        sa.Column("disabled_at", Instant()),
        sa.Column("disabled_because", sa.Text),
        sa.Column("low_balance", sa.BigInteger),
    )
    op.create_index("ix_webhooks_user_id_id", "webhooks", ["user_id", "id"])
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("webhook_id", sa.String(36), sa.ForeignKey("webhooks.id", ondelete="CASCADE")),
        sa.Column("url", sa.Text),
        sa.Column("event", sa.String(40), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant()),
        sa.CheckConstraint(
            "state IN ('waiting', 'sending', 'delivered', 'failed')", name="ck_webhook_deliveries_known_state"
        ),
        sa.CheckConstraint("(webhook_id IS NULL) <> (url IS NULL)", name="ck_webhook_deliveries_one_address"),
    )
    op.create_index(
        "ix_webhook_deliveries_due_at",
        "webhook_deliveries",
        ["due_at"],
        sqlite_where=IS_OPEN,
        postgresql_where=IS_OPEN,
    )
    op.create_index("ix_webhook_deliveries_webhook_id_id", "webhook_deliveries", ["webhook_id", "id"])
    op.create_index("ix_webhook_deliveries_user_id_id", "webhook_deliveries", ["user_id", "id"])
    op.create_table(
        "webhook_attempts",
        sa.Column(
            "delivery_id",
            sa.String(36),
            sa.ForeignKey("webhook_deliveries.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("status", sa.SmallInteger),
        sa.Column("reason", sa.Text),
    )


def downgrade() -> None:
    for table in ("webhook_attempts", "webhook_deliveries", "webhooks"):
        op.drop_table(table)
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
    op.create_index("ix_outbox_unsent", "outbox", ["id"], sqlite_where=IS_UNSENT, postgresql_where=IS_UNSENT)
