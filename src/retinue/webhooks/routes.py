"""Webhooks of the one who asks: where to tell of what, how the telling went, and telling it again."""

from datetime import datetime
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, Field

from retinue.accounts.access import Identity, may
from retinue.base.addresses import MAX_URL_LENGTH
from retinue.base.database import Database, Transaction
from retinue.base.paging import Asked, Page, Paging
from retinue.base.parts import part
from retinue.base.shapes import Strict
from retinue.base.words import OneLine
from retinue.webhooks import deliveries, endpoints, events
from retinue.webhooks.events import Event
from retinue.webhooks.sending import Sender
from retinue.webhooks.tables import Attempt, Delivery, Webhook

routes = APIRouter(prefix="/api/v1/webhooks", tags=["webhooks"])
Writer = Annotated[Identity, may("webhooks:write")]
Db = Annotated[Database, part(Database)]
SenderPart = Annotated[Sender, part(Sender)]
Url = Annotated[str, Field(min_length=1, max_length=MAX_URL_LENGTH, examples=["https://example.com/retinue"]), OneLine]


def _once_each(told: list[Event]) -> list[Event]:
    return [event for event in events.EVENTS if event in told]


Events = Annotated[list[Event], Field(min_length=1, max_length=20), AfterValidator(_once_each)]


class NewWebhook(Strict):
    url: Url = Field(description="http or https, at a public address, on port 80, 443 or 8000 to 9999.")
    events: Events


class WebhookChange(Strict):
    url: Url | None = None
    events: Events | None = None
    enabled: bool | None = None


class WebhookShown(BaseModel):
    id: str
    url: str
    events: list[Event]
    enabled: bool
    disabled_because: str | None
    failing_since: datetime | None
    created_at: datetime


class WebhookWithSecret(WebhookShown):
    secret: str = Field(description="Shown once. Verify `webhook-signature` with it (Standard Webhooks).")


class OwnSecret(BaseModel):
    secret: str


class AttemptShown(BaseModel):
    number: int
    at: datetime
    status: int | None = Field(description="what the address answered; none when it gave no usable answer")
    reason: str | None


class DeliveryShown(BaseModel):
    id: str = Field(description="`webhook-id` of the message, the same on every try")
    webhook_id: str | None = Field(description="none: the address came with an inference")
    url: str | None
    event: str
    state: Literal["waiting", "sending", "delivered", "failed"]
    created_at: datetime
    next_at: datetime | None
    ended_at: datetime | None
    attempts: list[AttemptShown]
    body: str = Field(description="exactly what is sent")


@routes.post("", status_code=201)
async def create_webhook(asked: NewWebhook, db: Db, sender: SenderPart, caller: Writer) -> WebhookWithSecret:
    """Tell an address of yours when something happens. The secret is in this answer and nowhere else."""
    await sender.check_address(asked.url)
    made = await db.write(lambda now: endpoints.make(now, caller.user_id, url=asked.url, events=asked.events))
    return _with_secret(made, sender)


@routes.get("")
async def list_webhooks(db: Db, caller: Writer, asked: Paging) -> Page[WebhookShown]:
    mine = sa.select(Webhook).where(Webhook.user_id == caller.user_id)
    rows, next_cursor = await db.read(lambda now: asked.newest_first(now, mine, Webhook.id, of="webhooks"))
    return Page(items=[_shown(row) for row in rows], next_cursor=next_cursor)


@routes.get("/secret")
async def get_webhook_secret(sender: SenderPart, caller: Writer) -> OwnSecret:
    """What messages to addresses given with an inference are signed with; webhooks have secrets of their own."""
    return OwnSecret(secret=sender.signing.secret_of_user(caller.user_id))


@routes.get("/deliveries")
async def list_all_deliveries(db: Db, caller: Writer, asked: Paging) -> Page[DeliveryShown]:
    """Everything you were told in the last month, to addresses given with an inference too, the newest first."""
    mine = sa.select(Delivery).where(Delivery.user_id == caller.user_id)
    return await db.read(lambda now: _page(now, mine, asked))


@routes.get("/{webhook_id}")
async def get_webhook(webhook_id: str, db: Db, caller: Writer) -> WebhookShown:
    return _shown(await db.read(lambda now: endpoints.webhook_of(now, caller.user_id, webhook_id)))


