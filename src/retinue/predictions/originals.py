"""The pictures that were looked at, again: an original's own bytes, or the one frame of a video that it was."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from retinue.base.storage import Storage
from retinue.predictions.asking import Frame
from retinue.vision.errors import BrokenVideo
from retinue.vision.images import encode_png
from retinue.vision.video import Begin, Frames, frames


class Originals:
    """Asked for one after the other. A video stays open, so that its frames in their order cost one reading of it."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._opened = AsyncExitStack()
        self._reel: tuple[str, float | None, Frames] | None = None
        self._next = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._opened.aclose()

    async def picture_of(self, key: str, result: Mapping[str, Any]) -> bytes:
        """A frame comes without loss, so that it is the same picture each time."""
        told = result.get("frame")
        if told is None:
            return await self._storage.get(key)
        frame = Frame(**told)
        if self._reel is None or self._reel[:2] != (key, frame.fps) or frame.number < self._next:
            await self._open(key, frame)
        assert self._reel is not None, "it was just opened"
        self._next = frame.number + 1
        return await asyncio.to_thread(_taken, self._reel[2], frame.number)

    async def _open(self, key: str, frame: Frame) -> None:
        await self._opened.aclose()
        path = await self._opened.enter_async_context(self._storage.local_file(key))
        reel = await asyncio.to_thread(_reel, path, frame)
        self._opened.push_async_callback(asyncio.to_thread, reel.close)
        self._reel = (key, frame.fps, reel)


async def picture_of(storage: Storage, key: str, result: Mapping[str, Any]) -> bytes:
    async with Originals(storage) as originals:
        return await originals.picture_of(key, result)


def _reel(path: Path, frame: Frame) -> Frames:
    return frames(path, fps=frame.fps or "source", begin=Begin(frame.number, frame.time_s))


def _taken(reel: Frames, number: int) -> bytes:
    for sample in reel:
        if sample.number == number:
            return encode_png(sample.pixels)
    raise BrokenVideo("The video ends before this frame.")
