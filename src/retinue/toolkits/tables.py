"""Tools, the kits they belong to, and every time a kit was handed out or came back."""

from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from retinue.base.tables import Id, Row

LoanType = Literal["issue", "return"]
Status = Literal["complete", "incomplete", "overridden", "refused"]
STILL_THERE = sa.text("deleted_at IS NULL")


def _unique_among_kept(table: str, column: str) -> sa.Index:
    """What is deleted gives its name free."""
    name = f"uq_{table}_{column}"
    return sa.Index(name, column, unique=True, postgresql_where=STILL_THERE, sqlite_where=STILL_THERE)


class Tool(Row):
    """One tool. A deleted one keeps its row, because its history points at it."""

    __tablename__ = "tools"
    __table_args__ = (_unique_among_kept("tools", "serial_number"),)

    id: Mapped[Id] = mapped_column(primary_key=True)
    name: Mapped[str]
    serial_number: Mapped[str | None]
    category: Mapped[str]
    label: Mapped[str | None]  # what models call it; without one, only a person can find it
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class Kit(Row):
    """`loan_id` is the issue that has the kit out: whoever changes it from or to nothing holds the kit."""

    __tablename__ = "toolkits"
    __table_args__ = (_unique_among_kept("toolkits", "name"),)

    id: Mapped[Id] = mapped_column(primary_key=True)
    name: Mapped[str]
    description: Mapped[str]
    model: Mapped[str | None]  # without one, a kit is checked by hand
    picture_id: Mapped[str | None] = mapped_column(sa.String(36), sa.ForeignKey("assets.id"))
    loan_id: Mapped[str | None] = mapped_column(sa.String(36))
    changes: Mapped[int]  # of its contents: a hand-over that was checked against older ones is refused
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]

    def is_out(self) -> bool:
        return self.loan_id is not None


class KitItem(Row):
    """How many of a tool belong into a kit. `place` keeps the order in which they were told."""

    __tablename__ = "toolkit_items"
    __table_args__ = (
        sa.CheckConstraint("quantity > 0", name="quantity"),
        sa.Index("ix_toolkit_items_tool_id", "tool_id"),
    )

    kit_id: Mapped[Id] = mapped_column(sa.ForeignKey("toolkits.id"), primary_key=True)
    tool_id: Mapped[Id] = mapped_column(sa.ForeignKey("tools.id"), primary_key=True)
    place: Mapped[int]
    quantity: Mapped[int]


class Loan(Row):
    """One hand-over, signed and never changed; only that an issue has ended is written to it later."""

    __tablename__ = "loans"
    __table_args__ = (
        sa.CheckConstraint("type IN ('issue', 'return')", name="type"),
        sa.CheckConstraint("status IN ('complete', 'incomplete', 'overridden', 'refused')", name="status"),
        sa.CheckConstraint("status NOT IN ('incomplete', 'refused') OR reason <> ''", name="reason"),
        # A kit is out once, whatever two clerks at two stations do at the same moment.
        sa.Index(
            "uq_loans_out",
            "kit_id",
            unique=True,
            postgresql_where=sa.text("type = 'issue' AND status <> 'refused' AND ended_at IS NULL"),
            sqlite_where=sa.text("type = 'issue' AND status <> 'refused' AND ended_at IS NULL"),
        ),
        sa.Index("ix_loans_kit_id_id", "kit_id", "id"),
        sa.Index("ix_loans_person_id_id", "person_id", "id"),
        sa.Index("ix_loans_prediction_id", "prediction_id"),
        sa.Index("ix_loans_image_id", "image_id"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    type: Mapped[LoanType] = mapped_column(sa.String(8))
    status: Mapped[Status] = mapped_column(sa.String(12))
    kit_id: Mapped[Id] = mapped_column(sa.ForeignKey("toolkits.id"))
    person_id: Mapped[Id] = mapped_column(sa.ForeignKey("users.id"))
    clerk_id: Mapped[Id] = mapped_column(sa.ForeignKey("users.id"))
    issue_id: Mapped[str | None] = mapped_column(sa.String(36), sa.ForeignKey("loans.id"))  # what a return ends
    reason: Mapped[str]
    signed_by: Mapped[list[str]]
    place: Mapped[str]
    extra: Mapped[list[Any]]  # what was seen beside the kit
    prediction_id: Mapped[str | None] = mapped_column(sa.String(36), sa.ForeignKey("predictions.id"))
    image_id: Mapped[str | None] = mapped_column(sa.String(36), sa.ForeignKey("assets.id"))
    due_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    def is_open(self) -> bool:
        return self.type == "issue" and self.status != "refused" and self.ended_at is None

    def is_overdue(self, time: datetime) -> bool:
        return self.is_open() and self.due_at is not None and self.due_at < time


class LoanLine(Row):
    """What a hand-over said about one tool: `seen` in the picture (None: there was none), and `found` in the end."""

    __tablename__ = "loan_lines"
    __table_args__ = (sa.Index("ix_loan_lines_tool_id_loan_id", "tool_id", "loan_id"),)

    loan_id: Mapped[Id] = mapped_column(sa.ForeignKey("loans.id"), primary_key=True)
    tool_id: Mapped[Id] = mapped_column(sa.ForeignKey("tools.id"), primary_key=True)
    place: Mapped[int]
    expected: Mapped[int]
    seen: Mapped[int | None]
    unsure: Mapped[int]
    found: Mapped[int]
    comment: Mapped[str]
