"""Whose turn it is among those who wait: one item of each in turn, however many somebody has sent."""

from collections import deque
from collections.abc import Iterator
from itertools import chain, islice
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """Of one asker alone, this is a queue."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[T]] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def __iter__(self) -> Iterator[T]:
        return chain.from_iterable(self._waiting.values())

    def put(self, who: str, item: T) -> None:
        self._waiting.setdefault(who, deque()).append(item)

    def next(self) -> T:
        """The item whose turn it is; it stays."""
        return next(iter(self._waiting.values()))[0]

    def take(self) -> T:
        """The same, taken out; whoever sent it goes to the end of the line with all that is left."""
        who = next(iter(self._waiting))
        theirs = self._waiting.pop(who)
        item = theirs.popleft()
        if theirs:
            self._waiting[who] = theirs
        return item

    def remove(self, who: str, item: T) -> None:
        """Items that were taken already are no error."""
        theirs = self._waiting.get(who)
        if theirs is not None and item in theirs:
            theirs.remove(item)
            if not theirs:
                del self._waiting[who]

    def ahead_of(self, who: str) -> Iterator[T]:
        """What would be taken before an item that this asker put in now."""
        rounds = len(self._waiting.get(who, ())) + 1
        return chain.from_iterable(
            theirs if name == who else islice(theirs, rounds) for name, theirs in self._waiting.items()
        )

    def clear(self) -> None:
        self._waiting.clear()
