"""One picture, one answer, one charge."""

import asyncio

import pytest

from retinue import assembly
from tests.accounts.people import Person
from tests.pictures import drawn, mask, photograph
from tests.predictions.asking import credits_of, predict


class TestFirstPrediction:
    async def test_from_a_welcome_to_a_remembered_answer(self, ada: Person) -> None:
        assert await credits_of(ada) == (100.0, 0.0)
        answer = await predict(ada, photograph("coffee"), name="cup.jpg", annotate="true")
        assert answer["predicted_class"] == "espresso"
        assert answer["confidence_score"] > 0.9
        assert answer["model"] == "efficientnet-lite0"
        assert answer["cost"] == 2.75
        assert set(answer["timing"]) == {"decode", "queue", "model", "total"}
        assert await credits_of(ada) == (97.25, 0.0)
        history = (await ada.get("/api/v1/predictions")).json()
        assert [one["prediction_id"] for one in history["predictions"]] == [answer["prediction_id"]]
        assert history["total"] == 1
        drawn_on = await ada.http.get(answer["annotated_url"])
        assert drawn_on.status_code == 200
        assert drawn_on.headers["content-type"] == "image/jpeg"

    async def test_the_original_is_kept_byte_for_byte(self, ada: Person) -> None:
        picture = photograph("chelsea")
        answer = await predict(ada, picture, name="cat.jpg")
        image = (await ada.get(f"/api/v1/images/{answer['image_id']}")).json()
        assert (image["filename"], image["size_bytes"]) == ("cat.jpg", len(picture))
        assert (await ada.http.get(image["url"])).content == picture


class TestSendingAPicture:
    async def test_as_the_raw_body(self, ada: Person) -> None:
        answer = await ada.post(
            "/api/v1/predict?top_k=2&filename=raw.jpg",
            content=photograph("coffee"),
            headers={"Content-Type": "image/jpeg"},
        )
        assert answer.status_code == 200
        assert len(answer.json()["classes"]) == 2
        assert answer.json()["filename"] == "raw.jpg"

    async def test_in_a_part_of_any_name(self, ada: Person) -> None:
        answer = await ada.post("/api/v1/predict", files={"image": ("x.jpg", photograph("coffee"))})
        assert answer.status_code == 200

    @pytest.mark.parametrize(
        ("fields", "status", "code"),
        [
            ({"top_k": "0"}, 422, "invalid-parameters"),
            ({"confidence": "nan"}, 422, "invalid-parameters"),
            ({"confidence": "1.5"}, 422, "invalid-parameters"),
            ({"explain": "{broken"}, 422, "invalid-parameters"),
            ({"unheard_of": "1"}, 422, "invalid-parameters"),
            ({"model": "no-such"}, 404, "no-such-model"),
            ({"model": "\x00"}, 422, "invalid-parameters"),
            ({"version": "99"}, 404, "no-such-version"),
            ({"model": "inpaint-telea"}, 422, "mask-needed"),
        ],
    )
    async def test_a_bad_parameter_costs_nothing(
        self, ada: Person, fields: dict[str, str], status: int, code: str
    ) -> None:
        answer = await ada.post("/api/v1/predict", files={"file": ("x.jpg", drawn(1))}, data=fields)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert await credits_of(ada) == (100.0, 0.0)

    async def test_a_bad_parameter_in_the_address_is_one_though_the_form_has_a_good_one(self, ada: Person) -> None:
        files = {"file": ("cup.jpg", photograph("coffee"))}
        answer = await ada.post("/api/v1/predict?top_k=0", files=files, data={"top_k": "1"})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-parameters")

    @pytest.mark.parametrize(
        ("body", "status"),
        [(b"", 422), (b"\x00", 415), (b"\xff\xd8\xff\xe0", 422), (b"<svg/>", 415), (photograph("coffee")[:9000], 422)],
    )
    async def test_a_bad_picture_costs_nothing_and_leaves_nothing(
        self, ada: Person, house: assembly.House, body: bytes, status: int
    ) -> None:
        answer = await ada.post("/api/v1/predict", files={"file": ("x.jpg", body)})
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert await credits_of(ada) == (100.0, 0.0)
        assert [entry.key async for entry in house.storage.list("images")] == []

    async def test_without_a_picture(self, ada: Person) -> None:
        answer = await ada.post("/api/v1/predict", files={"mask": ("m.png", mask(8, 8))})
        assert (answer.status_code, answer.json()["code"]) == (422, "no-picture")


