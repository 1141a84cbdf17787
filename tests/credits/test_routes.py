"""What people see and admins do about credits, over HTTP."""

import json
from datetime import timedelta
from itertools import pairwise

import pytest

from retinue import assembly
from retinue.base.clock import SetClock
from retinue.base.database import Transaction
from retinue.credits import ledger
from retinue.credits.sweeping import sweep
from tests.accounts.people import Person


def spend(house: assembly.House, person: Person, hundredths: int, *, operation: str = "errand") -> str:
    """The id of the charge."""

    def work(now: Transaction) -> str:
        held = ledger.hold(now, person.user.id, hundredths, operation=operation, operation_id="p1", expires_at=None)
        return ledger.settle(now, held, hundredths)

    return house.database.write_now(work)


class TestMyCredits:
    async def test_begin_with_the_welcome(self, ada: Person) -> None:
        answer = await ada.get("/api/v1/me/credits")
        assert answer.json() == {"balance": 100.0, "held": 0.0, "available": 100.0}

    async def test_are_decimal_numbers_with_two_places(self, ada: Person, house: assembly.House) -> None:
        spend(house, ada, 2_75)
        assert (await ada.get("/api/v1/me/credits")).json()["available"] == 97.25

    async def test_need_somebody(self, http: object, ada: Person) -> None:
        ada.credential = "nonsense"
        assert (await ada.get("/api/v1/me/credits")).status_code == 401


class TestMyTransactions:
    async def test_tell_every_entry_latest_first(self, ada: Person, house: assembly.House) -> None:
        spend(house, ada, 2_75)
        items = (await ada.get("/api/v1/me/transactions")).json()["items"]
        assert [item["kind"] for item in items] == ["release", "charge", "hold", "topup"]
        charge = items[1]
        assert (charge["amount"], charge["balance_before"], charge["balance_after"]) == (2.75, 100.0, 97.25)
        assert (charge["operation"], charge["operation_id"], charge["status"]) == ("errand", "p1", "done")
        assert items[3]["description"] == "welcome"

    async def test_come_in_pages(self, ada: Person, house: assembly.House) -> None:
        for _ in range(3):
            spend(house, ada, 2_75)
        seen, cursor = [], None
        while True:
            sent = {"limit": 3} | ({"cursor": cursor} if cursor else {})
            page = (await ada.get("/api/v1/me/transactions", params=sent)).json()
            seen += page["items"]
            if (cursor := page["next_cursor"]) is None:
                break
        assert len(seen) == len({item["id"] for item in seen}) == 10
        assert all(later["balance_before"] == before["balance_after"] for later, before in pairwise(seen))

    async def test_can_be_of_some_kinds_only(self, ada: Person, house: assembly.House) -> None:
        spend(house, ada, 2_75)
        page = (await ada.get("/api/v1/me/transactions?kind=charge&kind=topup")).json()
        assert [item["kind"] for item in page["items"]] == ["charge", "topup"]

    async def test_say_which_holds_are_still_open(self, ada: Person, house: assembly.House) -> None:
        house.database.write_now(
            lambda now: ledger.hold(now, ada.user.id, 1_00, operation="job", operation_id="j", expires_at=None)
        )
        newest = (await ada.get("/api/v1/me/transactions?limit=1")).json()["items"][0]
        assert (newest["kind"], newest["status"]) == ("hold", "held")

    async def test_are_nobody_elses(self, ada: Person, bob: Person, house: assembly.House) -> None:
        spend(house, ada, 2_75)
        assert [item["kind"] for item in (await bob.get("/api/v1/me/transactions")).json()["items"]] == ["topup"]


