"""Webhooks: who is told when something has ended, and what became of each message."""

from collections.abc import Sequence
from datetime import datetime

from retinue.client.asking import Pages, Plan, Request, given, place
from retinue.client.rooms import Room, S, Told, listing, operation


class Webhook(Told):
    id: str
    url: str
    events: list[str]
    enabled: bool
    disabled_because: str | None
    failing_since: datetime | None
    created_at: datetime


class NewWebhook(Webhook):
    """`secret` signs its messages (Standard Webhooks)."""

    secret: str


class OwnSecret(Told):
    """Signs messages to addresses that were given with a job."""

    secret: str


class Attempt(Told):
    number: int
    at: datetime
    status: int | None
    reason: str | None


class Delivery(Told):
    id: str
    webhook_id: str | None
    url: str | None
    event: str
    state: str
    created_at: datetime
    next_at: datetime | None
    ended_at: datetime | None
    attempts: list[Attempt]
    body: str


class Webhooks(Room[S]):
    @operation
    def add(self, url: str, events: Sequence[str]) -> Plan[NewWebhook]:
        """Events: job.completed, job.failed, job.aborted, credits.low, model.activated."""
        request = Request("POST", place("/webhooks"), json={"url": url, "events": [*events]})
        return (yield from self._ask(request, NewWebhook))

    @operation
    def get(self, webhook_id: str) -> Plan[Webhook]:
        return (yield from self._ask(Request("GET", place("/webhooks/{}", webhook_id)), Webhook))

    @operation
    def change(
        self,
        webhook_id: str,
        *,
        url: str | None = None,
        events: Sequence[str] | None = None,
        enabled: bool | None = None,
    ) -> Plan[Webhook]:
        """What is not named stays."""
        wanted = given(url=url, events=None if events is None else [*events], enabled=enabled)
        return (yield from self._ask(Request("PATCH", place("/webhooks/{}", webhook_id), json=wanted), Webhook))

    @operation
    def delete(self, webhook_id: str) -> Plan[None]:
        yield from self._settle(Request("DELETE", place("/webhooks/{}", webhook_id)))

    @operation
    def renew_secret(self, webhook_id: str) -> Plan[NewWebhook]:
        return (yield from self._ask(Request("POST", place("/webhooks/{}/secret", webhook_id)), NewWebhook))

    @operation
    def own_secret(self) -> Plan[OwnSecret]:
        return (yield from self._ask(Request("GET", place("/webhooks/secret")), OwnSecret))

    @operation
    def test(self, webhook_id: str) -> Plan[Delivery]:
        """Send it a message now."""
        return (yield from self._ask(Request("POST", place("/webhooks/{}/test", webhook_id)), Delivery))

    @operation
    def resend(self, webhook_id: str, delivery_id: str) -> Plan[Delivery]:
        path = place("/webhooks/{}/deliveries/{}/resend", webhook_id, delivery_id)
        return (yield from self._ask(Request("POST", path), Delivery))

    @listing
    def deliveries(self, webhook_id: str) -> Pages[Delivery]:
        """The newest first."""
        return self._pages(place("/webhooks/{}/deliveries", webhook_id), Delivery)

    @listing
    def all_deliveries(self) -> Pages[Delivery]:
        """Also those to addresses that were given with a job."""
        return self._pages(place("/webhooks/deliveries"), Delivery)

    @listing
    def list(self) -> Pages[Webhook]:
        return self._pages(place("/webhooks"), Webhook)
