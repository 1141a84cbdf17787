"""Predictions that were made, looked at again."""

from typing import Any

import pytest

from tests.accounts.people import Person
from tests.pictures import drawn, photograph
from tests.predictions.asking import credits_of, predict


@pytest.fixture
async def seven(ada: Person) -> list[dict[str, Any]]:
    """Seven predictions of Ada's, the newest first."""
    return [await predict(ada, drawn(seed)) for seed in range(7)][::-1]


def ids(answers: list[dict[str, Any]]) -> list[str]:
    return [answer["prediction_id"] for answer in answers]


class TestListing:
    async def test_by_page(self, ada: Person, seven: list[dict[str, Any]]) -> None:
        second = (await ada.get("/api/v1/predictions?page=2&limit=3")).json()
        assert ids(second["predictions"]) == ids(seven[3:6])
        assert (second["total"], second["page"], second["limit"]) == (7, 2, 3)

    async def test_by_cursor_to_the_end(self, ada: Person, seven: list[dict[str, Any]]) -> None:
        found: list[str] = []
        path = "/api/v1/predictions?limit=3"
        while path:
            told = (await ada.get(path)).json()
            found += ids(told["predictions"])
            path = f"/api/v1/predictions?limit=3&cursor={told['next_cursor']}" if told["next_cursor"] else ""
        assert found == ids(seven)

    async def test_filtered(self, ada: Person, seven: list[dict[str, Any]]) -> None:
        label = seven[0]["predicted_class"]
        told = (await ada.get("/api/v1/predictions", params={"label": label})).json()
        assert ids(told["predictions"]) == ids([one for one in seven if one["predicted_class"] == label])
        assert (await ada.get("/api/v1/predictions?model=nobody")).json()["total"] == 0
        assert (await ada.get("/api/v1/predictions?from=2100-01-01T00:00:00Z")).json()["total"] == 0
        assert (await ada.get("/api/v1/predictions?to=2100-01-01T00:00:00Z")).json()["total"] == 7

    @pytest.mark.parametrize("query", ["limit=0", "limit=201", "cursor=forged", "page=0", "from=yesterday"])
    async def test_a_bad_question_is_refused(self, ada: Person, query: str) -> None:
        assert (await ada.get(f"/api/v1/predictions?{query}")).status_code == 422

    async def test_others_see_nothing_of_it_but_admins_may(
        self, ada: Person, bob: Person, admin: Person, seven: list[dict[str, Any]]
    ) -> None:
        path = f"/api/v1/predictions/{seven[0]['prediction_id']}"
        assert (await bob.get(path)).status_code == 404
        assert (await bob.get(f"/api/v1/predictions?user_id={ada.user.id}")).status_code == 403
        assert (await bob.get(f"/api/v1/images/{seven[0]['image_id']}")).status_code == 404
        assert (await admin.get(path)).status_code == 200
        assert (await admin.get(f"/api/v1/predictions?user_id={ada.user.id}")).json()["total"] == 7


class TestOnePrediction:
    async def test_it_has_a_receipt(self, ada: Person) -> None:
        answer = await predict(ada, photograph("coffee"), top_k="3")
        told = (await ada.get(f"/api/v1/predictions/{answer['prediction_id']}")).json()
        assert told["classes"] == answer["classes"]
        assert told["parameters"] == {"top_k": 3, "radius": 3.0, "annotate": False}
        assert len(told["receipt"]["weights_sha256"]) == 64
        assert "onnxruntime" in told["receipt"]["runtime"]

    async def test_it_can_be_drawn(self, ada: Person) -> None:
        answer = await predict(ada, photograph("coffee"))
        drawn_on = await ada.get(f"/api/v1/predictions/{answer['prediction_id']}/annotated")
        assert (drawn_on.status_code, drawn_on.headers["content-type"]) == (200, "image/jpeg")
        assert b"Exif" not in drawn_on.content[:400]

    async def test_it_can_be_asked_again_for_a_prediction_more(self, ada: Person) -> None:
        answer = await predict(ada, photograph("coffee"))
        again = await ada.post(f"/api/v1/predictions/{answer['prediction_id']}/replay")
        assert again.status_code == 200, again.text
        assert again.json()["verdict"] == "equal"
        assert again.json()["prediction"]["prediction_id"] != answer["prediction_id"]
        assert await credits_of(ada) == (94.5, 0.0)

    async def test_it_can_be_deleted_with_its_picture(self, ada: Person) -> None:
        answer = await predict(ada, drawn(1), annotate="true")
        path = f"/api/v1/predictions/{answer['prediction_id']}"
        assert (await ada.delete(path)).status_code == 204
        assert (await ada.get(path)).status_code == 404
        assert (await ada.get(f"/api/v1/images/{answer['image_id']}")).status_code == 410
        assert (await ada.http.get(answer["annotated_url"])).status_code == 410
        assert (await ada.get("/api/v1/predictions")).json()["total"] == 0
        assert await credits_of(ada) == (97.25, 0.0)

    async def test_a_picture_that_another_prediction_needs_stays(self, ada: Person) -> None:
        first = await predict(ada, drawn(1))
        second = await predict(ada, drawn(1), cache="false")
        await ada.delete(f"/api/v1/predictions/{first['prediction_id']}")
        assert (await ada.get(f"/api/v1/images/{second['image_id']}")).status_code == 200