@routes.patch("/{webhook_id}")
async def change_webhook(
    webhook_id: str, asked: WebhookChange, db: Db, sender: SenderPart, caller: Writer
) -> WebhookShown:
    """Another address, other events, on or off. One that was disabled because it failed is enabled here again."""
    if asked.url is not None:
        await sender.check_address(asked.url)
    told = asked.model_dump()
    return _shown(await db.write(lambda now: endpoints.change(now, caller.user_id, webhook_id, **told)))


@routes.delete("/{webhook_id}", status_code=204)
async def delete_webhook(webhook_id: str, db: Db, caller: Writer) -> None:
    """With what it was still to be told, and the log of what it was told."""
    await db.write(lambda now: endpoints.delete(now, caller.user_id, webhook_id))


@routes.post("/{webhook_id}/secret")
async def renew_webhook_secret(webhook_id: str, db: Db, sender: SenderPart, caller: Writer) -> WebhookWithSecret:
    """A new secret, shown once. Messages carry the signature of the old one too for a day."""
    renewed = await db.write(lambda now: endpoints.renew_secret(now, caller.user_id, webhook_id))
    return _with_secret(renewed, sender)


@routes.post("/{webhook_id}/test", status_code=202)
async def test_webhook(webhook_id: str, db: Db, sender: SenderPart, caller: Writer) -> DeliveryShown:
    """Sends `webhook.test`, whatever events were chosen; how it went is in the log of deliveries."""

    def begin(now: Transaction) -> DeliveryShown:
        webhook = endpoints.enabled_webhook_of(now, caller.user_id, webhook_id)
        message = events.tell_one(now, webhook, events.TEST, {"webhook_id": webhook.id})
        return _delivery(now, deliveries.delivery_of(now, caller.user_id, message, webhook_id=webhook.id))

    begun = await db.write(begin)
    await sender.send_due()
    return begun


@routes.get("/{webhook_id}/deliveries")
async def list_deliveries(webhook_id: str, db: Db, caller: Writer, asked: Paging) -> Page[DeliveryShown]:
    """What it was told in the last month and how each try went, the newest first."""

    def look(now: Transaction) -> Page[DeliveryShown]:
        webhook = endpoints.webhook_of(now, caller.user_id, webhook_id)
        return _page(now, sa.select(Delivery).where(Delivery.webhook_id == webhook.id), asked)

    return await db.read(look)


@routes.post("/{webhook_id}/deliveries/{delivery_id}/resend", status_code=202)
async def resend_delivery(
    webhook_id: str, delivery_id: str, db: Db, sender: SenderPart, caller: Writer
) -> DeliveryShown:
    """The same message under the same id, now; its tries begin anew."""

    def again(now: Transaction) -> DeliveryShown:
        webhook = endpoints.enabled_webhook_of(now, caller.user_id, webhook_id)
        deliveries.resend(now, webhook, delivery_id)
        return _delivery(now, deliveries.delivery_of(now, caller.user_id, delivery_id, webhook_id=webhook.id))

    begun = await db.write(again)
    await sender.send_due()
    return begun


def _page(now: Transaction, wanted: sa.Select[Delivery], asked: Asked) -> Page[DeliveryShown]:
    rows, next_cursor = asked.newest_first(now, wanted, Delivery.id, of="deliveries")
    attempts = deliveries.attempts_of(now, rows)
    return Page(items=[_delivery_shown(row, attempts[row.id]) for row in rows], next_cursor=next_cursor)


def _delivery(now: Transaction, row: Delivery) -> DeliveryShown:
    return _delivery_shown(row, deliveries.attempts_of(now, [row])[row.id])


def _delivery_shown(row: Delivery, attempts: list[Attempt]) -> DeliveryShown:
    same = ("id", "webhook_id", "url", "event", "state", "created_at", "ended_at", "body")
    tries = [AttemptShown(number=one.number, at=one.at, status=one.status, reason=one.reason) for one in attempts]
    return DeliveryShown(
        **{name: getattr(row, name) for name in same},
        next_at=row.due_at if row.state == "waiting" else None,
        attempts=tries,
    )


def _shown(webhook: Webhook) -> WebhookShown:
    return WebhookShown(**_facts(webhook))


def _with_secret(webhook: Webhook, sender: Sender) -> WebhookWithSecret:
    return WebhookWithSecret(**_facts(webhook), secret=sender.signing.secret_of(webhook))


def _facts(webhook: Webhook) -> dict[str, Any]:
    same = ("id", "url", "events", "disabled_because", "failing_since", "created_at")
    return {"enabled": webhook.disabled_at is None, **{name: getattr(webhook, name) for name in same}}
