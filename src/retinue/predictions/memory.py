"""How many bytes of pictures this process holds at once: beyond it a request is refused before its body is read."""

from collections.abc import Iterator
from contextlib import contextmanager

from retinue.base.errors import Unavailable

MOST_BYTES = 1 << 30  # 64 people who send a batch of 64 pictures each would otherwise take 80 GiB


class PicturesPileUp(Unavailable):
    code = "pictures-pile-up"
    title = "More pictures are arriving than this server can hold; try again in a moment"


class PictureMemory:
    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._held = 0

    @contextmanager
    def room_for(self, size_bytes: int) -> Iterator[None]:
        """One request alone always fits: its own limits are smaller."""
        if self._held and self._held + size_bytes > self._most_bytes:
            raise PicturesPileUp()
        self._held += size_bytes
        try:
            yield
        finally:
            self._held -= size_bytes
