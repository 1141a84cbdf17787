"""Costly figures are read once a minute, whoever looks and however many look at once."""

import asyncio

import pytest

from retinue.base.clock import SetClock
from retinue.web.pages.lately import Lately


class Figures:
    """Each reading finds one more."""

    def __init__(self) -> None:
        self.readings = 0

    async def read(self) -> int:
        await asyncio.sleep(0)
        self.readings += 1
        return self.readings


async def test_a_minute_later_they_are_read_again(clock: SetClock) -> None:
    lately, figures = Lately(clock), Figures()
    assert [await lately.ask("sums", figures.read) for _ in range(3)] == [1, 1, 1]
    assert await lately.ask("traffic", figures.read) == 2
    clock.advance(seconds=61)
    assert await lately.ask("sums", figures.read) == 3


async def test_many_at_once_wait_for_one_reading(clock: SetClock) -> None:
    lately, figures = Lately(clock), Figures()
    assert await asyncio.gather(*(lately.ask("sums", figures.read) for _ in range(8))) == [1] * 8


async def test_what_failed_is_not_kept(clock: SetClock) -> None:
    async def fail() -> int:
        raise ConnectionError

    lately, figures = Lately(clock), Figures()
    with pytest.raises(ConnectionError):
        await lately.ask("sums", fail)
    assert await lately.ask("sums", figures.read) == 1
