"""More people than the server can serve, people who flood it, and people who are slow: what it costs whom.

The short form judges what must hold on any machine: proper refusals, right charges, nobody starved. `make torture` asks
for longer (RETINUE_TORTURE_LOAD_SECONDS) and judges the figures too.
"""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.torture.crowd import Answer, ask, at_a_rate, one_after_the_other, percentile_ms
from tests.torture.report import Figure, note
from tests.torture.town import Town, a_town

LIGHT = "efficientnet-lite0"
SECONDS = float(os.environ.get("RETINUE_TORTURE_LOAD_SECONDS", "3"))
IS_RELEASE = SECONDS >= 20
SLOW_CLIENTS = 90
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, builtin_models: Path) -> Iterator[Town]:
    with a_town(tmp_path_factory.mktemp("town"), builtin_models, people=6) as town:
        yield town


def spread(answers: list[Answer]) -> str:
    return f"p50 {percentile_ms(answers, 0.5):.0f} ms, p95 {percentile_ms(answers, 0.95):.0f} ms"


def good(answers: list[Answer]) -> list[Answer]:
    return [answer for answer in answers if answer.status == 200]


async def capacity_of(town: Town, *, seconds: float) -> float:
    requests = town.requests()
    await asyncio.gather(*(ask(town.server.port, request) for request in requests[:4]))
    answers = await one_after_the_other(town.server.port, requests, askers=4, seconds=seconds)
    assert {answer.status for answer in answers} == {200}, answers[0]
    return len(answers) / seconds


async def test_what_is_too_much_is_refused_properly_and_for_nothing(town: Town) -> None:
    before = await asyncio.to_thread(town.spent)
    capacity = await capacity_of(town, seconds=SECONDS)
    paid, goodput = round(capacity * SECONDS) + 4, dict[float, float]()
    asked = list[Answer]()
    for ratio in (0.5, 1, 2, 4) if IS_RELEASE else (4,):
        # A short crowd fills the short patience of its people, a long one that of the server.
        requests = town.requests(timeout_ms=30_000 if IS_RELEASE else 2000)
        began = asyncio.get_running_loop().time()
        answers = await at_a_rate(town.server.port, requests, per_second=ratio * capacity, seconds=SECONDS)
        goodput[ratio] = len(good(answers)) / (asyncio.get_running_loop().time() - began)
        refused = [answer for answer in answers if answer.status != 200]
        assert all(answer.is_a_proper_refusal() for answer in refused), refused[0]
        note(
            Figure(
                f"Overload: {ratio} × capacity",
                f"{len(answers)} requests in {SECONDS:g} s, sent at their times whatever came back; capacity is "
                f"{capacity:.1f} pictures/s of a ResNet-50-sized network",
                f"goodput {goodput[ratio]:.1f}/s; {len(good(answers))} answered, {spread(good(answers))}; "
                f"{len(refused)} refused, {spread(refused)}; resident {town.server.resident_bytes() >> 20} MiB",
            )
        )
        asked += answers
    assert town.server.process.poll() is None
    assert (await ask(town.server.port, town.requests(0)[0])).status == 200
    spent = await asyncio.to_thread(town.spent) - before
    assert spent == 275 * (paid + len(good(asked)) + 1)
    assert await asyncio.to_thread(town.violations) == []
    if IS_RELEASE:
        assert goodput[4] >= 0.85 * max(goodput.values())


async def test_a_flood_of_one_person_starves_nobody(town: Town) -> None:
    capacity = await capacity_of(town, seconds=SECONDS)
    flood, others = town.requests(0), town.requests(1, 2, 3, 4)
    port = town.server.port
    calm = await at_a_rate(port, others, per_second=0.4 * capacity, seconds=SECONDS)
    flooding = asyncio.create_task(one_after_the_other(port, flood, askers=60, seconds=SECONDS))
    beside = await at_a_rate(port, others, per_second=0.4 * capacity, seconds=SECONDS)
    flooded = await flooding
    note(
        Figure(
            "A noisy neighbour",
            f"one person keeps 60 requests waiting, four others send {0.4 * capacity:.1f}/s for {SECONDS:g} s",
            f"{len(good(beside))} of {len(beside)} of theirs answered, {spread(beside)}; without the flood "
            f"{spread(calm)}; the flood itself {spread(good(flooded))}",
        )
    )
    assert {answer.status for answer in (*calm, *beside)} == {200}
    assert all(answer.status == 200 or answer.is_a_proper_refusal() for answer in flooded)
    await asyncio.to_thread(town.spent)
    assert await asyncio.to_thread(town.violations) == []
    if IS_RELEASE:  # behind sixty of somebody else's they would take as long as the flood's own
        assert percentile_ms(beside, 0.95) < percentile_ms(good(flooded), 0.5)


async def test_slow_clients_cost_nobody_else(town: Town) -> None:
    """A third of them are slow to send their head, a third their body, and a third to read."""
    port = town.server.port
    requests = town.requests(1, 2, model=LIGHT)
    assert (await ask(port, requests[0])).status == 200
    calm = await one_after_the_other(port, requests, askers=2, seconds=SECONDS)
    async with AsyncExitStack() as stack:
        dribbling = [
            asyncio.create_task(_dribble(port, _begun(number % 2, town.keys[0])))
            for number in range(2 * SLOW_CLIENTS // 3)
        ]
        for _ in range(SLOW_CLIENTS // 3):
            stack.enter_context(await asyncio.to_thread(_reading_nothing, port))
        beside = await one_after_the_other(port, requests, askers=2, seconds=SECONDS)
        ends = await asyncio.gather(*dribbling)
        after = await ask(port, requests[0])
    closed_s = max(seconds for _, seconds in ends)
    note(
        Figure(
            "Slow clients",
            f"{SLOW_CLIENTS} at once: a byte of head or body a second, or an answer that is never read",
            f"{len(good(beside))} of {len(beside)} others answered, {spread(beside)}; without them {spread(calm)}; "
            f"every slow sender was refused, after {closed_s:.0f} s at most",
        )
    )
    assert {answer.status for answer in (*calm, *beside, after)} == {200}
    assert {status for status, _ in ends} <= {408, 503}  # too slow, or as much under way as one person may have
    assert town.server.process.poll() is None


def _begun(kind: int, key: str) -> bytes:
    """A head without its end, or a head whose body says that it will be large."""
    head = f"POST /api/v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\nX-Slow: "
    return (
        head.encode() if kind else f"{head}yes\r\nContent-Type: image/jpeg\r\nContent-Length: 20000000\r\n\r\n".encode()
    )


async def _dribble(port: int, begun: bytes) -> tuple[int, float]:
    """The status that it came to, and after how long."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(begun)
        answer = asyncio.create_task(reader.readline())
        while not answer.done() and loop.time() < began + 120:
            await asyncio.wait([answer], timeout=1)
            if not answer.done():
                writer.write(b"a")
        return int((await answer).split()[1]), loop.time() - began
    finally:
        writer.close()


def _reading_nothing(port: int) -> socket.socket:
    """Asks for half a megabyte into a buffer of four kilobytes."""
    asking = socket.socket()
    asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    asking.connect(("127.0.0.1", port))
    asking.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    return asking
