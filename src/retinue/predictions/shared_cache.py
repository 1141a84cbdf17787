"""Answers given before, kept in Redis for every process that serves the same house."""

import time
from collections.abc import Awaitable
from typing import Any

import orjson
import structlog
from redis import RedisError
from redis.asyncio import Redis

from retinue.base.observe import Metrics

LIFE_S = 24 * 3600
LEFT_ALONE_S = 5.0
PREFIX = "retinue:answer:"
_log = structlog.get_logger(__name__)


def open_shared(url: str, metrics: Metrics) -> "SharedCache":
    return SharedCache(Redis.from_url(url, socket_timeout=0.5, socket_connect_timeout=0.5), metrics)


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
