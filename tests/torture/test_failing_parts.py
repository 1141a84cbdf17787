"""Storage that fails at its n-th call, for every n, and a database that dies: refused in words, nothing half, nothing
charged; and once the part is back, so is the service, without a restart."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from retinue import assembly
from retinue.base.errors import RetinueError, StorageFull, Unavailable
from retinue.base.ids import new_id
from retinue.credits import ledger
from retinue.credits.verifying import verify
from tests.accounts.people import Person, add_person
from tests.jobs.yard import Node, Yard, at
from tests.pictures import drawn
from tests.servers.postgres import OwnPostgres
from tests.torture.judging import PROBLEM

WRITING = ("put", "put_many", "put_stream", "put_file")
MOST_CALLS = 20
Flow = Callable[[Person, int], Awaitable[httpx2.Response]]


async def predict(person: Person, number: int) -> httpx2.Response:
    return await person.post("/api/v1/predict?annotate=true", files={"file": ("one.jpg", drawn(number))})


async def batch(person: Person, number: int) -> httpx2.Response:
    """One that fails fails alone, so the answer is read as if it were the first's."""
    answer = await person.post("/api/v1/predict/batch", files={"files": ("one.jpg", drawn(number))})
    (one,) = answer.json()["results"]
    return answer if one["ok"] else httpx2.Response(503, json=dict.fromkeys(PROBLEM) | one["error"])


async def fill_dataset(person: Person, number: int) -> httpx2.Response:
    made = (await person.post("/api/v1/datasets", json={"name": new_id()})).json()
    files = {"file": ("one.jpg", drawn(number))}
    return await person.post(f"/api/v1/datasets/{made['id']}/items", files=files)


async def order_work(person: Person, number: int) -> httpx2.Response:
    return await person.post("/api/v1/inferences", json={"dataset": "photos", "parameters": {"top_k": 1 + number % 9}})


@contextmanager
def failing(house: assembly.House, failure: type[RetinueError], *, at_call: int) -> Iterator[list[str]]:
    """The writes that were tried; the one of that number fails."""
    called: list[str] = []

    def failing_once(name: str, original: Any) -> Any:
        def call(*given: Any, **more: Any) -> Any:
            called.append(name)
            return fail() if len(called) == at_call else original(*given, **more)

        return call

    async def fail() -> None:
        raise failure()

    with pytest.MonkeyPatch.context() as patched:
        for name in WRITING:
            patched.setattr(house.storage, name, failing_once(name, getattr(house.storage, name)))
        yield called


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("failure", [StorageFull, Unavailable])
@pytest.mark.parametrize("flow", [predict, batch, fill_dataset, order_work])
async def test_a_write_that_fails_leaves_nothing(
    house: assembly.House, http: httpx2.AsyncClient, flow: Flow, failure: type[RetinueError]
) -> None:
    ada = add_person(house, http, "ada@example.com")
    house.database.write_now(lambda now: ledger.topup(now, ada.user.id, 100_000))
    photos = (await ada.post("/api/v1/datasets", json={"name": "photos"})).json()
    await ada.post(f"/api/v1/datasets/{photos['id']}/items", files={"file": ("first.jpg", drawn(0))})
    refused = 0
    for call in range(1, MOST_CALLS):
        before = await credits_of(ada)
        with failing(house, failure, at_call=call) as called:
            answer = await flow(ada, call)
        if len(called) < call:
            assert answer.is_success
            break
        if not answer.is_success:
            refused += 1
            assert answer.status_code in {503, 507}
            assert answer.json().keys() >= PROBLEM
            assert await credits_of(ada) == before
    else:
        pytest.fail(f"still writing at call {MOST_CALLS}")
    assert refused > 0
    assert house.database.read_now(lambda now: verify(now, more=assembly.LEDGER_CHECKS.more)) == []


async def credits_of(person: Person) -> dict[str, float]:
    told: dict[str, float] = (await person.get("/api/v1/me/credits")).json()
    return told


async def ready_is(node: Node, status: int) -> None:
    deadline = time.monotonic() + 60
    async with httpx2.AsyncClient(base_url=node.address, timeout=30) as http:
        while (answer := await http.get("/health/ready")).status_code != status:
            assert time.monotonic() < deadline, answer.text
            await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_a_database_that_dies_is_waited_for(
    tmp_path: Path, own_postgres_server: OwnPostgres, builtin_models: Path
) -> None:
    yard = Yard(tmp_path, own_postgres_server.url, builtin_models)
    try:
        ada = await yard.person("ada@example.com", [])
        node = yard.start("up")
        async with at(node, ada, patience_s=60) as person:
            assert (await predict(person, 1)).status_code == 200
            own_postgres_server.kill()
            await ready_is(node, 503)
            assert (await person.http.get("/health/live")).status_code == 200
            refused = await predict(person, 2)
            assert (refused.status_code, "Retry-After" in refused.headers) == (503, True)
            assert refused.json().keys() >= PROBLEM
            own_postgres_server.start()
            await ready_is(node, 200)
            assert (await predict(person, 2)).status_code == 200
            assert (await credits_of(person))["held"] == 0
        assert not node.has_died()
        assert yard.violations() == []
    finally:
        yard.close()
