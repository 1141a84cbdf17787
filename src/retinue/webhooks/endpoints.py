"""Whose webhooks there are: made, changed, given another secret, deleted."""

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa

from retinue.accounts import audit
from retinue.accounts.tables import User
from retinue.base.database import Transaction
from retinue.base.errors import Conflict, NotFound
from retinue.base.ids import new_id
from retinue.webhooks import deliveries
from retinue.webhooks.tables import Delivery, Webhook

MOST = 20
OLD_SECRET_SIGNS = timedelta(days=1)
BY_OWNER = "Its owner disabled it"


class NoSuchWebhook(NotFound):
    code = "no-such-webhook"
    title = "There is no such webhook"


class TooManyWebhooks(Conflict):
    code = "too-many-webhooks"
    title = "You have as many webhooks as anybody may"


class WebhookIsDisabled(Conflict):
    code = "webhook-disabled"
    title = "This webhook is disabled; enable it first"


def webhook_of(now: Transaction, user_id: str, webhook_id: str) -> Webhook:
    found = now.first(sa.select(Webhook).where(Webhook.id == webhook_id, Webhook.user_id == user_id))
    if found is None:
        raise NoSuchWebhook()
    return found


def enabled_webhook_of(now: Transaction, user_id: str, webhook_id: str) -> Webhook:
    found = webhook_of(now, user_id, webhook_id)
    if found.disabled_at is not None:
        raise WebhookIsDisabled()
    return found


def make(now: Transaction, user_id: str, *, url: str, events: Sequence[str]) -> Webhook:
    now.value(sa.select(User.id).where(User.id == user_id).with_for_update())  # one maker at a time: MOST holds
    if (now.value(sa.select(sa.func.count()).where(Webhook.user_id == user_id)) or 0) >= MOST:
        raise TooManyWebhooks(f"{MOST} webhooks are the most; delete one first")
    webhook_id = new_id(now.time)
    now.insert(
        Webhook,
        {
            "id": webhook_id,
            "user_id": user_id,
            "url": url,
            "events": list(events),
            "salt": new_id(now.time),
            "old_salt": None,
            "old_until": None,
            "created_at": now.time,
            "failing_since": None,
            "disabled_at": None,
            "disabled_because": None,
            "low_balance": None,
        },
    )
    audit.record(now, user_id, "webhook.make", webhook_id, {"events": list(events)})
    return webhook_of(now, user_id, webhook_id)


def change(
    now: Transaction,
    user_id: str,
    webhook_id: str,
    *,
    url: str | None = None,
    events: Sequence[str] | None = None,
    enabled: bool | None = None,
) -> Webhook:
    """Another address or other events begin with a clean slate. What waits goes to the new address."""
    found = webhook_of(now, user_id, webhook_id)
    values: dict[str, object] = {"url": url or found.url, "low_balance": None}
    if events is not None:
        values["events"] = list(events)
    if url is not None or enabled:
        values["failing_since"] = None
    if enabled:
        values |= {"disabled_at": None, "disabled_because": None}
    now.execute(sa.update(Webhook).where(Webhook.id == found.id).values(**values))
    if enabled is False:
        deliveries.disable(now, found.id, because=BY_OWNER)
    audit.record(now, user_id, "webhook.change", found.id, {"events": events and list(events), "enabled": enabled})
    return webhook_of(now, user_id, webhook_id)


def renew_secret(now: Transaction, user_id: str, webhook_id: str) -> Webhook:
    """Both sign for a day, so that no message is refused while the receiver learns the new one."""
    found = webhook_of(now, user_id, webhook_id)
    renewed = {"salt": new_id(now.time), "old_salt": found.salt, "old_until": now.time + OLD_SECRET_SIGNS}
    now.execute(sa.update(Webhook).where(Webhook.id == found.id).values(**renewed))
    audit.record(now, user_id, "webhook.renew-secret", found.id)
    return webhook_of(now, user_id, webhook_id)


def delete(now: Transaction, user_id: str, webhook_id: str) -> None:
    """With everything it was still to be told, and the log of what it was told."""
    found = webhook_of(now, user_id, webhook_id)
    now.execute(sa.delete(Webhook).where(Webhook.id == found.id))
    audit.record(now, user_id, "webhook.delete", found.id)


def delete_all(now: Transaction, user_id: str) -> None:
    """Whoever left is told nothing, and their addresses name nobody any more."""
    now.execute(sa.delete(Delivery).where(Delivery.user_id == user_id))
    now.execute(sa.delete(Webhook).where(Webhook.user_id == user_id))
