"""What people say of answers: given once each, changed, listed, counted."""

import asyncio
from typing import Any

import pytest

from retinue import assembly
from tests.accounts.people import Person
from tests.feedback.models import classifier, picture, put_in, say
from tests.pictures import drawn, mask
from tests.predictions.asking import predict
from tests.vision.exports import ultralytics


@pytest.fixture
async def seen(ada: Person) -> dict[str, Any]:
    return await predict(ada, drawn(1))


class TestGiving:
    async def test_the_first_is_made_and_the_next_replaces_it(self, ada: Person, seen: dict[str, Any]) -> None:
        path = f"/api/v1/predictions/{seen['prediction_id']}/feedback"
        first = await ada.post(path, json={"correct": True})
        assert (first.status_code, first.json()["correct"], first.json()["label"]) == (201, True, None)
        second = await ada.post(path, json={"correct": False, "label": "quilt", "comment": "it is\nwoven"})
        assert (second.status_code, second.json()["id"]) == (200, first.json()["id"])
        [listed] = (await ada.get("/api/v1/feedback")).json()["items"]
        assert (listed["correct"], listed["label"], listed["comment"]) == (False, "quilt", "it is\nwoven")
        assert listed["predicted_class"] == seen["predicted_class"]

    async def test_two_clicks_at_once_leave_one(self, ada: Person, seen: dict[str, Any]) -> None:
        said = [say(ada, seen["prediction_id"], correct=bool(n % 2)) for n in range(6)]
        assert len({one["id"] for one in await asyncio.gather(*said)}) == 1
        assert len((await ada.get("/api/v1/feedback")).json()["items"]) == 1

    async def test_an_admin_judges_beside_the_owner(self, ada: Person, admin: Person, seen: dict[str, Any]) -> None:
        await say(ada, seen["prediction_id"], correct=True)
        await say(admin, seen["prediction_id"], correct=False)
        listed = (await ada.get("/api/v1/feedback")).json()["items"]
        assert [one["user_id"] for one in listed] == [admin.user.id, ada.user.id]
        assert (await ada.get(f"/api/v1/predictions/{seen['prediction_id']}")).json()["feedback"] == "wrong"

    async def test_it_is_nobody_elses_business(self, bob: Person, ada: Person, seen: dict[str, Any]) -> None:
        await say(ada, seen["prediction_id"], correct=True)
        answer = await bob.post(f"/api/v1/predictions/{seen['prediction_id']}/feedback", json={"correct": True})
        assert (answer.status_code, answer.json()["code"]) == (404, "no-such-prediction")
        assert (await bob.get("/api/v1/feedback")).json()["items"] == []
        assert (await bob.get("/api/v1/feedback", params={"user_id": ada.user.id})).status_code == 403

    async def test_a_deleted_prediction_is_judged_no_more(self, ada: Person, seen: dict[str, Any]) -> None:
        await say(ada, seen["prediction_id"], correct=True)
        await ada.delete(f"/api/v1/predictions/{seen['prediction_id']}")
        assert (await ada.get("/api/v1/feedback")).json()["items"] == []
        answer = await ada.post(f"/api/v1/predictions/{seen['prediction_id']}/feedback", json={"correct": True})
        assert answer.status_code == 404


