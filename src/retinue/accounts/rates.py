"""How often: windows counted in memory, or in Redis for all nodes together; in memory again while Redis is lost."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from limits import RateLimitItem
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import FixedWindowRateLimiter, RateLimiter, SlidingWindowCounterRateLimiter

from retinue.base.observe import Metrics

T = TypeVar("T")
PATIENCE_S = 0.25
AGAIN_AFTER_S = 5.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left of a window after this request, and when it begins anew."""

    is_within: bool
    left: int
    anew_in_s: float


class Rates:
    def __init__(self, url: str = "", *, metrics: Metrics | None = None, prefix: str = "retinue:rates") -> None:
        self._near = _Place(MemoryStorage())
        self._far = _Place(_redis(url, prefix)) if url else None
        self._far_again_at = 0.0
        self._metrics = metrics

    async def take(self, limit: RateLimitItem, *who: str) -> Standing:
        """Counts one."""
        return await self._ask(lambda place: place.take(limit, who))

    async def bursts(self, limit: RateLimitItem, *who: str) -> bool:
        """Counts one, in a window that slides: a fixed second would let twice as many pass. In this process alone,
        which is what a burst endangers; asking Redis would cost each request another 0.3 ms."""
        return not await self._near.sliding.hit(limit, *who)

    async def count(self, key: str, *, expires_in_s: int) -> int:
        """One more under this key, which is forgotten so long after its first."""
        return await self._ask(lambda place: place.storage.incr(key, expires_in_s))

    async def counted(self, key: str) -> int:
        return await self._ask(lambda place: place.storage.get(key))

    async def expires_in_s(self, key: str) -> float:
        return await self._ask(lambda place: place.storage.get_expiry(key)) - time.time()

    async def forget(self, key: str) -> None:
        await self._ask(lambda place: place.storage.clear(key))

    async def close(self) -> None:
        if self._far is not None:
            await self._far.close()

    async def _ask(self, question: Callable[["_Place"], Awaitable[T]]) -> T:
        if self._far is not None and time.monotonic() >= self._far_again_at:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    return await question(self._far)
            except self._far.failures as lost:
                self._far_again_at = time.monotonic() + AGAIN_AFTER_S
                _log.warning("rate limits count in this process alone", because=type(lost).__name__)
                if self._metrics is not None:
                    self._metrics.external_errors.labels("cache").inc()
        return await question(self._near)


class _Place:
    """Where windows are counted."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.failures: tuple[type[Exception], ...] = (*_as_tuple(storage.base_exceptions), OSError, TimeoutError)
        self._fixed: RateLimiter = FixedWindowRateLimiter(storage)
        self.sliding: RateLimiter = SlidingWindowCounterRateLimiter(storage)

    async def take(self, limit: RateLimitItem, who: tuple[str, ...]) -> Standing:
        is_within = await self._fixed.hit(limit, *who)
        reset_at, left = await self._fixed.get_window_stats(limit, *who)
        return Standing(is_within, max(0, left), max(0.0, reset_at - time.time()))

    async def close(self) -> None:
        client: Any = getattr(getattr(self.storage, "bridge", None), "storage", None)
        if client is not None:
            await client.aclose()


def _redis(url: str, prefix: str) -> Storage:
    return RedisStorage(f"async+{url}", implementation="redispy", key_prefix=prefix)


def _as_tuple(kinds: type[Exception] | tuple[type[Exception], ...]) -> tuple[type[Exception], ...]:
    return kinds if isinstance(kinds, tuple) else (kinds,)
