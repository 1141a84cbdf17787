"""Versions are compared on the same pictures, take over by rule or reason, and give way again."""

import asyncio
from typing import Any

import pytest

from retinue import assembly
from retinue.base.settings import Settings
from tests.accounts.people import Person
from tests.feedback.models import classifier, picture, put_in, say
from tests.pictures import drawn
from tests.predictions.asking import predict
from tests.vision.exports import ultralytics

COMPARE = "/api/v1/models/colours/versions/compare?a=1&b=2"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"promotion_pictures": 4})


@pytest.fixture
async def colours(house: assembly.House) -> None:
    """Version 1 takes blue for red, version 2 green for blue."""
    await put_in(house, "colours", classifier(blue="red"), classifier(green="blue"))


async def asked(person: Person, colour: str, number: int, *, version: str) -> dict[str, Any]:
    return await predict(person, picture(colour, number), model="colours", version=version)


async def activate(admin: Person, version: str, **told: Any) -> Any:
    return await admin.post(f"/api/v1/models/colours/versions/{version}/activate", json=told)


@pytest.mark.usefixtures("colours")
class TestComparing:
    async def test_one_verdict_judges_both_where_it_says_what_is_right(self, ada: Person) -> None:
        """Four pictures, each judged once: by the version that was asked first, with or without the true label."""
        for number, (colour, first, said) in enumerate(
            [
                ("blue", "1", {"correct": False, "label": "blue"}),
                ("blue", "2", {"correct": True}),
                ("green", "2", {"correct": False, "label": "green"}),
                ("red", "1", {"correct": True}),
            ]
        ):
            other = "2" if first == "1" else "1"
            judged = await asked(ada, colour, number, version=first)
            await asked(ada, colour, number, version=other)
            await say(ada, judged["prediction_id"], **said)
        told = (await ada.get(COMPARE)).json()
        assert (told["pictures"], told["both_right"], told["both_wrong"]) == (4, 1, 0)
        assert (told["a"]["right"], told["a"]["only_this"], told["a"]["accuracy"]) == (2, 1, 0.5)
        assert (told["b"]["right"], told["b"]["only_this"], told["b"]["accuracy"]) == (3, 2, 0.75)
        assert told["chance"] == 1.0
        turned = (await ada.get("/api/v1/models/colours/versions/compare?a=2&b=1")).json()
        assert (turned["a"]["right"], turned["b"]["right"]) == (3, 2)

    async def test_only_wrong_judges_who_says_the_same(self, ada: Person) -> None:
        seen = await asked(ada, "blue", 1, version="1")
        await asked(ada, "blue", 1, version="2")
        await say(ada, seen["prediction_id"], correct=False)
        assert (await ada.get(COMPARE)).json()["pictures"] == 0  # it is not red; whether it is blue, nobody said
        itself = (await ada.get("/api/v1/models/colours/versions/compare?a=1&b=1")).json()
        assert (itself["pictures"], itself["both_wrong"]) == (1, 1)

    async def test_the_latest_verdict_counts(self, ada: Person, admin: Person) -> None:
        seen = await asked(ada, "blue", 1, version="1")
        await asked(ada, "blue", 1, version="2")
        await say(ada, seen["prediction_id"], correct=True)
        assert (await ada.get(COMPARE)).json()["a"]["right"] == 1
        await say(admin, seen["prediction_id"], correct=False, label="blue")
        told = (await ada.get(COMPARE)).json()
        assert (told["a"]["right"], told["b"]["right"], told["pictures"]) == (0, 1, 1)

    async def test_a_deleted_answer_still_counts_where_it_was_judged(self, ada: Person) -> None:
        seen = await asked(ada, "red", 1, version="1")
        other = await asked(ada, "red", 1, version="2")
        for one in (seen, other):
            await say(ada, one["prediction_id"], correct=True)
            await ada.delete(f"/api/v1/predictions/{one['prediction_id']}")
        assert (await ada.get(COMPARE)).json()["both_right"] == 1

    async def test_another_floor_is_another_question(self, house: assembly.House, ada: Person) -> None:
        await put_in(house, "tools", *[ultralytics.detector().SerializeToString()] * 2)
        seen = await predict(ada, drawn(1), model="tools", version="1")
        await say(ada, seen["prediction_id"], correct=True)
        for confidence, pictures in (("0.99", 0), (None, 1)):
            more = {"confidence": confidence} if confidence else {}
            await predict(ada, drawn(1), model="tools", version="2", **more)
            told = (await ada.get("/api/v1/models/tools/versions/compare?a=1&b=2")).json()
            assert (told["pictures"], told["both_right"]) == (pictures, pictures)

    async def test_a_version_that_is_not_there(self, ada: Person) -> None:
        answer = await ada.get("/api/v1/models/colours/versions/compare?a=1&b=9")
        assert (answer.status_code, answer.json()["code"]) == (404, "no-such-version")


