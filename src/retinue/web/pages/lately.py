"""Figures that cost a walk over everything that happened lately: they are read once a minute, whoever looks.

With 100,000 predictions in a week, sums over the ledger take 100 ms, and the page around them takes 5.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from retinue.base.clock import Clock

T = TypeVar("T")
FRESH = timedelta(minutes=1)


class Lately:
    """One per process. Who asks while somebody reads already waits for what that one finds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[Hashable, tuple[datetime, Any]] = {}
        self._reading: defaultdict[Hashable, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def ask(self, about: Hashable, find: Callable[[], Awaitable[T]]) -> T:
        async with self._reading[about]:
            now = self._clock.now()
            kept = self._kept.get(about)
            if kept is None or now - kept[0] >= FRESH:
                kept = self._kept[about] = now, await find()
            found: T = kept[1]
            return found
