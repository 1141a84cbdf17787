"""What every broker does for us: a pointer gets to a crew, and a job is done over it from end to end."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx2
import pytest

from retinue import assembly
from retinue.accounts.credentials import Hasher
from retinue.base.clock import SetClock
from retinue.base.settings import Settings
from retinue.jobs.brokers import BadBrokerUrl, Crew, Post, close, open_broker
from retinue.jobs.chunks import Lease
from retinue.jobs.dispatching import Sending
from tests.accounts.people import add_person
from tests.jobs.asking import order, until_over
from tests.jobs.datasets import a_dataset, drawn_pictures
from tests.predictions.asking import credits_of
from tests.servers.valkey import OwnValkey


@pytest.fixture(params=["memory", "redis", "rabbitmq"])
def broker_url(request: pytest.FixtureRequest) -> str:
    if request.param == "memory":
        return ""
    if request.param == "redis":
        server: OwnValkey = request.getfixturevalue("own_valkey_server")
        return server.url
    given = os.environ.get("RETINUE_TEST_RABBITMQ_URL")
    if given is None and os.environ.get("CI") == "1":
        pytest.fail("RETINUE_TEST_RABBITMQ_URL names no RabbitMQ to test with")
    if given is None:
        pytest.skip("not run: RETINUE_TEST_RABBITMQ_URL names no RabbitMQ")
    return given


async def until(is_so: Callable[[], bool], *, patience_s: float = 120) -> None:
    deadline = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


class TestAPointer:
    @pytest.fixture
    def broker(self, broker_url: str) -> Iterator[Any]:
        broker = open_broker(broker_url)
        yield broker
        close(broker)

    async def test_gets_to_a_crew_of_its_pool_as_it_was_sent(self, broker: Any) -> None:
        taken: list[Lease] = []

        async def take(lease: Lease) -> None:
            taken.append(lease)

        post = Post(broker)
        crew = Crew(broker, pool="cpu", slots=2, work=take)
        crew.start()
        for number in range(5):
            post.send(Sending("cpu", Lease("a job", number, 7)))
        post.send(Sending("gpu", Lease("a job", 5, 7)))
        await until(lambda: len(taken) == 5)
        await crew.stop()
        assert sorted(lease.number for lease in taken) == [0, 1, 2, 3, 4]
        assert {lease.epoch for lease in taken} == {7}

    async def test_a_crew_works_on_as_many_as_it_has_slots_and_ends_what_it_began(self, broker: Any) -> None:
        begun, ended, go_on = [], [], asyncio.Event()

        async def take(lease: Lease) -> None:
            begun.append(lease.number)
            await go_on.wait()
            ended.append(lease.number)

        post = Post(broker)
        crew = Crew(broker, pool="cpu", slots=2, work=take)
        crew.start()
        for number in range(6):
            post.send(Sending("cpu", Lease("a job", number, 1)))
        await until(lambda: len(begun) == 2)
        stopping = asyncio.create_task(crew.stop())
        await asyncio.sleep(0)
        go_on.set()
        await stopping
        assert sorted(ended) == sorted(begun)


class TestAJob:
    @pytest.fixture
    def settings(self, settings: Settings, broker_url: str) -> Settings:
        return settings.model_copy(update={"broker_url": broker_url})

    @pytest.fixture
    async def house(self, settings: Settings, clock: SetClock, hasher: Hasher) -> AsyncIterator[assembly.House]:
        house = assembly.open_house(settings, clock=clock, hasher=hasher)
        assembly.prepare(house)
        yield house
        house.close()

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    async def test_is_done_over_it(self, house: assembly.House, http: httpx2.AsyncClient) -> None:
        ada = add_person(house, http, "ada@example.com")
        await a_dataset(house, ada, drawn_pictures(20))
        begun = await order(ada)
        assert (await until_over(ada, begun["inference_id"]))["done"] == 20
        assert await credits_of(ada) == (45.0, 0.0)
        assert (await http.get("/health")).json()["broker"] == "ok"


def test_another_kind_of_address_is_refused() -> None:
    with pytest.raises(BadBrokerUrl):
        open_broker("kafka://somewhere")