class TestCorrections:
    @pytest.mark.parametrize(
        ("told", "code"),
        [
            ({"correct": True, "label": "cat"}, "nothing-to-correct"),
            ({"correct": False, "boxes": [{"label": "cat", "box": [1, 1, 5, 5]}]}, "no-places"),
            ({"correct": False, "label": ""}, "invalid-parameters"),
            ({"correct": False, "label": "two\nlines"}, "invalid-parameters"),
            ({"correct": False, "comment": "nul\u0000"}, "invalid-parameters"),
            ({"correct": None}, "invalid-parameters"),
            ({"right": True}, "invalid-parameters"),
        ],
    )
    async def test_what_makes_no_sense_is_refused(
        self, ada: Person, seen: dict[str, Any], told: dict[str, Any], code: str
    ) -> None:
        answer = await ada.post(f"/api/v1/predictions/{seen['prediction_id']}/feedback", json=told)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert (await ada.get("/api/v1/feedback")).json()["items"] == []

    async def test_boxes_lie_in_the_picture(self, house: assembly.House, admin: Person) -> None:
        await put_in(house, "tools", ultralytics.detector().SerializeToString())
        seen = await predict(admin, drawn(1), model="tools")
        path = f"/api/v1/predictions/{seen['prediction_id']}/feedback"
        for box in ([60, 40, 10, 10], [-3, 0, 10, 10], [5, 5, 0, 10]):
            answer = await admin.post(path, json={"correct": False, "boxes": [{"label": "pliers", "box": box}]})
            assert answer.status_code == 422, box
        told = await say(
            admin, seen["prediction_id"], correct=False, boxes=[{"label": "pliers", "box": [1, 2, 63, 46]}]
        )
        assert told["boxes"] == [{"label": "pliers", "box": [1, 2, 63, 46]}]
        assert (await say(admin, seen["prediction_id"], correct=False, boxes=[]))["boxes"] == []
        assert (await say(admin, seen["prediction_id"], correct=False))["boxes"] is None

    async def test_an_inpainting_has_no_label(self, ada: Person) -> None:
        files = {"file": ("a.jpg", drawn(1)), "mask": ("mask.png", mask(64, 48))}
        seen = (await ada.post("/api/v1/predict", files=files, data={"model": "inpaint-telea"})).json()
        path = f"/api/v1/predictions/{seen['prediction_id']}/feedback"
        assert (await ada.post(path, json={"correct": False, "label": "x"})).json()["code"] == "no-label"
        assert (await say(ada, seen["prediction_id"], correct=False, comment="a shadow stays"))["correct"] is False


class TestListing:
    async def test_filtered_and_by_page(self, house: assembly.House, ada: Person, admin: Person) -> None:
        await put_in(house, "colours", classifier(), classifier())
        shown = [await predict(ada, picture("red", n), model="colours", version=str(n % 2 + 1)) for n in range(5)]
        for number, one in enumerate(shown):
            await say(ada, one["prediction_id"], correct=number < 3)
        ids = [one["prediction_id"] for one in shown]
        for query, expected in {
            "model=colours": ids,
            "model=nobody": [],
            "version=2": [ids[1], ids[3]],
            "correct=false": ids[3:],
            f"prediction_id={ids[2]}": [ids[2]],
            "from=2100-01-01T00:00:00": [],
            "to=2100-01-01T00:00:00Z": ids,
            f"user_id={ada.user.id}": ids,
        }.items():
            for person in (ada, admin):
                told = (await person.get(f"/api/v1/feedback?{query}")).json()["items"]
                assert [one["prediction_id"] for one in told] == expected[::-1], query
        first = (await ada.get("/api/v1/feedback?limit=3")).json()
        rest = (await ada.get(f"/api/v1/feedback?limit=3&cursor={first['next_cursor']}")).json()
        assert [one["prediction_id"] for one in first["items"] + rest["items"]] == ids[::-1]
        assert rest["next_cursor"] is None

    async def test_the_history_is_filtered_by_it(self, ada: Person) -> None:
        right, wrong, unsaid = [(await predict(ada, drawn(seed)))["prediction_id"] for seed in range(3)]
        await say(ada, right, correct=False)
        await say(ada, right, correct=True)
        await say(ada, wrong, correct=False)
        for feedback, expected in {"right": [right], "wrong": [wrong], "any": [wrong, right], "none": [unsaid]}.items():
            told = (await ada.get(f"/api/v1/predictions?feedback={feedback}")).json()
            assert [one["prediction_id"] for one in told["predictions"]] == expected
            assert told["total"] == len(expected)
        assert (await ada.get("/api/v1/predictions?feedback=perhaps")).status_code == 422


class TestAccuracy:
    async def test_it_counts_pictures_by_their_latest_verdict(self, house: assembly.House, ada: Person) -> None:
        stats = "/api/v1/models/colours/versions/1/stats"
        await put_in(house, "colours", classifier(blue="red"))
        told = (await ada.get(stats)).json()
        assert (told["judged"], told["accuracy"], told["accuracy_low"]) == (0, None, None)
        for number in range(4):
            seen = await predict(ada, picture("blue" if number == 3 else "green", number), model="colours")
            await say(ada, seen["prediction_id"], correct=number < 3)
        again = await predict(ada, picture("blue", 3), model="colours", cache="false")
        await say(ada, again["prediction_id"], correct=False, label="blue")
        told = (await ada.get(stats)).json()
        assert (told["right"], told["judged"], told["accuracy"]) == (3, 4, 0.75)
        assert (told["accuracy_low"], told["accuracy_high"]) == pytest.approx((0.300642, 0.954413), abs=1e-6)
        await say(ada, again["prediction_id"], correct=True)
        assert (await ada.get(stats)).json()["right"] == 4
        assert told["predictions"] == 5
