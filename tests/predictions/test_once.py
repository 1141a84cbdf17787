"""A request with an Idempotency-Key counts once, however often it is sent."""

import asyncio
from collections.abc import Callable

import pytest

from retinue.base import failpoints
from tests.accounts.people import Person
from tests.pictures import drawn
from tests.predictions.asking import credits_of, predict

KEY = {"Idempotency-Key": "first-try"}


async def test_a_repeat_gets_the_stored_answer(ada: Person) -> None:
    first = await ada.post("/api/v1/predict", files={"file": ("x.jpg", drawn(1))}, headers=KEY)
    again = await ada.post("/api/v1/predict", files={"file": ("x.jpg", drawn(1))}, headers=KEY)
    assert again.content == first.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert await credits_of(ada) == (97.25, 0.0)
    assert (await ada.get("/api/v1/predictions")).json()["total"] == 1


async def test_another_request_under_the_key_is_refused(ada: Person) -> None:
    await predict(ada, drawn(1), headers=KEY)
    answer = await ada.post("/api/v1/predict", files={"file": ("x.jpg", drawn(2))}, headers=KEY)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")


async def test_another_persons_key_is_another_key(ada: Person, bob: Person) -> None:
    await predict(ada, drawn(1), headers=KEY)
    await predict(bob, drawn(2), headers=KEY)
    assert await credits_of(bob) == (97.25, 0.0)


async def test_twins_at_once_make_one_prediction(ada: Person) -> None:
    async def send() -> int:
        answer = await ada.post("/api/v1/predict", files={"file": ("x.jpg", drawn(1))}, headers=KEY)
        return answer.status_code

    statuses = await asyncio.gather(*(send() for _ in range(8)))
    assert set(statuses) <= {200, 409}
    assert 200 in statuses
    assert await credits_of(ada) == (97.25, 0.0)


async def test_a_refused_request_leaves_the_key_free(ada: Person) -> None:
    broken = await ada.post("/api/v1/predict", files={"file": ("x.jpg", drawn(1)[:500])}, headers=KEY)
    assert broken.status_code == 422
    await predict(ada, drawn(1), headers=KEY)


async def test_a_batch_counts_once_too(ada: Person) -> None:
    files = [("files", (f"{seed}.jpg", drawn(seed))) for seed in range(3)]
    first = await ada.post("/api/v1/predict/batch", files=files, headers=KEY)
    again = await ada.post("/api/v1/predict/batch", files=files, headers=KEY)
    assert (first.status_code, again.content) == (200, first.content)
    assert await credits_of(ada) == (91.75, 0.0)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_who_leaves_while_it_is_charged_keeps_what_was_paid_for(ada: Person) -> None:
    failpoints.arm("in_live_charge=wait")
    asking = asyncio.create_task(predict(ada, drawn(1), headers=KEY))
    await _until(lambda: not failpoints._armed)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    again = await predict(ada, drawn(1), headers=KEY)
    assert await credits_of(ada) == (97.25, 0.0)
    assert (await ada.get("/api/v1/predictions")).json()["total"] == 1
    image = (await ada.get(f"/api/v1/images/{again['image_id']}")).json()
    assert (await ada.get(image["url"])).content == drawn(1)


async def _until(is_so: Callable[[], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + 120
    while not is_so():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)