class TestPaying:
    async def test_too_few_credits_write_nothing(self, ada: Person, house: assembly.House) -> None:
        for seed in range(36):
            await predict(ada, drawn(seed))
        assert await credits_of(ada) == (1.0, 0.0)
        answer = await ada.post("/api/v1/predict", files={"file": ("x.jpg", drawn(99))})
        assert answer.status_code == 402
        assert (answer.json()["needed"], answer.json()["available"]) == (2.75, 1.0)
        assert (await ada.get("/api/v1/predictions")).json()["total"] == 36
        assert len([entry async for entry in house.storage.list("images")]) == 36

    async def test_requests_at_once_are_each_paid_once(self, ada: Person) -> None:
        answers = await asyncio.gather(*(predict(ada, drawn(seed)) for seed in range(20)))
        assert len({answer["prediction_id"] for answer in answers}) == 20
        assert await credits_of(ada) == (45.0, 0.0)


class TestTheSamePictureAgain:
    async def test_the_answer_comes_from_the_cache_and_costs_nothing(self, ada: Person) -> None:
        first = await predict(ada, drawn(1))
        again = await predict(ada, drawn(1))
        assert (first["cached"], again["cached"]) == (False, True)
        assert (again["cost"], again["classes"]) == (0.0, first["classes"])
        assert again["image_id"] == first["image_id"]
        assert await credits_of(ada) == (97.25, 0.0)

    async def test_not_when_it_is_not_wanted_or_asked_differently(self, ada: Person) -> None:
        await predict(ada, drawn(1))
        assert (await predict(ada, drawn(1), cache="false"))["cached"] is False
        assert (await predict(ada, drawn(1), top_k="2"))["cached"] is False

    async def test_it_is_stored_once_per_owner(self, ada: Person, bob: Person, house: assembly.House) -> None:
        for person in (ada, ada, bob):
            await predict(person, drawn(1), cache="false")
        assert len([entry async for entry in house.storage.list("images")]) == 2


class TestExplaining:
    async def test_a_heat_map_of_the_top_answer(self, ada: Person) -> None:
        answer = await predict(ada, photograph("coffee"), explain="true")
        assert answer["heat_map"] == {"label": "espresso", "class_id": 967, "method": "cam"}
        assert (await ada.http.get(answer["heatmap_url"])).content[:2] == b"\xff\xd8"

    async def test_of_a_chosen_class(self, ada: Person) -> None:
        answer = await predict(ada, photograph("coffee"), explain='{"class": "cup", "opacity": 0.7}')
        assert answer["heat_map"]["label"] == "cup"

    async def test_in_chosen_colours(self, ada: Person) -> None:
        drawn_as = []
        for ramp in ("inferno", "viridis"):
            answer = await predict(ada, photograph("coffee"), explain=f'{{"ramp": "{ramp}"}}')
            drawn_as.append((await ada.http.get(answer["heatmap_url"])).content)
        assert drawn_as[0] != drawn_as[1]


class TestInpainting:
    async def test_a_picture_and_its_mask_give_a_picture(self, ada: Person) -> None:
        picture = drawn(3, width=120, height=90)
        answer = await ada.post(
            "/api/v1/predict",
            files={"file": ("x.jpg", picture), "mask": ("m.png", mask(120, 90))},
            data={"model": "inpaint-telea"},
        )
        assert answer.status_code == 200, answer.text
        painted = await ada.http.get(answer.json()["output_url"])
        assert painted.headers["content-type"] == "image/png"
        assert (answer.json()["width"], answer.json()["height"]) == (120, 90)

    async def test_a_mask_of_another_size_is_refused(self, ada: Person) -> None:
        answer = await ada.post(
            "/api/v1/predict",
            files={"file": ("x.jpg", drawn(3)), "mask": ("m.png", mask(10, 10))},
            data={"model": "inpaint-ns"},
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "bad-mask")
        assert await credits_of(ada) == (100.0, 0.0)
