"""What the house does by itself, again and again: each chore on its own clock, none stopped by another's failure."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Chore:
    """Safe to kill anywhere and to run on every node at once."""

    name: str
    every_s: float
    do: Callable[[], Awaitable[Any]]


@asynccontextmanager
async def doing(chores: Sequence[Chore]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(_again_and_again(chore), name=chore.name) for chore in chores]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _again_and_again(chore: Chore) -> None:
    while True:
        await asyncio.sleep(chore.every_s)
        try:
            await chore.do()
        except Exception:  # noqa: BLE001 the next round may find the part it needed again
            _log.exception("a chore failed", chore=chore.name)
