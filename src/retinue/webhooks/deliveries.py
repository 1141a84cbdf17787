"""Who sends a message now: claimed under a growing number, sent outside any transaction, and its end written down.

A sender that dies after the receiver took the message leaves a lease that ends; the next one sends the same message
under the same id, so that a receiver can tell.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from retinue.accounts.tables import User
from retinue.base.database import Transaction
from retinue.base.errors import Conflict, NotFound
from retinue.base.ids import first_id_at
from retinue.webhooks.outcomes import Again, Answer, Delivered, GivenUp, Outcome, judge
from retinue.webhooks.tables import OPEN, Attempt, Delivery, Webhook

LEASE = timedelta(seconds=30)  # twice as long as a try may take
KEPT = timedelta(days=30)
LOOKED_AT = 200
SWEPT_AT_ONCE = 1000
LEFT_ALONE = "The webhook was disabled"


class NoSuchDelivery(NotFound):
    code = "no-such-delivery"
    title = "There is no such delivery"


class BeingSent(Conflict):
    code = "delivery-under-way"
    title = "This is being sent right now"


@dataclass(frozen=True, slots=True)
class Due:
    """What could be sent. `address` says which of them go to the same receiver."""

    id: str
    attempts: int
    address: str


@dataclass(frozen=True, slots=True)
class Sending:
    """A message in one's hands, and everything it takes to send it."""

    delivery: Delivery
    webhook: Webhook | None

    @property
    def url(self) -> str:
        url = self.webhook.url if self.webhook else self.delivery.url
        assert url is not None, "a delivery has one address"
        return url


def due(now: Transaction, *, but_not: Collection[str]) -> Sequence[Due]:
    """The longest waiting first; `but_not` are addresses that have enough under way."""
    address = sa.func.coalesce(Delivery.webhook_id, Delivery.url)
    wanted = (
        sa.select(Delivery.id, Delivery.attempts, address.label("address"))
        .join(User, User.id == Delivery.user_id)
        .where(Delivery.state.in_(OPEN), Delivery.due_at <= now.time, address.not_in(but_not))
        .where(User.active, User.deleted_at.is_(None))
        .order_by(Delivery.due_at, Delivery.id)
        .limit(LOOKED_AT)
    )
    return [Due(row.id, row.attempts, row.address) for row in now.rows(wanted)]


def claim(now: Transaction, one: Due) -> Sending | None:
    """None where another node was faster, or where its owner wants nothing more."""
    mine = sa.update(Delivery).where(
        Delivery.id == one.id,
        Delivery.attempts == one.attempts,
        Delivery.state.in_(OPEN),
        Delivery.due_at <= now.time,
    )
    taken = {"state": "sending", "attempts": Delivery.attempts + 1, "tries": Delivery.tries + 1}
    if not now.changed(mine.values(**taken, due_at=now.time + LEASE)):
        return None
    delivery = now.first(sa.select(Delivery).where(Delivery.id == one.id))
    assert delivery is not None, "it was just changed"
    webhook = now.first(sa.select(Webhook).where(Webhook.id == delivery.webhook_id))
    if webhook is not None and webhook.disabled_at is not None:  # it was under way, with a sender that died since
        _leave_alone(now, delivery)
        return None
    return Sending(delivery, webhook)


def mark(now: Transaction, sending: Sending, answer: Answer, *, at: datetime) -> Outcome | None:
    """What the try came to, once; None where the lease had ended and somebody else has the message."""
    delivery, webhook = sending.delivery, sending.webhook
    present = now.first(sa.select(Webhook).where(Webhook.id == webhook.id)) if webhook else None
    since = present.failing_since if present else None
    outcome = judge(answer, tries=delivery.tries, failing_since=since or at, at=now.time)
    if present is not None and present.disabled_at is not None and isinstance(outcome, Again):
        outcome = GivenUp()
    mine = sa.update(Delivery).where(
        Delivery.id == delivery.id, Delivery.attempts == delivery.attempts, Delivery.state == "sending"
    )
    if not now.changed(mine.values(**_end_of(outcome, now))):
        return None
    now.insert(
        Attempt,
        {
            "delivery_id": delivery.id,
            "number": delivery.attempts,
            "at": at,
            "status": answer.status,
            "reason": answer.words,
        },
    )
    if webhook is not None:
        _note_health(now, webhook, outcome, at=at)
    return outcome


