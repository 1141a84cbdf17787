"""People who do not wait for each other: requests go out at their times, whatever became of those before them."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.client import request_of

PATIENCE_S = 60.0
PROBLEM = {"type", "title", "status", "detail", "instance", "code"}


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is 0 where the connection ended without one."""

    status: int
    seconds: float
    head: str = ""
    body: bytes = b""

    @property
    def told(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told

    def is_a_proper_refusal(self) -> bool:
        return self.status in {429, 503} and "retry-after:" in self.head and self.told.keys() >= PROBLEM


def request_for(port: int, token: str, body: bytes, *, model: str = "", timeout_ms: int = 30_000) -> bytes:
    """A prediction that no cache answers, on a connection of its own."""
    path = f"/api/v1/predict?cache=false{f'&model={model}' if model else ''}"
    request = request_of(path, body, token=token, port=port)
    more = f"Connection: close\r\nX-Timeout-Ms: {timeout_ms}\r\nContent-Type"
    return request.replace(b"Content-Type", more.encode(), 1)


async def ask(port: int, request: bytes) -> Answer:
    sent = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(request)
                whole = await reader.read()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return Answer(0, time.monotonic() - sent)
    head, _, body = whole.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").lower()
    return Answer(int(lines.split()[1]) if lines else 0, time.monotonic() - sent, lines, body)


async def at_a_rate(port: int, requests: Sequence[bytes], *, per_second: float, seconds: float) -> list[Answer]:
    """An open loop: the n-th request goes out after n / rate seconds."""
    began, asked = time.monotonic(), list[asyncio.Task[Answer]]()
    for number in range(max(1, round(per_second * seconds))):
        await asyncio.sleep(began + number / per_second - time.monotonic())
        asked.append(asyncio.create_task(ask(port, requests[number % len(requests)])))
    return list(await asyncio.gather(*asked))


async def one_after_the_other(port: int, requests: Sequence[bytes], *, askers: int, seconds: float) -> list[Answer]:
    """A closed loop: each asker sends its next request when the last one was answered."""
    ends, turn, answers = time.monotonic() + seconds, iter(range(10**9)), list[Answer]()

    async def go_on() -> None:
        while time.monotonic() < ends:
            answers.append(await ask(port, requests[next(turn) % len(requests)]))

    await asyncio.gather(*(go_on() for _ in range(askers)))
    return answers


def percentile_ms(answers: Sequence[Answer], share: float) -> float:
    ranked = sorted(answer.seconds for answer in answers)
    return ranked[min(len(ranked) - 1, int(len(ranked) * share))] * 1000 if ranked else 0.0
