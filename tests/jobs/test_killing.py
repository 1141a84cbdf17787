"""Real processes that die by SIGKILL at each named step: nothing is lost, nothing is charged twice, every job ends."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from retinue.credits import ledger
from retinue.web.serving import FINISH_S
from tests.accounts.people import Person
from tests.corpus.videos import film
from tests.jobs.asking import results_of, until_over
from tests.jobs.datasets import drawn_pictures
from tests.jobs.yard import Node, Yard, at, until_dead
from tests.pictures import mask
from tests.servers.valkey import OwnValkey

PICTURES = 40  # three chunks of at most sixteen
KEY = {"Idempotency-Key": "once"}
SERVER_STEPS = ("after_submit_commit", "after_dispatch_commit", "after_send")
WORKER_STEPS = ("after_claim", "before_commit", "in_commit", "after_commit")
ANYWHERE = "in_settle"


@pytest.fixture
def yard(tmp_path: Path, database_url: str, builtin_models: Path) -> Iterator[Yard]:
    yard = Yard(tmp_path, database_url, builtin_models)
    yield yard
    yard.close()


async def order(person: Person) -> str | None:
    """None where the server died before it answered."""
    try:
        answer = await person.post("/api/v1/inferences", json={"dataset": "photos"}, headers=KEY)
    except httpx2.TransportError:
        return None
    assert answer.status_code == 202, answer.text
    told: str = answer.json()["inference_id"]
    return told


async def sound(yard: Yard, person: Person, inference_id: str) -> None:
    """Done, once, paid once, and everything readable."""
    ended = await until_over(person, inference_id)
    assert (ended["status"], ended["done"], ended["failed"]) == ("COMPLETED", PICTURES, 0)
    images, failed = await results_of(person, inference_id)
    assert sorted(one["index"] for one in images) == list(range(PICTURES))
    assert failed == []
    listed = (await person.get("/api/v1/inferences")).json()["items"]
    assert [one["inference_id"] for one in listed] == [inference_id]
    with yard.database() as database:
        left = database.read_now(lambda now: ledger.balance(now, person.user.id))
    assert left == ledger.Balance(100_00 + 10_000_000 - PICTURES * 275, 0)
    assert yard.violations() == []


async def killed_at(yard: Yard, step: str) -> None:
    """One process that is everything; it dies at the step and is started again."""
    ada = await yard.person("ada@example.com", drawn_pictures(PICTURES))
    node = yard.start("up", failpoints=f"{step}=kill")
    async with at(node, ada) as person:
        await order(person)
    await until_dead(node)
    assert node.process.returncode == -signal.SIGKILL
    again = yard.start("up")
    async with at(again, ada) as person:
        inference_id = await order(person)
        assert inference_id is not None
        await sound(yard, person, inference_id)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_killed_while_it_commits_a_chunk(yard: Yard) -> None:
    await killed_at(yard, "in_commit")


@pytest.mark.slow
@pytest.mark.parametrize("step", [*SERVER_STEPS, *WORKER_STEPS, ANYWHERE])
async def test_killed_at_each_step(yard: Yard, step: str) -> None:
    await killed_at(yard, step)


@pytest.mark.slow
async def test_killed_between_a_film_and_its_row_it_is_made_again(yard: Yard) -> None:
    ada = await yard.person("ada@example.com", [])
    node = yard.start("up", failpoints="after_film=kill")
    async with at(node, ada) as person:
        files = {"file": ("bench.mp4", film(times=[n / 10 for n in range(30)])), "mask": ("mask.png", mask(96, 64))}
        assert (await person.post("/api/v1/datasets/photos/items", files=files)).status_code == 200
        wanted = {"dataset": "photos", "model": "inpaint-telea"}
        inference_id = (await person.post("/api/v1/inferences", json=wanted)).json()["inference_id"]
        await until_dead(node)
    async with at(yard.start("up"), ada) as person:
        ended = await until_over(person, inference_id)
        assert (ended["status"], ended["done"], ended["failed"]) == ("COMPLETED", 3, 0)
        (video,) = (await person.get(f"/api/v1/inferences/{inference_id}/results")).json()["videos"]
        assert (await person.http.get(video["output_url"])).headers["content-type"] == "video/mp4"
        told = (await person.get(f"/api/v1/inferences/{inference_id}")).json()
        assert (told["price"], told["cost"]) == (4.5, 4.5)
    assert yard.violations() == []


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
class TestACluster:
    """A server and a worker of their own, joined by PostgreSQL and a broker."""

    def begin(self, yard: Yard, valkey: OwnValkey, **failpoints: str) -> tuple[Node, Node]:
        yard.broker_url = valkey.url
        api = yard.start("api", failpoints=failpoints.get("api", ""))
        return api, yard.start("worker", failpoints=failpoints.get("worker", ""))

    @pytest.mark.parametrize("step", WORKER_STEPS)
    async def test_a_worker_is_killed(self, yard: Yard, own_valkey_server: OwnValkey, step: str) -> None:
        ada = await yard.person("ada@example.com", drawn_pictures(PICTURES))
        api, worker = self.begin(yard, own_valkey_server, worker=f"{step}=kill")
        async with at(api, ada) as person:
            inference_id = await order(person)
            assert inference_id is not None
            await until_dead(worker)
            yard.start("worker")
            await sound(yard, person, inference_id)

    async def test_the_server_is_killed_before_it_answers(self, yard: Yard, own_valkey_server: OwnValkey) -> None:
        ada = await yard.person("ada@example.com", drawn_pictures(PICTURES))
        api, _ = self.begin(yard, own_valkey_server, api="after_submit_commit=kill")
        async with at(api, ada) as person:
            assert await order(person) is None
        async with at(yard.start("api"), ada) as person:
            inference_id = await order(person)
            assert inference_id is not None
            await sound(yard, person, inference_id)

    async def test_the_broker_loses_everything(self, yard: Yard, own_valkey_server: OwnValkey) -> None:
        ada = await yard.person("ada@example.com", drawn_pictures(PICTURES))
        api, _ = self.begin(yard, own_valkey_server)
        async with at(api, ada) as person:
            inference_id = await order(person)
            assert inference_id is not None
            own_valkey_server.flush()
            own_valkey_server.kill()
            own_valkey_server.start()
            await sound(yard, person, inference_id)

    async def test_a_worker_that_is_asked_to_stop_puts_its_chunks_back(
        self, yard: Yard, own_valkey_server: OwnValkey
    ) -> None:
        ada = await yard.person("ada@example.com", drawn_pictures(PICTURES))
        api, worker = self.begin(yard, own_valkey_server)
        async with at(api, ada) as person:
            inference_id = await order(person)
            assert inference_id is not None
            assert worker.stop() == 0
            yard.start("worker")
            await sound(yard, person, inference_id)


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_stream_that_is_open_does_not_hold_up_a_server_that_stops(yard: Yard) -> None:
    ada = await yard.person("ada@example.com", drawn_pictures(3))
    node = yard.start("api")  # nobody takes chunks, so the stream stays open
    async with at(node, ada) as person:
        inference_id = await order(person)
        path, headers = f"/api/v1/inferences/{inference_id}/events", {"Authorization": f"Bearer {ada.credential}"}
        async with person.http.stream("GET", path, headers=headers) as stream:
            lines = stream.aiter_lines()
            assert (await anext(lines)).startswith("event: status")
            began = time.monotonic()
            node.process.send_signal(signal.SIGTERM)
            async for _ in lines:
                pass
        await until_dead(node)
        assert time.monotonic() - began < FINISH_S / 2


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_picture_that_kills_every_process_fails_alone_and_the_rest_is_done(yard: Yard) -> None:
    ada = await yard.person("ada@example.com", drawn_pictures(4))
    deaths = 0
    while True:
        node = yard.start("up", failpoints="look_at_picture_00002.jpg=kill")
        async with at(node, ada) as person:
            inference_id = await order(person)  # the same one each time, by its key
            try:
                assert inference_id is not None
                ended = await until_over(person, inference_id)
                images, failed = await results_of(person, inference_id)
                break
            except (httpx2.TransportError, AssertionError):
                await until_dead(node)
                deaths += 1
                assert deaths <= 4
    assert deaths == 4  # three of the chunk, one of the picture alone
    assert (ended["status"], ended["done"], ended["failed"]) == ("COMPLETED", 3, 1)
    assert [one["index"] for one in failed] == [2]
    assert (len(images), failed[0]["code"]) == (3, "worker-died")
    assert yard.violations() == []