def disable(now: Transaction, webhook_id: str, *, because: str) -> None:
    """Nothing more goes there, and nothing waits for it."""
    on = sa.update(Webhook).where(Webhook.id == webhook_id, Webhook.disabled_at.is_(None))
    if not now.changed(on.values(disabled_at=now.time, disabled_because=because)):
        return
    left = sa.select(Delivery.id, Delivery.attempts).where(Delivery.webhook_id == webhook_id)
    for row in now.rows(left.where(Delivery.state == "waiting")):
        ended = sa.update(Delivery).where(Delivery.id == row.id, Delivery.state == "waiting")
        values = {"state": "failed", "ended_at": now.time, "attempts": row.attempts + 1}
        if now.changed(ended.values(**values)):
            _note_left_alone(now, row.id, row.attempts + 1)


def resend(now: Transaction, webhook: Webhook, delivery_id: str) -> None:
    """From the first try on, whatever became of it before; the message and its id stay."""
    again = sa.update(Delivery).where(Delivery.id == delivery_id, Delivery.webhook_id == webhook.id)
    fresh = {"state": "waiting", "tries": 0, "due_at": now.time, "ended_at": None}
    if now.changed(again.where(Delivery.state != "sending").values(**fresh)):
        return
    delivery_of(now, webhook.user_id, delivery_id, webhook_id=webhook.id)
    raise BeingSent()


def delivery_of(now: Transaction, user_id: str, delivery_id: str, *, webhook_id: str) -> Delivery:
    wanted = sa.select(Delivery).where(Delivery.id == delivery_id, Delivery.user_id == user_id)
    found = now.first(wanted.where(Delivery.webhook_id == webhook_id))
    if found is None:
        raise NoSuchDelivery()
    return found


def attempts_of(now: Transaction, deliveries: Sequence[Delivery]) -> dict[str, list[Attempt]]:
    """Of each of them, the first try first."""
    ids = [delivery.id for delivery in deliveries]
    found: dict[str, list[Attempt]] = {delivery_id: [] for delivery_id in ids}
    for attempt in now.all(sa.select(Attempt).where(Attempt.delivery_id.in_(ids)).order_by(Attempt.number)):
        found[attempt.delivery_id].append(attempt)
    return found


def sweep(now: Transaction) -> int:
    """What is a month old has been told or given up for weeks. One round; `SWEPT_AT_ONCE` say that more may be left."""
    old = sa.select(Delivery.id).where(Delivery.id < first_id_at(now.time - KEPT), Delivery.state != "sending")
    return now.changed(sa.delete(Delivery).where(Delivery.id.in_(old.limit(SWEPT_AT_ONCE))))


def _leave_alone(now: Transaction, delivery: Delivery) -> None:
    ended = sa.update(Delivery).where(Delivery.id == delivery.id, Delivery.attempts == delivery.attempts)
    if now.changed(ended.values(state="failed", ended_at=now.time)):
        _note_left_alone(now, delivery.id, delivery.attempts)


def _note_left_alone(now: Transaction, delivery_id: str, number: int) -> None:
    told = {"at": now.time, "status": None, "reason": LEFT_ALONE}
    now.insert(Attempt, {"delivery_id": delivery_id, "number": number, **told})


def _end_of(outcome: Outcome, now: Transaction) -> dict[str, Any]:
    if isinstance(outcome, Again):
        return {"state": "waiting", "due_at": outcome.at}
    return {"state": "delivered" if isinstance(outcome, Delivered) else "failed", "ended_at": now.time}


def _note_health(now: Transaction, webhook: Webhook, outcome: Outcome, *, at: datetime) -> None:
    if isinstance(outcome, Delivered):
        failing = sa.update(Webhook).where(Webhook.id == webhook.id, Webhook.failing_since.is_not(None))
        now.execute(failing.values(failing_since=None))
        return
    fine = sa.update(Webhook).where(Webhook.id == webhook.id, Webhook.failing_since.is_(None))
    now.execute(fine.values(failing_since=at))
    if isinstance(outcome, GivenUp) and outcome.disabled_because:
        disable(now, webhook.id, because=outcome.disabled_because)