class TestRecharging:
    async def test_adds_credits_and_is_audited(self, ada: Person, admin: Person) -> None:
        answer = await admin.post(
            "/api/v1/admin/users/Ada@example.com/credits", json={"amount": 12.34, "reason": "invoice 7"}
        )
        assert answer.status_code == 200
        assert answer.json()["balance"] == 112.34
        assert (await admin.get(f"/api/v1/admin/users/{ada.user.id}/credits")).json() == answer.json()
        newest = (await ada.get("/api/v1/me/transactions?limit=1")).json()["items"][0]
        assert (newest["kind"], newest["description"], newest["actor"]) == ("topup", "invoice 7", admin.user.id)
        deed = (await admin.get("/api/v1/admin/audit?action=credits.add")).json()["items"][0]
        assert (deed["subject"], deed["facts"]) == (ada.user.id, {"amount": 12.34, "reason": "invoice 7"})

    async def test_takes_back_what_was_too_much_but_not_more_than_there_is(self, ada: Person, admin: Person) -> None:
        path = "/api/v1/admin/users/ada@example.com/credits"
        assert (await admin.post(path, json={"amount": -99.5, "reason": "typo"})).json()["balance"] == 0.5
        refused = await admin.post(path, json={"amount": -0.51, "reason": "typo"})
        assert refused.status_code == 402
        assert (refused.json()["code"], refused.json()["needed"], refused.json()["available"]) == (
            "not-enough-credits",
            0.51,
            0.5,
        )

    async def test_has_one_effect_however_often_it_is_sent(self, ada: Person, admin: Person) -> None:
        path, key = "/api/v1/admin/users/ada@example.com/credits", {"Idempotency-Key": "invoice-7"}
        first = await admin.post(path, json={"amount": 1, "reason": "invoice 7"}, headers=key)
        again = await admin.post(path, json={"reason": "invoice 7", "amount": 1.00}, headers=key)
        assert again.content == first.content
        assert (first.headers.get("Idempotency-Replayed"), again.headers["Idempotency-Replayed"]) == (None, "true")
        other = await admin.post(path, json={"amount": 2, "reason": "invoice 7"}, headers=key)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
        assert (await ada.get("/api/v1/me/credits")).json()["balance"] == 101.0

    async def test_takes_what_programs_make_of_a_sum(self, ada: Person, admin: Person) -> None:
        told = {"amount": 0.1 + 0.2, "reason": "0.30000000000000004"}
        assert (await admin.post("/api/v1/admin/users/ada@example.com/credits", json=told)).status_code == 200
        assert (await ada.get("/api/v1/me/credits")).json()["balance"] == 100.3

    @pytest.mark.parametrize("amount", [0, 0.001, 1e15, "much", "1", None, True, "NaN", 1e400])
    async def test_takes_only_amounts_with_two_places(self, ada: Person, admin: Person, amount: object) -> None:
        answer = await admin.post(
            "/api/v1/admin/users/ada@example.com/credits",
            content=json.dumps({"amount": amount, "reason": "x"}),
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code in {400, 422}
        assert (await ada.get("/api/v1/me/credits")).json()["balance"] == 100.0

    async def test_is_for_admins(self, ada: Person) -> None:
        path = "/api/v1/admin/users/ada@example.com/credits"
        assert (await ada.post(path, json={"amount": 1, "reason": "please"})).status_code == 403
        assert (await ada.get(path)).status_code == 403

    async def test_finds_only_people_who_are_there(self, admin: Person) -> None:
        assert (await admin.get("/api/v1/admin/users/nobody@example.com/credits")).status_code == 404


class TestRefunding:
    async def test_gives_back_a_part_and_then_the_rest(self, ada: Person, admin: Person, house: assembly.House) -> None:
        charge = spend(house, ada, 2_75)
        path = f"/api/v1/admin/transactions/{charge}/refund"
        part = await admin.post(path, json={"amount": 2, "reason": "blurred"})
        assert (part.status_code, part.json()["kind"], part.json()["amount"]) == (201, "refund", 2.0)
        rest = await admin.post(path, json={"reason": "all of it"})
        assert rest.json()["amount"] == 0.75
        assert (await admin.post(path, json={"amount": 0.01, "reason": "more"})).status_code == 409
        items = (await ada.get("/api/v1/me/transactions?kind=charge&kind=refund")).json()["items"]
        assert [(item["kind"], item["status"]) for item in items][-1] == ("charge", "refunded")
        assert (await ada.get("/api/v1/me/credits")).json()["balance"] == 100.0


class TestAllTransactions:
    async def test_add_up_by_user_day_and_operation(
        self, ada: Person, bob: Person, admin: Person, house: assembly.House, clock: SetClock
    ) -> None:
        clock.advance(days=-1)
        spend(house, ada, 2_75)
        clock.advance(days=1)
        spend(house, ada, 3_00, operation="inference")
        spend(house, bob, 1_50, operation="inference")

        async def charged(group_by: str, **more: str) -> dict[str, float]:
            sent = {"group_by": group_by, **more}
            answer = (await admin.get("/api/v1/admin/transactions", params=sent)).json()
            return {item["key"]: item["charged"] for item in answer["items"]}

        by_user = await charged("user")
        assert (by_user[ada.user.id], by_user[bob.user.id]) == (5.75, 1.5)
        assert await charged("day") == {"2025-12-31": 2.75, "2026-01-01": 4.5}
        by_operation = await charged("operation")
        assert (by_operation["errand"], by_operation["inference"]) == (2.75, 4.5)
        assert await charged("day", **{"from": "2026-01-01T00:00:00Z"}) == {"2026-01-01": 4.5}
        assert await charged("day", to="2026-01-01T00:00:00Z") == {"2025-12-31": 2.75}

    async def test_are_listed_one_by_one_too(self, ada: Person, admin: Person, house: assembly.House) -> None:
        charge = spend(house, ada, 2_75)
        items = (await admin.get("/api/v1/admin/transactions?limit=2")).json()["items"]
        assert charge in {item["id"] for item in items}


class TestVerifying:
    async def test_says_that_the_books_are_right(self, ada: Person, admin: Person, house: assembly.House) -> None:
        spend(house, ada, 2_75)
        assert (await admin.get("/api/v1/admin/ledger/verify")).json() == {"ok": True, "violations": []}


class TestMetrics:
    async def test_equal_the_ledger(self, ada: Person, house: assembly.House, clock: SetClock) -> None:
        async def told() -> str:
            lines = (await ada.get("/metrics")).text.splitlines()
            return next(line for line in lines if line.startswith('retinue_credits_total{operation="errand"}'))

        for _ in range(3):
            spend(house, ada, 2_75)
            clock.advance(minutes=7)
        assert (await told()).endswith(" 8.25")
        spend(house, ada, 2_75)
        clock.advance(minutes=30)
        assert (await told()).endswith(" 11.0")
        assert (await told()).endswith(" 11.0")


class TestSweeping:
    async def test_releases_what_a_dead_request_held(self, ada: Person, house: assembly.House, clock: SetClock) -> None:
        for seconds in (30, 60, 3600):
            house.database.write_now(
                lambda now, seconds=seconds: ledger.hold(
                    now,
                    ada.user.id,
                    1_00,
                    operation="errand",
                    operation_id="p",
                    expires_at=now.time + timedelta(seconds=seconds),
                )
            )
        clock.advance(seconds=61)
        assert await sweep(house.database) == 2
        assert await sweep(house.database) == 0
        assert (await ada.get("/api/v1/me/credits")).json()["held"] == 1.0
