"""Names for new things: UUIDv7, so that sorting by id is sorting by time of birth."""

import os
import struct
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ONE_SECOND = 4096 * 1000  # in ticks of 1/4096 ms


def new_id(at: datetime | None = None) -> str:
    """RFC 9562 UUIDv7 with the sub-millisecond part in `rand_a` (its method 3), rising within this process."""
    ticks = _now.next(time.time_ns() * 4096 // 1_000_000) if at is None else _told.next(_ticks_at(at))
    return _uuid7(ticks, _random.next())


def first_id_at(moment: datetime) -> str:
    """No thing born at that moment or later has a smaller id: a range of time is a range of ids."""
    return _uuid7(_ticks_at(moment), 0)


def _ticks_at(moment: datetime) -> int:
    return max(0, (moment - _EPOCH) // _MICROSECOND * 4096 // 1000)  # before 1970 nothing was born


def _uuid7(ticks: int, random: int) -> str:
    value = (ticks >> 12) << 80 | 0x7 << 76 | (ticks & 0xFFF) << 64 | 0b10 << 62 | random & ((1 << 62) - 1)
    return str(uuid.UUID(int=value))


class _Ticks:
    """Never the same tick twice; a clock set back by more than a second is believed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self, ticks: int) -> int:
        with self._lock:
            if 0 <= self._last - ticks < _ONE_SECOND:
                ticks = self._last + 1
            self._last = ticks
            return ticks


class _Random:
    """The system's random numbers, a page at a time: each asking gives the interpreter away, which in a crowd took a
    twentieth of the event loop's time."""

    def __init__(self) -> None:
        self._left: list[int] = []
        if hasattr(os, "register_at_fork"):  # not where there is no fork
            os.register_at_fork(after_in_child=self._left.clear)

    def next(self) -> int:
        try:
            return self._left.pop()
        except IndexError:
            self._left.extend(struct.unpack("256Q", os.urandom(2048)))
            return self._left.pop()


_random = _Random()
_now, _told = _Ticks(), _Ticks()  # apart, because a test may tell another year than the system's
