"""Room for pictures that are under way: for all together, and for one person."""

from contextlib import ExitStack

import pytest

from retinue.predictions.memory import PictureMemory, PicturesPileUp


def test_what_does_not_fit_is_refused_until_something_ended() -> None:
    memory = PictureMemory(most_bytes=100)
    with memory.room_for(60, "ada"), pytest.raises(PicturesPileUp), memory.room_for(60, "ben"):
        pass
    with memory.room_for(60, "ben"):
        pass


def test_one_request_alone_always_fits() -> None:
    with PictureMemory(most_bytes=100).room_for(1000, "ada"):
        pass


def test_nobody_keeps_the_others_out() -> None:
    memory = PictureMemory(most_bytes=100)
    with ExitStack() as under_way:
        under_way.enter_context(memory.room_for(30, "ada"))
        with pytest.raises(PicturesPileUp, match="half"):
            under_way.enter_context(memory.room_for(30, "ada"))
        under_way.enter_context(memory.room_for(50, "ben"))
    with memory.room_for(100, "ada"):
        pass