@pytest.mark.usefixtures("colours")
class TestPromoting:
    async def test_by_rule_when_it_is_better_on_enough_pictures(self, ada: Person, admin: Person) -> None:
        for number in range(4):
            refused = await activate(admin, "2", rule="better")
            assert (refused.status_code, refused.json()["code"]) == (409, "not-better")
            assert f"judged on {number} of the same pictures" in refused.json()["detail"]
            seen = await asked(ada, "blue", number, version="1")
            await asked(ada, "blue", number, version="2")
            await say(ada, seen["prediction_id"], correct=False, label="blue")
        promoted = await activate(admin, "2", rule="better")
        assert (promoted.status_code, promoted.json()["active_version"]) == (200, "2")
        deed = (await admin.get("/api/v1/admin/audit")).json()["items"][0]
        assert (deed["action"], deed["actor"]) == ("model.activate", admin.user.id)
        assert deed["facts"]["reason"] == "right on 4 of 4 judged pictures, the version before on 0"
        assert (deed["facts"]["rule"], deed["facts"]["pictures"]) == ("better", 4)
        back = await activate(admin, "1", rule="better")
        assert (back.status_code, back.json()["right"], back.json()["right_before"]) == (409, 0, 4)

    @pytest.mark.parametrize("told", [{}, {"reason": "x", "rule": "better"}, {"rule": "newer"}, {"reason": ""}])
    async def test_a_reason_or_the_rule(self, admin: Person, told: dict[str, str]) -> None:
        assert (await activate(admin, "2", **told)).status_code == 422

    async def test_the_active_one_is_not_better_than_itself(self, admin: Person) -> None:
        assert (await activate(admin, "1", rule="better")).json()["code"] == "not-better"


@pytest.mark.usefixtures("colours")
class TestRollingBack:
    async def test_down_the_row_of_versions(self, house: assembly.House, admin: Person) -> None:
        await put_in(house, "row", *[classifier()] * 3)
        for version in ("2", "3"):
            await admin.post(f"/api/v1/models/row/versions/{version}/activate", json={"reason": "trying"})
        for expected in ("2", "1"):
            answer = await admin.post("/api/v1/models/row/rollback", json={"reason": "it was worse"})
            assert (answer.status_code, answer.json()["active_version"]) == (200, expected)
        end = await admin.post("/api/v1/models/row/rollback")
        assert (end.status_code, end.json()["code"]) == (409, "nothing-before")
        deed = (await admin.get("/api/v1/admin/audit")).json()["items"][0]
        assert (deed["facts"]["roll_back"], deed["facts"]["reason"]) == (True, "it was worse")

    async def test_not_to_a_retired_one(self, admin: Person) -> None:
        await activate(admin, "2", reason="trying")
        await admin.post("/api/v1/models/colours/versions/1/retire")
        assert (await admin.post("/api/v1/models/colours/rollback")).status_code == 409

    async def test_under_load_no_request_fails(self, ada: Person, admin: Person) -> None:
        """Four callers ask without a pause while the versions change places; each answer is whole and from one."""
        await admin.patch("/api/v1/models/colours", json={"price": 0})
        is_over = asyncio.Event()
        answered: asyncio.Queue[str] = asyncio.Queue()

        async def keep_asking() -> None:
            while not is_over.is_set():
                seen = await predict(ada, picture("blue"), model="colours", cache="false")
                assert seen["predicted_class"] == {"1": "red", "2": "blue"}[seen["model_version"]]
                answered.put_nowait(seen["model_version"])

        async def until_all_come_from(version: str) -> None:
            in_a_row = 0
            while in_a_row < 8:  # those that were asked before may still come from the other one
                in_a_row = in_a_row + 1 if await answered.get() == version else 0

        async with asyncio.timeout(240), asyncio.TaskGroup() as callers:
            for _ in range(4):
                callers.create_task(keep_asking())
            for _ in range(2):
                assert (await activate(admin, "2", reason="trying")).status_code == 200
                await until_all_come_from("2")
                assert (await admin.post("/api/v1/models/colours/rollback")).status_code == 200
                await until_all_come_from("1")
            is_over.set()
