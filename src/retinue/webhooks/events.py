"""What can be told, and to whom: the news is written in the transaction that makes it true, one message per address."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

import orjson
import sqlalchemy as sa

from retinue.accounts.tables import User
from retinue.base.database import Transaction
from retinue.base.ids import new_id
from retinue.webhooks.tables import Delivery, Webhook

Event = Literal["job.completed", "job.failed", "job.aborted", "credits.low", "model.activated"]
EVENTS: tuple[Event, ...] = get_args(Event)
TEST = "webhook.test"  # to one webhook only, whatever it wants to hear of


def tell(
    now: Transaction, user_id: str, event: Event, facts: Mapping[str, Any], *, own_address: str | None = None
) -> None:
    """The user's webhooks that want to hear of it, and the address that was given with the work itself."""
    wanting = [webhook for webhook in _webhooks(now, Webhook.user_id == user_id) if webhook.wants(event)]
    _send(now, wanting, event, facts)
    if own_address is not None and all(webhook.url != own_address for webhook in wanting):
        own = {"user_id": user_id, "webhook_id": None, "url": own_address, **_message(now, event, facts)}
        now.insert(Delivery, own)


def tell_everybody(now: Transaction, event: Event, facts: Mapping[str, Any]) -> None:
    _send(now, (webhook for webhook in _webhooks(now) if webhook.wants(event)), event, facts)


def tell_one(now: Transaction, webhook: Webhook, event: str, facts: Mapping[str, Any]) -> str:
    """The id of the message."""
    (message,) = _send(now, [webhook], event, facts)
    return message


def _send(now: Transaction, webhooks: Iterable[Webhook], event: str, facts: Mapping[str, Any]) -> list[str]:
    rows = [
        {"user_id": webhook.user_id, "webhook_id": webhook.id, "url": None, **_message(now, event, facts)}
        for webhook in webhooks
    ]
    if rows:
        now.insert(Delivery, rows)
    return [str(row["id"]) for row in rows]


def _webhooks(now: Transaction, *of: sa.ColumnElement[bool]) -> list[Webhook]:
    """A deleted or disabled user is told nothing."""
    live = sa.select(Webhook).join(User, User.id == Webhook.user_id).where(User.active, User.deleted_at.is_(None))
    return now.all(live.where(Webhook.disabled_at.is_(None), *of).order_by(Webhook.id))


def _message(now: Transaction, event: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    told = {"type": event, "timestamp": now.time, "data": dict(facts)}
    return {
        "id": new_id(now.time),
        "event": event,
        "body": orjson.dumps(told, option=orjson.OPT_UTC_Z).decode(),
        "state": "waiting",
        "attempts": 0,
        "tries": 0,
        "due_at": now.time,
        "created_at": now.time,
        "ended_at": None,
    }
