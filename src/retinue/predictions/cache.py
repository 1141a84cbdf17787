"""Answers given before, so that the same question costs nothing: in this process, or shared through Redis."""

import time
from collections import OrderedDict
from collections.abc import Awaitable
from typing import Any, Protocol

import orjson
import structlog
from redis import RedisError
from redis.asyncio import Redis

from retinue.base.observe import Metrics

MOST_BYTES = 64 << 20
LIFE_S = 24 * 3600
LEFT_ALONE_S = 5.0
PREFIX = "retinue:answer:"
_log = structlog.get_logger(__name__)


class AnswerCache(Protocol):
    async def get(self, key: str) -> dict[str, Any] | None: ...

    async def put(self, key: str, answer: dict[str, Any]) -> None: ...

    async def check(self) -> None:
        """Raises when it is away."""

    async def close(self) -> None: ...


def open_cache(url: str, metrics: Metrics) -> AnswerCache:
    if not url:
        return LocalCache()
    return SharedCache(Redis.from_url(url, socket_timeout=0.5, socket_connect_timeout=0.5), metrics)


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


class SharedCache:
    """A Redis that is away costs the cache, never the answer: it is left alone for five seconds."""

    def __init__(self, redis: Redis, metrics: Metrics) -> None:
        self._redis = redis
        self._metrics = metrics
        self._away_until = 0.0

    async def get(self, key: str) -> dict[str, Any] | None:
        told = await self._ask(self._redis.get(PREFIX + key))
        return None if told is None else orjson.loads(told)

    async def put(self, key: str, answer: dict[str, Any]) -> None:
        await self._ask(self._redis.set(PREFIX + key, orjson.dumps(answer), ex=LIFE_S))

    async def check(self) -> None:
        await self._redis.ping()

    async def close(self) -> None:
        await self._redis.aclose()

    async def _ask(self, question: Awaitable[Any]) -> Any:
        if time.monotonic() < self._away_until:
            question.close()  # type: ignore[attr-defined]
            return None
        try:
            return await question
        except RedisError as lost:
            self._away_until = time.monotonic() + LEFT_ALONE_S
            self._metrics.external_errors.labels("cache").inc()
            _log.warning("the answer cache is away", reason=type(lost).__name__)
            return None
