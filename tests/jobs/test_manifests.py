"""A job's list stays while somebody may read it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from retinue import assembly
from retinue.base.clock import SetClock
from retinue.jobs.manifests import sweep_manifests
from tests.accounts.people import Person
from tests.jobs.asking import order, until_over
from tests.jobs.datasets import a_dataset, drawn_pictures


@pytest.fixture
async def http(house: assembly.House) -> AsyncIterator[httpx2.AsyncClient]:
    """Nobody works on jobs here: they wait for their workers."""
    app = assembly.application(house, takes_chunks=False)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1:8000") as client,
    ):
        yield client


async def test_it_goes_a_day_after_it_was_written_once_the_job_is_over(house: assembly.House, ada: Person) -> None:
    async def left(after: timedelta) -> list[str]:
        later = SetClock()
        later.time = datetime.now(UTC) + after
        await sweep_manifests(house.database, house.storage, later)
        return [entry.key.split("/")[-1] async for entry in house.storage.list("jobs/")]

    await a_dataset(house, ada, drawn_pictures(2))
    ordered = await order(ada)
    await house.storage.put("jobs/2026/01/01/orphan.jsonl", b"never ordered\n")
    assert len(await left(timedelta(hours=23))) == 2
    [kept] = await left(timedelta(hours=25))
    assert kept != "orphan.jsonl"
    await ada.post(f"/api/v1/inferences/{ordered['inference_id']}/abort")
    assert (await until_over(ada, ordered["inference_id"]))["status"] == "ABORTED"
    assert await left(timedelta(hours=23)) == [kept]
    assert await left(timedelta(hours=25)) == []
