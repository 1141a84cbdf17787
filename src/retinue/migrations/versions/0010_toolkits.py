"""Tools, kits, and every time a kit was handed out or came back."""

import sqlalchemy as sa
from alembic import op

from retinue.base.tables import Instant

revision = "0010_toolkits"
down_revision = "0009_webhooks"
branch_labels = None
depends_on = None

STILL_THERE = sa.text("deleted_at IS NULL")
OUT = sa.text("type = 'issue' AND status <> 'refused' AND ended_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "tools",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("serial_number", sa.Text),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("label", sa.Text),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("deleted_at", Instant()),
    )
    _create_unique("uq_tools_serial_number", "tools", "serial_number", among=STILL_THERE)
    op.create_table(
        "toolkits",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("model", sa.Text),
        sa.Column("picture_id", sa.String(36), sa.ForeignKey("assets.id")),
        sa.Column("loan_id", sa.String(36)),
        sa.Column("changes", sa.Integer, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("deleted_at", Instant()),
    )
    _create_unique("uq_toolkits_name", "toolkits", "name", among=STILL_THERE)
    op.create_table(
        "toolkit_items",
        sa.Column("kit_id", sa.String(36), sa.ForeignKey("toolkits.id"), primary_key=True),
        sa.Column("tool_id", sa.String(36), sa.ForeignKey("tools.id"), primary_key=True),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.CheckConstraint("quantity > 0", name="quantity"),
    )
    op.create_index("ix_toolkit_items_tool_id", "toolkit_items", ["tool_id"])
    op.create_table(
        "loans",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("type", sa.String(8), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("kit_id", sa.String(36), sa.ForeignKey("toolkits.id"), nullable=False),
        sa.Column("person_id", sa.String(36), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("clerk_id", sa.String(36), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("issue_id", sa.String(36), sa.ForeignKey("loans.id")),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("signed_by", sa.JSON, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("extra", sa.JSON, nullable=False),
        sa.Column("prediction_id", sa.String(36), sa.ForeignKey("predictions.id")),
        sa.Column("image_id", sa.String(36), sa.ForeignKey("assets.id")),
        sa.Column("due_at", Instant()),
        sa.Column("ended_at", Instant()),
        sa.Column("created_at", Instant(), nullable=False),
        sa.CheckConstraint("type IN ('issue', 'return')", name="type"),
        sa.CheckConstraint("status IN ('complete', 'incomplete', 'overridden', 'refused')", name="status"),
        sa.CheckConstraint("status NOT IN ('incomplete', 'refused') OR reason <> ''", name="reason"),
    )
    _create_unique("uq_loans_out", "loans", "kit_id", among=OUT)
    op.create_index("ix_loans_kit_id_id", "loans", ["kit_id", "id"])
    op.create_index("ix_loans_person_id_id", "loans", ["person_id", "id"])
    op.create_table(
        "loan_lines",
        sa.Column("loan_id", sa.String(36), sa.ForeignKey("loans.id"), primary_key=True),
        sa.Column("tool_id", sa.String(36), sa.ForeignKey("tools.id"), primary_key=True),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("expected", sa.Integer, nullable=False),
        sa.Column("seen", sa.Integer),
        sa.Column("unsure", sa.Integer, nullable=False),
        sa.Column("found", sa.Integer, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
    )
    op.create_index("ix_loan_lines_tool_id_loan_id", "loan_lines", ["tool_id", "loan_id"])


def _create_unique(name: str, table: str, column: str, *, among: sa.TextClause) -> None:
    op.create_index(name, table, [column], unique=True, postgresql_where=among, sqlite_where=among)


def downgrade() -> None:
    for table in ("loan_lines", "loans", "toolkit_items", "toolkits", "tools"):
        op.drop_table(table)
