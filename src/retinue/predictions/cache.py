"""Answers given before, so that the same question costs nothing: in this process, or shared through Redis."""

from collections import OrderedDict
from typing import Any, Protocol

import orjson

from retinue.base.observe import Metrics

MOST_BYTES = 64 << 20


class AnswerCache(Protocol):
    async def get(self, key: str) -> dict[str, Any] | None: ...

    async def put(self, key: str, answer: dict[str, Any]) -> None: ...

    async def check(self) -> None:
        """Raises when it is away."""

    async def close(self) -> None: ...


def open_cache(url: str, metrics: Metrics) -> AnswerCache:
    if not url:
        return LocalCache()
    from retinue.predictions.shared_cache import open_shared  # brings Redis's client: 0.2 s and 9 MiB

    return open_shared(url, metrics)


class LocalCache:
    """The least recently used answers go first when the bytes run out."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._answers: OrderedDict[str, bytes] = OrderedDict()

    async def get(self, key: str) -> dict[str, Any] | None:
        told = self._answers.get(key)
        if told is None:
            return None
        self._answers.move_to_end(key)
        answer: dict[str, Any] = orjson.loads(told)
        return answer

    async def put(self, key: str, answer: dict[str, Any]) -> None:
        told = orjson.dumps(answer)
        self._bytes += len(told) - len(self._answers.pop(key, b""))
        self._answers[key] = told
        while self._bytes > self._most_bytes:
            _, dropped = self._answers.popitem(last=False)
            self._bytes -= len(dropped)

    async def check(self) -> None:
        return

    async def close(self) -> None:
        self._answers.clear()
