"""What is kept about webhooks: where to tell whom of what, what is still to be told, and how each try went."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from retinue.base.tables import Id, Row, Time

# What somebody still has to send: it waits for its time, or a sender has it until its lease ends.
OPEN = ("waiting", "sending")
_IS_OPEN = sa.text("state IN ('waiting', 'sending')")


class Webhook(Row):
    """An address of somebody's that wants to hear of some events.

    `salt` names its secret, which is derived and so in no backup of the database; while `old_until` lies ahead, the
    secret before signs too. `failing_since` is when the first of the failures after its last success was;
    `low_balance` the balance at which it was told that credits run low.
    """

    __tablename__ = "webhooks"
    __table_args__ = (sa.Index("ix_webhooks_user_id_id", "user_id", "id"),)

    id: Mapped[Id] = mapped_column(primary_key=True)
    user_id: Mapped[Id] = mapped_column(sa.ForeignKey("users.id"))
    url: Mapped[str]
    events: Mapped[list[str]]
    salt: Mapped[Id]
    old_salt: Mapped[str | None] = mapped_column(sa.String(36))
    old_until: Mapped[datetime | None]
    created_at: Mapped[Time]
    failing_since: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    disabled_because: Mapped[str | None]
    low_balance: Mapped[int | None] = mapped_column(sa.BigInteger())

    def wants(self, event: str) -> bool:
        return self.disabled_at is None and event in self.events


class Delivery(Row):
    """One message to one address: waiting ↔ sending → delivered or failed. Its id is the message's on every try.

    `attempts` grows with every try and fences off a sender whose lease has ended; `tries` counts those of the present
    round, which `resend` begins anew.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        sa.CheckConstraint("state IN ('waiting', 'sending', 'delivered', 'failed')", name="known_state"),
        sa.CheckConstraint("(webhook_id IS NULL) <> (url IS NULL)", name="one_address"),
        sa.Index("ix_webhook_deliveries_due_at", "due_at", sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),
        sa.Index("ix_webhook_deliveries_webhook_id_id", "webhook_id", "id"),
        sa.Index("ix_webhook_deliveries_user_id_id", "user_id", "id"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    user_id: Mapped[Id] = mapped_column(sa.ForeignKey("users.id"))
    webhook_id: Mapped[str | None] = mapped_column(sa.String(36), sa.ForeignKey("webhooks.id", ondelete="CASCADE"))
    url: Mapped[str | None]  # a job's own address; else the webhook's, as it is at each try
    event: Mapped[str] = mapped_column(sa.String(40))
    body: Mapped[str]  # the same bytes on every try
    state: Mapped[str] = mapped_column(sa.String(10))
    attempts: Mapped[int]
    tries: Mapped[int]
    due_at: Mapped[Time]
    created_at: Mapped[Time]
    ended_at: Mapped[datetime | None]


class Attempt(Row):
    """How one try went: the status that came back, or why none did. A try without a row died with its sender."""

    __tablename__ = "webhook_attempts"

    delivery_id: Mapped[Id] = mapped_column(
        sa.ForeignKey("webhook_deliveries.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[Time]
    status: Mapped[int | None] = mapped_column(sa.SmallInteger())
    reason: Mapped[str | None]
