"""Which of several servers is asked: the one with the least to do, and none that just failed.

A place that cannot be reached, or breaks off, is left alone for a second, then two, four, up to half a minute; the
first request after that finds out whether it is back. When all are left alone the one whose time is nearest over is
asked all the same: somebody has to find out.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Way:
    """How a place is asked for a package; `as_bytes`: it reads tensors that are not JSON."""

    path: str
    as_bytes: bool


@dataclass(eq=False)
class Place:
    """One server. `ways` holds, by package, how it was seen to give the right answers; `strange` until when it is not
    asked about a package that it does not have, or has another of."""

    url: str
    under_way: int = 0
    failures_in_a_row: int = 0
    back_at: float = float("-inf")
    ways: dict[str, Way] = field(default_factory=dict)
    strange: dict[str, float] = field(default_factory=dict)


class Places:
    def __init__(
        self,
        urls: Sequence[str],
        *,
        note_failure: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._places = [Place(url.rstrip("/")) for url in urls]
        self._note_failure = note_failure
        self._clock = clock
        self._lock = threading.Lock()
        self._turn = 0

    def __len__(self) -> int:
        return len(self._places)

    @contextmanager
    def one(self, package: str, *, but: Collection[Place] = ()) -> Iterator[Place]:
        """The place to ask now; `but` those that have just said no, unless there are no others."""
        with self._lock:
            known = [one for one in self._places if not self.is_strange(one, package)] or self._places
            place = self._choose([one for one in known if one not in but] or known)
            place.under_way += 1
        try:
            yield place
        finally:
            with self._lock:
                place.under_way -= 1

    def reachable(self) -> list[Place]:
        now = self._clock()
        return [place for place in self._places if place.back_at <= now]

    def is_strange(self, place: Place, package: str) -> bool:
        return place.strange.get(package, 0.0) > self._clock()

    def has_another(self, place: Place, package: str) -> None:
        """It is as well as ever, but not asked about this package for a while."""
        with self._lock:
            place.ways.pop(package, None)
            place.strange[package] = self._clock() + LONGEST_PAUSE_S

    def answered(self, place: Place) -> None:
        with self._lock:
            place.failures_in_a_row = 0

    def failed(self, place: Place, *, because: str) -> None:
        """Left alone for a while. Whoever comes back may have another model: what was known of it is forgotten."""
        self._note_failure()
        with self._lock:
            now = self._clock()
            place.ways.clear()
            place.strange.clear()
            if place.back_at > now:
                return  # its neighbours in flight failed with it: one failure
            pause_s = min(FIRST_PAUSE_S * 2**place.failures_in_a_row, LONGEST_PAUSE_S)
            place.failures_in_a_row += 1
            place.back_at = now + pause_s
        _log.warning("an eye is left alone", url=place.url, because=because, seconds=pause_s)

    def _choose(self, among: Sequence[Place]) -> Place:
        now = self._clock()
        self._turn += 1
        up = [place for place in among if place.back_at <= now]
        if not up:
            return min(among, key=lambda place: place.back_at)
        first = self._turn % len(up)
        return min(up[first:] + up[:first], key=lambda place: place.under_way)
