"""Two servers that are restarted one after the other while people ask, behind the smallest of balancers."""

import asyncio
import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from retinue.credits import ledger
from tests.accounts.people import Person
from tests.jobs.yard import Node, Yard
from tests.pictures import drawn
from tests.servers.valkey import OwnValkey
from tests.torture.report import Figure, note

RESTARTS = int(os.environ.get("RETINUE_TORTURE_RESTARTS", "2"))
PER_SECOND = 10 if RESTARTS > 2 else 3  # the short form is about restarts, also where a crowd leaves little for it
PROBED_EVERY_S = 0.2
TRIES = 20


@pytest.fixture
def yard(tmp_path: Path, database_url: str, builtin_models: Path, own_valkey_server: OwnValkey) -> Iterator[Yard]:
    yard = Yard(tmp_path, database_url, builtin_models, broker_url=own_valkey_server.url)
    yield yard
    yard.close()


@dataclass
class Balancer:
    """Sends to those that say they are ready, in turn; what got no answer goes to another under the same key."""

    http: httpx2.AsyncClient
    person: Person
    nodes: list[Node]
    ready: set[str] = field(default_factory=set)
    asked: int = 0
    again: int = 0
    failed: list[str] = field(default_factory=list)
    _turn: Iterator[int] = field(default_factory=itertools.count)

    async def probe(self) -> None:
        while True:
            await asyncio.gather(*(self._probe(node) for node in list(self.nodes)))
            await asyncio.sleep(PROBED_EVERY_S)

    async def _probe(self, node: Node) -> None:
        try:
            is_ready = (await self.http.get(f"{node.address}/health/ready")).status_code == 200
        except httpx2.TransportError:
            is_ready = False
        (self.ready.add if is_ready else self.ready.discard)(node.address)

    async def until_ready(self, node: Node) -> None:
        deadline = asyncio.get_running_loop().time() + 240
        while node.address not in self.ready:
            assert asyncio.get_running_loop().time() < deadline, f"{node.name} is never ready"
            await asyncio.sleep(PROBED_EVERY_S)

    async def predict(self, number: int) -> None:
        self.asked += 1
        headers = {
            "Authorization": f"Bearer {self.person.credential}",
            "Content-Type": "image/jpeg",
            "Idempotency-Key": f"request-{number}",
        }
        told = "no answer"
        for _ in range(TRIES):
            addresses = sorted(self.ready) or [node.address for node in self.nodes]
            path = f"{addresses[next(self._turn) % len(addresses)]}/api/v1/predict?cache=false"
            try:
                answer = await self.http.post(path, content=drawn(number), headers=headers)
            except httpx2.TransportError:
                self.again += 1
                await asyncio.sleep(PROBED_EVERY_S)
                continue
            if answer.status_code == 409:  # its first try still runs on the node that hung up
                await asyncio.sleep(PROBED_EVERY_S)
            elif answer.status_code == 200:
                return
            else:
                told = f"{answer.status_code} {answer.text[:200]}"
                break
        self.failed.append(told)


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_nobody_notices_a_restart(yard: Yard) -> None:
    ada = await yard.person("ada@example.com", [])
    nodes = [await asyncio.to_thread(yard.start, "api") for _ in range(2)]
    async with httpx2.AsyncClient(timeout=120) as http:
        balancer = Balancer(http, ada, nodes)
        probing = asyncio.create_task(balancer.probe())
        try:
            for node in nodes:
                await balancer.until_ready(node)
            longest_s = await _restart_under_load(yard, balancer)
        finally:
            probing.cancel()
            await asyncio.gather(probing, return_exceptions=True)
    note(
        Figure(
            "Rolling restarts",
            f"{RESTARTS} restarts of two servers under {PER_SECOND} requests/s",
            f"{len(balancer.failed)} of {balancer.asked} requests failed, {balancer.again} were asked again; a server "
            f"that is asked to stop under load was gone after {longest_s:.0f} s at most",
        )
    )
    assert balancer.failed == []
    with yard.database() as database:
        left = database.read_now(lambda now: ledger.balance(now, ada.user.id))
    assert left == ledger.Balance(100_00 + 10_000_000 - 275 * balancer.asked, 0)
    assert yard.violations() == []


async def _restart_under_load(yard: Yard, balancer: Balancer) -> float:
    """How long the slowest of them took to stop."""
    asking = list[asyncio.Task[None]]()
    done = asyncio.Event()

    async def load() -> None:
        for number in itertools.count():
            if done.is_set():
                return
            asking.append(asyncio.create_task(balancer.predict(number)))
            await asyncio.sleep(1 / PER_SECOND)

    loading = asyncio.create_task(load())
    longest_s = 0.0
    try:
        for number in range(RESTARTS):
            began = time.monotonic()
            await asyncio.to_thread(balancer.nodes[number % 2].stop)
            longest_s = max(longest_s, time.monotonic() - began)
            balancer.nodes[number % 2] = await asyncio.to_thread(yard.start, "api")
            await balancer.until_ready(balancer.nodes[number % 2])
    finally:
        done.set()
        await loading
        await asyncio.gather(*asking)
    return longest_s
