"""`Prefer: respond-async`: a request to look becomes a job over its pictures, where it can be one."""

import asyncio

import pytest

from retinue import assembly
from retinue.base.database import CommitInDoubt, Database
from retinue.credits.verifying import verify
from retinue.jobs import later
from tests.accounts.people import Person
from tests.jobs.asking import results_of, until_over
from tests.pictures import drawn, mask, photograph
from tests.predictions.asking import credits_of

LATER = {"Prefer": "respond-async"}
JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture(autouse=True)
def _sound_afterwards(house: assembly.House, database: Database) -> object:
    yield
    assert database.read_now(lambda now: verify(now, more=assembly.LEDGER_CHECKS.more)) == []


async def test_one_picture_is_answered_by_a_job(ada: Person) -> None:
    answer = await ada.post(
        "/api/v1/predict", content=photograph("coffee"), headers={**JPEG, **LATER, "Idempotency-Key": "a"}
    )
    told = answer.json()
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "respond-async")
    assert (told["items"], told["held"], told["model"]) == (1, 2.75, "efficientnet-lite0")
    assert (await until_over(ada, told["inference_id"]))["status"] == "COMPLETED"
    ((image,), failed) = await results_of(ada, told["inference_id"])
    assert failed == []
    assert image["prediction"]["predicted_class"] == "espresso"
    (remembered,) = (await ada.get("/api/v1/predictions")).json()["predictions"]
    assert remembered["prediction_id"] == image["prediction"]["prediction_id"]
    assert await credits_of(ada) == (97.25, 0.0)


async def test_sent_again_with_its_key_it_is_the_same_job(ada: Person) -> None:
    headers = {**JPEG, **LATER, "Idempotency-Key": "once"}
    first = await ada.post("/api/v1/predict", content=drawn(1), headers=headers)
    again = await ada.post("/api/v1/predict", content=drawn(1), headers=headers)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (202, "true")
    assert again.json() == first.json()
    await until_over(ada, first.json()["inference_id"])


async def test_a_batch_keeps_each_picture_once(house: assembly.House, ada: Person) -> None:
    await ada.post("/api/v1/predict", content=drawn(1), headers=JPEG)
    files = [("files", (f"{n}.jpg", drawn(n % 3))) for n in range(5)]
    told = (await ada.post("/api/v1/predict/batch", files=files, headers=LATER)).json()
    assert (told["items"], told["dataset"]) == (5, "0.jpg and 4 more")
    assert (await until_over(ada, told["inference_id"]))["done"] == 5
    images, _ = await results_of(ada, told["inference_id"])
    assert [one["original_path"] for one in images] == [f"{n}.jpg" for n in range(5)]
    assert len([one async for one in house.storage.list("images/")]) == 3


async def test_a_mask_comes_along(ada: Person) -> None:
    files = {"file": ("cup.png", drawn(1, width=64, height=48)), "mask": ("m.png", mask(64, 48))}
    told = (await ada.post("/api/v1/predict", files=files, data={"model": "inpaint-telea"}, headers=LATER)).json()
    assert (await until_over(ada, told["inference_id"]))["done"] == 1


async def test_with_a_bad_picture_it_is_answered_at_once(ada: Person) -> None:
    files = [("files", ("good.jpg", drawn(1))), ("files", ("bad.jpg", b"no picture"))]
    answer = await ada.post("/api/v1/predict/batch", files=files, headers=LATER)
    assert (answer.status_code, [one["ok"] for one in answer.json()["results"]]) == (200, [True, False])
    assert "Preference-Applied" not in answer.headers


async def test_what_cannot_be_paid_leaves_nothing(house: assembly.House, ada: Person) -> None:
    files = [("files", (f"{n}.jpg", drawn(n))) for n in range(40)]
    answer = await ada.post("/api/v1/predict/batch", files=files, headers=LATER)
    assert (answer.status_code, answer.json()["code"]) == (402, "not-enough-credits")
    assert [one async for one in house.storage.list("")] == []
    assert await credits_of(ada) == (100.0, 0.0)


async def test_the_same_picture_twice_at_once_is_kept_once(house: assembly.House, ada: Person) -> None:
    asks = [ada.post("/api/v1/predict", content=drawn(7), headers={**JPEG, **LATER}) for _ in range(4)]
    answers = await asyncio.gather(*asks)
    assert [one.status_code for one in answers] == [202] * 4
    for one in answers:
        assert (await until_over(ada, one.json()["inference_id"]))["done"] == 1
    assert len([one async for one in house.storage.list("images/")]) == 1


async def test_what_may_have_been_committed_keeps_its_pictures(
    house: assembly.House, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_given: object, **_named: object) -> None:
        raise CommitInDoubt()

    monkeypatch.setattr(later, "submit", lost)
    answer = await ada.post("/api/v1/predict", content=drawn(1), headers={**JPEG, **LATER})
    assert (answer.status_code, answer.json()["code"]) == (503, "commit-in-doubt")
    assert len([one async for one in house.storage.list("images/")]) == 1


async def test_a_key_for_predictions_alone_orders_no_job(ada: Person) -> None:
    made = await ada.post("/api/v1/me/keys", json={"name": "narrow", "scopes": ["predict"]})
    headers = {**JPEG, **LATER, "Authorization": f"Bearer {made.json()['key']}"}
    answer = await ada.http.post("/api/v1/predict", content=drawn(1), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "key-too-narrow")


async def test_who_waits_says_nothing_of_it(ada: Person) -> None:
    answer = await ada.post("/api/v1/predict", content=drawn(1), headers={**JPEG, "Prefer": "wait=10"})
    assert (answer.status_code, answer.json()["cost"]) == (200, 2.75)
