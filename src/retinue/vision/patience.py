"""How long somebody still waits for what this thread is doing: told to work that may take long elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from retinue.vision.errors import DeadlinePassed

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def until(deadline: float | None) -> Iterator[None]:
    """`deadline` is a time of `time.monotonic()`."""
    before = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(before)


def seconds_left(*, at_most: float) -> float:
    deadline = _deadline.get()
    left = at_most if deadline is None else min(deadline - time.monotonic(), at_most)
    if left <= 0:
        raise DeadlinePassed()
    return left
