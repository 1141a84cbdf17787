"""Gives memory that nobody uses any more back to the system.

The C library keeps what was freed for the thread that freed it: one picture of 36 megapixels and 16 bits left 180 MiB
with whichever lane had decoded it, and each lane could have met one.
"""

import asyncio
import ctypes
from collections.abc import Callable
from functools import cache

from retinue.base.chores import Chore

EVERY_S = 30.0


def giving_back(*, when: Callable[[], bool]) -> Chore:
    """Only `when` few are waiting: it takes a few milliseconds, for which other threads cannot allocate."""

    async def give() -> None:
        if when():
            await asyncio.to_thread(give_back)

    return Chore("give memory back", EVERY_S, give)


def give_back() -> None:
    if (trim := _trim()) is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    """Only glibc needs it and has it."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
