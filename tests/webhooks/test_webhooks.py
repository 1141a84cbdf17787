"""Webhooks from the first request to the last try, with a real receiver on the other side."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from retinue import assembly
from retinue.accounts import people
from retinue.base import failpoints
from retinue.base.clock import SetClock
from retinue.base.database import Database
from retinue.credits import ledger
from retinue.webhooks import deliveries, endpoints, events
from retinue.webhooks.sending import MOST_PER_ADDRESS, Sender
from retinue.webhooks.tables import Delivery, Webhook
from tests.accounts.people import Person
from tests.jobs.asking import order, until_over
from tests.jobs.datasets import a_dataset, drawn_pictures
from tests.webhooks.receiver import Receiver, answer

HOOKS = "/api/v1/webhooks"
PATIENCE_S = 120


async def hook(person: Person, receiver: Receiver, *wanted: str) -> dict[str, Any]:
    made = await person.post(HOOKS, json={"url": receiver.url(), "events": wanted or ["job.completed"]})
    assert made.status_code == 201, made.text
    told: dict[str, Any] = made.json()
    return told


async def log_of(person: Person, webhook: dict[str, Any]) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = (await person.get(f"{HOOKS}/{webhook['id']}/deliveries")).json()["items"]
    return told


async def until_log(person: Person, webhook: dict[str, Any], is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The newest delivery, once it is as wanted."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so(newest := (await log_of(person, webhook))[0]):
        assert time.monotonic() < deadline, newest
        await asyncio.sleep(0.02)
    return newest


def is_over(delivery: dict[str, Any]) -> bool:
    return delivery["state"] in {"delivered", "failed"}


def has_tried(times: int) -> Callable[[dict[str, Any]], bool]:
    return lambda delivery: len(delivery["attempts"]) == times and delivery["state"] != "sending"


class TestMakingOne:
    async def test_the_secret_is_shown_once(self, ada: Person, receiver: Receiver) -> None:
        made = await hook(ada, receiver, "job.failed", "credits.low", "job.failed")
        assert made["secret"].startswith("whsec_")
        assert made["events"] == ["job.failed", "credits.low"]
        (listed,) = (await ada.get(HOOKS)).json()["items"]
        assert listed == {name: value for name, value in made.items() if name != "secret"}
        assert (await ada.get(f"{HOOKS}/{made['id']}")).json() == listed

    @pytest.mark.parametrize(
        "url",
        [
            "http://10.0.0.1/hook",
            "http://169.254.169.254/latest/meta-data",
            "http://[::1]:8000/",
            "http://93.184.216.34:22/",
            "ftp://93.184.216.34/",
            "http://user:secret@93.184.216.34/",
        ],
    )
    async def test_only_public_places_can_be_told(self, ada: Person, receiver: Receiver, url: str) -> None:
        refused = await ada.post(HOOKS, json={"url": url, "events": ["job.completed"]})
        assert (refused.status_code, refused.json()["code"]) == (422, "address-refused")
        made = await hook(ada, receiver)
        assert (await ada.patch(f"{HOOKS}/{made['id']}", json={"url": url})).status_code == 422

    async def test_what_is_no_event_is_refused(self, ada: Person, receiver: Receiver) -> None:
        for wanted in ([], ["job.started"], ["webhook.test"]):
            refused = await ada.post(HOOKS, json={"url": receiver.url(), "events": wanted})
            assert refused.status_code == 422, wanted

    async def test_twenty_are_the_most(self, ada: Person, database: Database, receiver: Receiver) -> None:
        for _ in range(endpoints.MOST):
            database.write_now(lambda now: endpoints.make(now, ada.user.id, url=receiver.url(), events=["job.failed"]))
        refused = await ada.post(HOOKS, json={"url": receiver.url(), "events": ["job.failed"]})
        assert (refused.status_code, refused.json()["code"]) == (409, "too-many-webhooks")

    async def test_deleted_it_is_told_nothing_more(self, ada: Person, receiver: Receiver, database: Database) -> None:
        made = await hook(ada, receiver)
        assert (await ada.delete(f"{HOOKS}/{made['id']}")).status_code == 204
        assert (await ada.get(f"{HOOKS}/{made['id']}")).status_code == 404
        database.write_now(lambda now: events.tell(now, ada.user.id, "job.completed", {}))
        assert database.read_now(lambda now: now.all(sa.select(Delivery))) == []

    async def test_who_leaves_takes_them_along(self, ada: Person, receiver: Receiver, database: Database) -> None:
        await hook(ada, receiver)
        own = receiver.url("/own")
        database.write_now(lambda now: events.tell(now, ada.user.id, "job.completed", {}, own_address=own))
        assert (await ada.delete("/api/v1/me")).status_code == 204
        assert database.read_now(lambda now: now.all(sa.select(Webhook))) == []
        assert database.read_now(lambda now: now.all(sa.select(Delivery))) == []


class TestBeingTold:
    async def test_a_test_message_is_signed_as_the_standard_says(self, ada: Person, receiver: Receiver) -> None:
        made = await hook(ada, receiver)
        begun = await ada.post(f"{HOOKS}/{made['id']}/test")
        assert begun.status_code == 202
        await receiver.until(lambda: len(receiver.messages) == 1)
        (message,) = receiver.messages
        told = Verifier(made["secret"]).verify(message.body, message.headers)
        assert (told["type"], told["data"]) == ("webhook.test", {"webhook_id": made["id"]})
        with pytest.raises(WebhookVerificationError):
            Verifier(made["secret"]).verify(message.body + b" ", message.headers)
        ended = await until_log(ada, made, is_over)
        assert (ended["id"], ended["state"], ended["body"]) == (message.id, "delivered", message.body.decode())
        assert [(one["number"], one["status"], one["reason"]) for one in ended["attempts"]] == [(1, 204, None)]

    async def test_after_a_new_secret_both_sign_for_a_day(
        self, ada: Person, receiver: Receiver, clock: SetClock
    ) -> None:
        made = await hook(ada, receiver)
        renewed = (await ada.post(f"{HOOKS}/{made['id']}/secret")).json()
        assert renewed["secret"] != made["secret"]
        await ada.post(f"{HOOKS}/{made['id']}/test")
        await receiver.until(lambda: len(receiver.messages) == 1)
        for secret in (made["secret"], renewed["secret"]):
            Verifier(secret).verify(receiver.messages[0].body, receiver.messages[0].headers)
        clock.advance(days=1)
        assert len(receiver.messages[0].headers["webhook-signature"].split()) == 2

    async def test_a_job_tells_its_owner_and_the_address_it_was_given(
        self, house: assembly.House, ada: Person, bob: Person, receiver: Receiver
    ) -> None:
        made, _ = await hook(ada, receiver), await hook(bob, receiver)
        await a_dataset(house, ada, drawn_pictures(2))
        begun = await order(ada, webhook=receiver.url("/mine"))
        await until_over(ada, begun["inference_id"])
        await receiver.until(lambda: len(receiver.messages) == 2)
        secrets = [made["secret"], (await ada.get(f"{HOOKS}/secret")).json()["secret"]]
        deliveries_of_ada = (await ada.get(f"{HOOKS}/deliveries")).json()["items"]
        webhooks = {one["id"]: one["webhook_id"] for one in deliveries_of_ada}
        assert sorted(webhooks.values(), key=str) == sorted([made["id"], None], key=str)
        for message in receiver.messages:
            secret = secrets[0] if webhooks[message.id] else secrets[1]
            told = Verifier(secret).verify(message.body, message.headers)
            assert told["type"] == "job.completed"
            assert told["data"]["inference_id"] == begun["inference_id"]
            assert (told["data"]["done"], told["data"]["cost"]) == (2, 5.5)

    async def test_an_address_that_is_a_webhook_already_is_told_once(
        self, ada: Person, receiver: Receiver, database: Database
    ) -> None:
        made = await hook(ada, receiver)
        database.write_now(lambda now: events.tell(now, ada.user.id, "job.completed", {}, own_address=receiver.url()))
        assert len(await log_of(ada, made)) == 1
        assert len((await ada.get(f"{HOOKS}/deliveries")).json()["items"]) == 1

    async def test_everybody_who_asked_hears_of_another_version(
        self, ada: Person, admin: Person, receiver: Receiver
    ) -> None:
        await hook(ada, receiver, "model.activated")
        switch = "/api/v1/models/efficientnet-lite0/versions/1/activate"
        assert (await admin.post(switch, json={"reason": "best so far"})).status_code == 200
        await receiver.until(lambda: len(receiver.messages) == 1)
        facts = {"model": "efficientnet-lite0", "version": "1", "reason": "best so far"}
        assert receiver.messages[0].told["data"] == facts

    async def test_a_disabled_user_is_told_nothing(self, ada: Person, receiver: Receiver, database: Database) -> None:
        await hook(ada, receiver)
        database.write_now(lambda now: people.set_active(now, ada.user.id, False, actor="test"))
        database.write_now(lambda now: events.tell(now, ada.user.id, "job.completed", {}))
        assert database.read_now(lambda now: now.all(sa.select(Delivery))) == []


class TestTryingAgain:
    async def test_the_same_message_under_the_same_id_until_it_is_taken(
        self, ada: Person, receiver: Receiver, clock: SetClock
    ) -> None:
        made = await hook(ada, receiver)
        receiver.answers.extend([answer(500), answer(302, location=receiver.url("/elsewhere"))])
        await ada.post(f"{HOOKS}/{made['id']}/test")
        first = await until_log(ada, made, has_tried(1))
        assert first["state"] == "waiting"
        clock.advance(seconds=10)
        await until_log(ada, made, has_tried(2))
        assert (await ada.get(f"{HOOKS}/{made['id']}")).json()["failing_since"]
        clock.advance(minutes=10)
        ended = await until_log(ada, made, is_over)
        assert [(one["status"], one["reason"]) for one in ended["attempts"]] == [
            (500, "The address answered 500"),
            (302, "The address redirects; redirects are not followed"),
            (204, None),
        ]
        assert {message.id for message in receiver.messages} == {first["id"]}
        assert len({message.headers["webhook-timestamp"] for message in receiver.messages}) == 3
        assert len(receiver.messages) == 3, "no redirect was followed"
        assert (await ada.get(f"{HOOKS}/{made['id']}")).json()["failing_since"] is None

    async def test_a_receiver_that_is_gone_is_disabled_and_can_be_enabled_again(
        self, ada: Person, receiver: Receiver
    ) -> None:
        made = await hook(ada, receiver)
        place = f"{HOOKS}/{made['id']}"
        receiver.answers.append(answer(410))
        begun = (await ada.post(f"{place}/test")).json()
        assert (await until_log(ada, made, is_over))["state"] == "failed"
        shown = (await ada.get(place)).json()
        assert (shown["enabled"], shown["disabled_because"]) == (
            False,
            "The address answered 410: it is gone for good",
        )
        for asked in ("test", f"deliveries/{begun['id']}/resend"):
            refused = await ada.post(f"{place}/{asked}")
            assert (refused.status_code, refused.json()["code"]) == (409, "webhook-disabled")
        assert (await ada.patch(place, json={"enabled": True})).json()["enabled"] is True
        assert (await ada.post(f"{place}/deliveries/{begun['id']}/resend")).status_code == 202
        ended = await until_log(ada, made, is_over)
        assert (ended["state"], ended["id"], len(ended["attempts"])) == ("delivered", begun["id"], 2)

    async def test_disabled_by_its_owner_nothing_waits_any_more(
        self, ada: Person, receiver: Receiver, clock: SetClock
    ) -> None:
        made = await hook(ada, receiver)
        receiver.answers.append(answer(503, retry_after="600"))
        await ada.post(f"{HOOKS}/{made['id']}/test")
        waiting = await until_log(ada, made, has_tried(1))
        assert datetime.fromisoformat(waiting["next_at"]) == clock.now() + timedelta(seconds=600)
        await ada.patch(f"{HOOKS}/{made['id']}", json={"enabled": False})
        (ended,) = await log_of(ada, made)
        assert (ended["state"], ended["attempts"][-1]["reason"]) == ("failed", deliveries.LEFT_ALONE)


class TestSendersThatDie:
    """The sender alone, so that nobody else sends."""

    @pytest.fixture
    async def sender(self, house: assembly.House) -> AsyncIterator[Sender]:
        sender = assembly.sender_of(house)
        yield sender
        await sender.finish(within_s=5)

    @pytest.fixture
    def webhook_id(self, house: assembly.House, somebody: str, receiver: Receiver) -> str:
        made = house.database.write_now(
            lambda now: endpoints.make(now, somebody, url=receiver.url(), events=["job.completed", "credits.low"])
        )
        return made.id

    @pytest.fixture
    def somebody(self, house: assembly.House) -> str:
        return house.database.write_now(
            lambda now: people.sign_up(
                now, people.Newcomer("somebody@example.com", "x"), then=house.accounts.after_sign_up
            )
        ).id

    def all_of(self, database: Database) -> list[Delivery]:
        return database.read_now(lambda now: now.all(sa.select(Delivery).order_by(Delivery.id)))

    async def test_between_the_sending_and_the_mark_nothing_is_lost(
        self, sender: Sender, database: Database, webhook_id: str, somebody: str, receiver: Receiver, clock: SetClock
    ) -> None:
        database.write_now(lambda now: events.tell(now, somebody, "job.completed", {"done": 1}))
        failpoints.arm("after_webhook_sent=raise")
        assert await sender.send_due() == 1
        await sender.finish()
        (left,) = self.all_of(database)
        assert (left.state, len(receiver.messages)) == ("sending", 1)
        assert await sender.send_due() == 0, "the lease of the dead one still runs"
        clock.advance(seconds=deliveries.LEASE.total_seconds() + 1)
        assert await sender.send_due() == 1
        await sender.finish()
        assert [(one.state, one.attempts) for one in self.all_of(database)] == [("delivered", 2)]
        first, second = receiver.messages
        assert (first.id, first.body) == (second.id, second.body)

    @pytest.mark.parametrize("dies", [False, True], ids=["fails", "dies"])
    async def test_disabled_while_it_is_under_way_it_is_tried_no_more(
        self,
        sender: Sender,
        database: Database,
        webhook_id: str,
        somebody: str,
        receiver: Receiver,
        clock: SetClock,
        dies: bool,
    ) -> None:
        database.write_now(lambda now: events.tell(now, somebody, "job.completed", {}))
        receiver.answers.append(answer(503))
        receiver.hold = asyncio.Event()
        if dies:
            failpoints.arm("after_webhook_sent=raise")
        await sender.send_due()
        await receiver.until(lambda: len(receiver.messages) == 1)
        database.write_now(lambda now: deliveries.disable(now, webhook_id, because=endpoints.BY_OWNER))
        receiver.hold.set()
        await sender.finish()
        clock.advance(hours=1)
        assert await sender.send_due() == 0
        await sender.finish()
        assert [one.state for one in self.all_of(database)] == ["failed"]
        assert len(receiver.messages) == 1

    async def test_of_many_messages_and_many_deaths_none_is_missing(
        self, sender: Sender, database: Database, webhook_id: str, somebody: str, receiver: Receiver, clock: SetClock
    ) -> None:
        for number in range(30):
            database.write_now(lambda now, n=number: events.tell(now, somebody, "job.completed", {"number": n}))
        deaths = 0
        while any(one.state != "delivered" for one in self.all_of(database)):
            if deaths < 10:
                failpoints.arm("after_webhook_sent=raise")
                deaths += 1
            await sender.send_due()
            await sender.finish()
            clock.advance(seconds=deliveries.LEASE.total_seconds() + 1)
        assert len(receiver.messages) == 30 + deaths
        by_id = {message.id: message.told["data"]["number"] for message in receiver.messages}
        assert sorted(by_id.values()) == list(range(30))

    @pytest.mark.parametrize(("failures", "state"), [(9, "delivered"), (10, "failed")])
    async def test_ten_tries_and_no_more(
        self,
        sender: Sender,
        database: Database,
        webhook_id: str,
        somebody: str,
        receiver: Receiver,
        clock: SetClock,
        failures: int,
        state: str,
    ) -> None:
        database.write_now(lambda now: events.tell(now, somebody, "job.completed", {}))
        receiver.answers.extend([answer(503)] * failures)
        for _ in range(12):
            await sender.send_due()
            await sender.finish()
            clock.advance(hours=27)
        assert [one.state for one in self.all_of(database)] == [state]
        assert (len(receiver.messages), len({message.id for message in receiver.messages})) == (10, 1)
        left = database.read_now(lambda now: endpoints.webhook_of(now, somebody, webhook_id))
        assert (left.disabled_at is not None) == (state == "failed")

    async def test_one_that_wakes_after_its_lease_changes_nothing(
        self, sender: Sender, database: Database, webhook_id: str, somebody: str, receiver: Receiver, clock: SetClock
    ) -> None:
        database.write_now(lambda now: events.tell(now, somebody, "job.completed", {}))
        receiver.answers.append(answer(500))
        receiver.hold = asyncio.Event()
        await sender.send_due()
        await receiver.until(lambda: len(receiver.messages) == 1)
        clock.advance(seconds=deliveries.LEASE.total_seconds() + 1)
        other = database.write_now(lambda now: deliveries.claim(now, deliveries.due(now, but_not=[])[0]))
        assert other is not None
        receiver.hold.set()
        await sender.finish()
        (left,) = self.all_of(database)
        assert (left.state, left.attempts) == ("sending", 2)

    async def test_a_receiver_that_hangs_holds_up_nobody_else(
        self, sender: Sender, database: Database, webhook_id: str, somebody: str, receiver: Receiver
    ) -> None:
        receiver.hold = asyncio.Event()
        for _ in range(3 * MOST_PER_ADDRESS):
            database.write_now(lambda now: events.tell(now, somebody, "job.completed", {}))
        own = receiver.url("/own")
        database.write_now(lambda now: events.tell(now, somebody, "job.failed", {}, own_address=own))
        assert await sender.send_due() == MOST_PER_ADDRESS + 1
        assert await sender.send_due() == 0
        receiver.hold.set()
        await sender.finish()

    async def test_a_name_that_leads_inside_by_now_is_not_followed(
        self, house: assembly.House, somebody: str, receiver: Receiver, database: Database
    ) -> None:
        """It was public when it was saved: the check is made again at every try."""
        strict = house.settings.model_copy(update={"webhook_allow": []})
        house.settings = strict
        sender = assembly.sender_of(house)
        for host in ("127.0.0.1", "localhost"):
            own = receiver.url(host=host)
            database.write_now(lambda now, own=own: events.tell(now, somebody, "job.failed", {}, own_address=own))
        assert await sender.send_due() == 2
        await sender.finish()
        assert receiver.messages == []
        tries = database.read_now(lambda now: deliveries.attempts_of(now, self.all_of(database)))
        reasons = {one.reason for attempts in tries.values() for one in attempts}
        assert len(reasons) == 1
        assert "public" in str(reasons.pop())

    async def test_who_runs_low_is_told_once_until_topped_up(
        self, sender: Sender, database: Database, webhook_id: str, somebody: str
    ) -> None:
        def have(hundredths: int) -> None:
            def change(now: Any) -> None:
                ledger.adjust(now, somebody, hundredths - ledger.balance(now, somebody).balance, actor="x", reason="x")

            database.write_now(change)

        told = []
        for hundredths in (50_00, 9_00, 5_00, 12_00, 30_00, 9_99, 9_98, 50_00, 1_00):
            have(hundredths)
            await sender.tell_who_is_low()
            await sender.tell_who_is_low()
            told.append(len(self.all_of(database)))
        assert told == [0, 1, 1, 1, 1, 2, 2, 2, 3]
        facts = self.all_of(database)[0].body
        assert '"available":9.0' in facts
        assert '"threshold":10.0' in facts

    async def test_a_month_later_the_log_is_forgotten(
        self, database: Database, webhook_id: str, somebody: str, clock: SetClock
    ) -> None:
        database.write_now(lambda now: events.tell(now, somebody, "job.completed", {}))
        clock.advance(days=29)
        assert database.write_now(deliveries.sweep) == 0
        clock.advance(days=2)
        assert database.write_now(deliveries.sweep) == 1
        assert self.all_of(database) == []

    async def test_however_many_they_are(
        self,
        sender: Sender,
        database: Database,
        webhook_id: str,
        somebody: str,
        clock: SetClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(deliveries, "SWEPT_AT_ONCE", 2)
        for _ in range(5):
            database.write_now(lambda now: events.tell(now, somebody, "job.completed", {}))
        clock.advance(days=31)
        await sender.sweep()
        assert self.all_of(database) == []
