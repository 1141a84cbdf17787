"""A candidate answers live pictures too: nobody sees it, nobody waits for it, and where it differs is told."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from retinue import assembly
from retinue.feedback import shadowing
from retinue.feedback.shadowing import Shadow
from retinue.vision.engine import Engine
from tests.accounts.people import Person
from tests.feedback.models import classifier, picture, put_in, say
from tests.predictions.asking import credits_of, predict
from tests.vision.colour_models import colour_model

MODEL = "/api/v1/models/colours"


@pytest.fixture
async def app(house: assembly.House) -> AsyncIterator[FastAPI]:
    app = assembly.application(house)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.fixture
async def colours(house: assembly.House, admin: Person) -> None:
    """Version 1 takes blue for red; version 2, which is right, shadows it."""
    await put_in(house, "colours", classifier(blue="red"), classifier())
    assert (await shadowed(admin, version="2", percent=100)).status_code == 200


async def shadowed(admin: Person, **shadow: Any) -> httpx2.Response:
    return await admin.patch(MODEL, json={"shadow": shadow or None})


async def until(house: assembly.House, **outcomes: int) -> None:
    """So much shadow work has come to its end."""
    async with asyncio.timeout(120):
        while {name: outcome(house, name) for name in outcomes} != outcomes:
            await asyncio.sleep(0.01)
            assert all(outcome(house, name) <= most for name, most in outcomes.items())


def outcome(house: assembly.House, name: str) -> int:
    return int(house.metrics.registry.get_sample_value("retinue_shadow_total", {"outcome": name}) or 0)


@pytest.mark.usefixtures("colours")
class TestLookingAgain:
    async def test_where_they_differ_is_told_the_strongest_first(
        self, house: assembly.House, ada: Person, admin: Person
    ) -> None:
        same, weak, strong = [
            await predict(ada, data, model="colours", cache="false")
            for data in (picture("red"), picture("blue", red=150), picture("blue"))
        ]
        await until(house, seen=3)
        assert await credits_of(ada) == (100 - 3 * 2.75, 0)
        assert (await ada.get("/api/v1/predictions")).json()["total"] == 3
        first = (await admin.get(f"{MODEL}/disagreements?limit=1")).json()
        rest = (await admin.get(f"{MODEL}/disagreements?limit=1&cursor={first['next_cursor']}")).json()
        assert rest["next_cursor"] is None
        told = first["items"] + rest["items"]
        assert [one["prediction_id"] for one in told] == [strong["prediction_id"], weak["prediction_id"]]
        assert 1 >= told[0]["strength"] > 0.9 > told[1]["strength"] > 0.5
        live, shadow = told[0]["live"], told[0]["shadow"]
        assert (live["version"], live["predicted_class"]) == ("1", "red")
        assert (shadow["version"], shadow["predicted_class"]) == ("2", "blue")
        assert shadow["result"]["classes"][0]["score"] == shadow["confidence_score"]
        assert (await admin.http.get(told[0]["image_url"])).content == picture("blue")

        # What is judged leaves the queue, and says of the shadow what it says of the live answer.
        await say(admin, strong["prediction_id"], correct=False, label="blue")
        waiting = (await admin.get(f"{MODEL}/disagreements?judged=false")).json()["items"]
        assert [one["prediction_id"] for one in waiting] == [weak["prediction_id"]]
        [judged] = (await admin.get(f"{MODEL}/disagreements?judged=true&version=2")).json()["items"]
        assert judged["feedback"] == "wrong"
        compared = (await admin.get(f"{MODEL}/versions/compare?a=1&b=2")).json()
        assert (compared["pictures"], compared["b"]["only_this"]) == (1, 1)
        await ada.delete(f"/api/v1/predictions/{weak['prediction_id']}")
        assert (await admin.get(f"{MODEL}/disagreements?judged=false")).json()["items"] == []
        assert (await admin.get(f"{MODEL}/disagreements?version=1")).json()["items"] == []
        assert same["predicted_class"] == "red"

    async def test_only_what_people_ask_of_the_active_version(
        self, house: assembly.House, app: FastAPI, ada: Person, admin: Person
    ) -> None:
        seen = await predict(ada, picture("blue"), model="colours")
        await predict(ada, picture("blue"), model="colours")  # from the cache
        await predict(ada, picture("blue"), model="colours", version="1", cache="false")
        await ada.post(f"/api/v1/predictions/{seen['prediction_id']}/replay")
        files = [("files", (f"{n}.png", picture("green", n))) for n in range(2)]
        assert (await ada.post("/api/v1/predict/batch", files=files, data={"model": "colours"})).status_code == 200
        await until(house, seen=3)

        await shadowed(admin, version="2", percent=50)
        app.state.parts[Shadow].chance = itertools.cycle([0.1, 0.49, 0.5, 0.99]).__next__
        for number in range(4):
            await predict(ada, picture("green", 10 + number), model="colours")
        await until(house, seen=5)
        await shadowed(admin)
        await predict(ada, picture("green", 20), model="colours")
        assert (await admin.get(MODEL)).json()["shadow"] is None
        assert outcome(house, "seen") == 5

    async def test_a_broken_candidate_is_nobodys_trouble(
        self, house: assembly.House, ada: Person, admin: Person
    ) -> None:
        await predict(ada, picture("red"), model="colours", version="1")  # its files are on this disk now
        keys = [stored.key async for stored in house.storage.list("models/")]
        await house.storage.delete(keys)
        for number in range(3):
            seen = await predict(ada, picture("green", number), model="colours")
            assert seen["predicted_class"] == "green"
        await until(house, failed=3)
        assert (await admin.get(f"{MODEL}/disagreements")).json()["items"] == []

    async def test_a_busy_eye_sheds_it_first(
        self,
        house: assembly.House,
        app: FastAPI,
        ada: Person,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(shadowing, "PATIENCE_S", 0.2)
        slow = colour_model(tmp_path / "slow", side=64, layers=6, width=64)
        eye: Engine = app.state.parts[Engine]
        is_over = asyncio.Event()

        async def keep_busy() -> None:
            while not is_over.is_set():
                await eye.predict(slow, picture("red"), work="job")

        async with asyncio.TaskGroup() as work:
            for _ in range(3):
                work.create_task(keep_busy())
            for number in range(3):
                await predict(ada, picture("blue", number), model="colours")
            await until(house, shed=3)
            is_over.set()
        assert outcome(house, "seen") == 0
        await predict(ada, picture("blue", 9), model="colours")
        await until(house, seen=1)

    async def test_more_than_fits_is_let_go(
        self, house: assembly.House, ada: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shadowing, "MOST_BYTES", 0)
        await predict(ada, picture("blue"), model="colours")
        await until(house, shed=1)


class TestSetting:
    async def test_it_is_shown_and_ends_with_what_ends_it(self, house: assembly.House, admin: Person) -> None:
        await put_in(house, "colours", *[classifier()] * 3)
        assert (await admin.get(MODEL)).json()["shadow"] is None
        for end in ("versions/2/retire", "versions/3/activate"):
            number = end.split("/")[1]
            told = await shadowed(admin, version=number, percent=10)
            assert told.json()["shadow"] == {"version": number, "percent": 10}
            body = {"json": {"reason": "it is good"}} if end.endswith("activate") else {}
            assert (await admin.post(f"{MODEL}/{end}", **body)).json()["shadow"] is None
        for number, refusal in {"3": "no-shadow", "2": "version-retired", "9": "no-such-version"}.items():
            answer = await shadowed(admin, version=number, percent=10)
            assert answer.json()["code"] == refusal
        for shadow in ({"version": "1", "percent": 0}, {"version": "1", "percent": 101}, {"version": "1"}):
            assert (await shadowed(admin, **shadow)).status_code == 422
        assert (await admin.get(MODEL)).json()["shadow"] is None
        painter = await admin.patch("/api/v1/models/inpaint-ns", json={"shadow": {"version": "1", "percent": 5}})
        assert (painter.status_code, painter.json()["code"]) == (409, "no-shadow")
        deeds = (await admin.get("/api/v1/admin/audit")).json()["items"]
        assert [deed["facts"] for deed in deeds if deed["action"] == "model.shadow"] == [
            {"version": 3, "percent": 10},
            {"version": 2, "percent": 10},
        ]
