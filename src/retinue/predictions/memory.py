"""How many bytes of pictures this process holds at once, and how many of one person: beyond it a request is refused
before its body is read."""

from collections.abc import Iterator
from contextlib import contextmanager

from retinue.base.errors import Unavailable

MOST_BYTES = 1 << 30  # 64 people who send a batch of 64 pictures each would otherwise take 80 GiB


class PicturesPileUp(Unavailable):
    code = "pictures-pile-up"
    title = "More pictures are arriving than this server can hold; try again in a moment"


class PictureMemory:
    """What a request says it will send counts from its head on, so a few slow ones of one person could keep everybody
    else out: nobody has more than half."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._held = 0
        self._theirs: dict[str, int] = {}

    @contextmanager
    def room_for(self, size_bytes: int, who: str = "") -> Iterator[None]:
        """One request alone always fits: its own limits are smaller."""
        theirs = self._theirs.get(who, 0)
        if self._held and self._held + size_bytes > self._most_bytes:
            raise PicturesPileUp()
        if who and theirs and theirs + size_bytes > self._most_bytes // 2:
            raise PicturesPileUp("Yours alone are half of them; wait for one to end")
        self._add(who, size_bytes)
        try:
            yield
        finally:
            self._add(who, -size_bytes)

    def _add(self, who: str, size_bytes: int) -> None:
        self._held += size_bytes
        self._theirs[who] = self._theirs.get(who, 0) + size_bytes
        if not self._theirs[who]:
            del self._theirs[who]
