"""What is kept about credits: the story (entries, never changed) and two working copies of it (accounts, open holds).

An account's `balance`, `held` and `entries` and an open hold's `left` could be computed from the entries at any time;
`verifying.py` does. They are kept because a guarded UPDATE of one row is what makes a hold atomic and cheap.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from retinue.base.tables import Hundredths, Id, Row, Time

# 15 digits: below 2^53, and every such number of hundredths survives the trip through a JSON number and back.
MOST = 10**15 - 1


class Account(Row):
    __tablename__ = "credit_accounts"
    __table_args__ = (
        sa.CheckConstraint("held >= 0", name="held_not_negative"),
        sa.CheckConstraint("balance - held >= 0", name="available_not_negative"),
        sa.CheckConstraint(f"balance <= {MOST}", name="balance_fits"),
    )

    user_id: Mapped[Id] = mapped_column(sa.ForeignKey("users.id"), primary_key=True)
    balance: Mapped[Hundredths]
    held: Mapped[Hundredths]
    entries: Mapped[int] = mapped_column(sa.BigInteger())


class Entry(Row):
    """One immutable line of the story. `number` counts a user's entries without a gap, so a missing one shows."""

    __tablename__ = "credit_entries"
    __table_args__ = (
        sa.UniqueConstraint("user_id", "number"),
        sa.CheckConstraint(
            f"amount BETWEEN {-MOST} AND {MOST} AND (amount >= 0 OR kind = 'adjust')", name="amount_fits"
        ),
        sa.CheckConstraint(
            "balance_after - balance_before = CASE kind"
            " WHEN 'charge' THEN -amount WHEN 'hold' THEN 0 WHEN 'release' THEN 0 ELSE amount END"
            " AND held_after - held_before = CASE kind"
            " WHEN 'hold' THEN amount WHEN 'charge' THEN -amount WHEN 'release' THEN -amount ELSE 0 END",
            name="effect_of_kind",
        ),
        sa.Index(
            "uq_credit_entries_one_charge_per_part",
            "hold_id",
            "part",
            unique=True,
            sqlite_where=sa.text("kind = 'charge'"),
            postgresql_where=sa.text("kind = 'charge'"),
        ),
        sa.Index(
            "uq_credit_entries_one_release_per_hold",
            "hold_id",
            unique=True,
            sqlite_where=sa.text("kind = 'release'"),
            postgresql_where=sa.text("kind = 'release'"),
        ),
        sa.Index(
            "ix_credit_entries_refunds_of_charge",
            "charge_id",
            sqlite_where=sa.text("kind = 'refund'"),
            postgresql_where=sa.text("kind = 'refund'"),
        ),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    user_id: Mapped[Id]
    number: Mapped[int] = mapped_column(sa.BigInteger())
    kind: Mapped[str] = mapped_column(sa.String(8))
    amount: Mapped[Hundredths]
    balance_before: Mapped[Hundredths]
    balance_after: Mapped[Hundredths]
    held_before: Mapped[Hundredths]
    held_after: Mapped[Hundredths]
    operation: Mapped[str] = mapped_column(sa.String(40))
    operation_id: Mapped[str]
    hold_id: Mapped[str | None] = mapped_column(sa.String(36))
    part: Mapped[str] = mapped_column(sa.String(80))
    charge_id: Mapped[str | None] = mapped_column(sa.String(36))
    actor: Mapped[str]
    description: Mapped[str]
    created_at: Mapped[Time]


class OpenHold(Row):
    """Here while the hold lives; `left` is what may still be charged. Gone once it is resolved."""

    __tablename__ = "credit_open_holds"
    __table_args__ = (
        sa.CheckConstraint('"left" >= 0', name="left_not_negative"),
        sa.Index("ix_credit_open_holds_user_id", "user_id"),
        sa.Index(
            "ix_credit_open_holds_expires_at",
            "expires_at",
            sqlite_where=sa.text("expires_at IS NOT NULL"),
            postgresql_where=sa.text("expires_at IS NOT NULL"),
        ),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    user_id: Mapped[Id]
    left: Mapped[Hundredths]
    operation: Mapped[str] = mapped_column(sa.String(40))
    operation_id: Mapped[str]
    expires_at: Mapped[datetime | None]


class KeyedRequest(Row):
    """A request that carried an Idempotency-Key: who runs it now (`ticket`), or what was answered."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (sa.Index("ix_idempotency_keys_created_at", "created_at"),)

    user_id: Mapped[Id] = mapped_column(primary_key=True)
    route: Mapped[str] = mapped_column(sa.Text(), primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(sa.String(64))
    ticket: Mapped[Id]
    lease_until: Mapped[Time]
    status: Mapped[int | None] = mapped_column(sa.SmallInteger())
    body: Mapped[bytes | None] = mapped_column(sa.LargeBinary())
    created_at: Mapped[Time]
