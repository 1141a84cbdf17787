"""How the items of a chunk become pictures to look at: a picture is fetched, a video's frames are read one by one.

Frames of one video follow each other in a manifest, so a chunk reads each of its videos once, from its first frame on.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from retinue.base.storage import ObjectMissing, Storage
from retinue.jobs.manifests import Entry, Item
from retinue.vision.errors import BrokenVideo, VisionError
from retinue.vision.images import encode_png
from retinue.vision.video import Begin, Frames, Rate, container_of, frames

HEAD_BYTES = 64
Refusal = VisionError | ObjectMissing


@dataclass(frozen=True, slots=True)
class Shown:
    """What a model is to look at."""

    picture: bytes
    mask: bytes | None


Fetch = Callable[[], Awaitable[Shown]]


async def shown(storage: Storage, items: Sequence[Item]) -> AsyncGenerator[tuple[Item, Fetch], None]:
    """Each item with how to get it: pictures when they are asked for, frames as the film goes by."""
    for video, run in groupby(items, key=lambda item: item.entry.key if item.entry.shot else None):
        if video is None:
            for item in run:
                yield item, _fetching(storage, item.entry)
        else:
            async for item, fetch in _frames_of(storage, list(run)):
                yield item, fetch


def _fetching(storage: Storage, entry: Entry) -> Fetch:
    async def fetch() -> Shown:
        mask = await storage.get(entry.mask_key) if entry.mask_key else None
        return Shown(await storage.get(entry.key), mask)

    return fetch


def _given(what: Shown | Refusal) -> Fetch:
    async def give() -> Shown:
        if isinstance(what, Shown):
            return what
        raise what

    return give


async def _frames_of(storage: Storage, run: list[Item]) -> AsyncGenerator[tuple[Item, Fetch], None]:
    """A film that breaks on the way refuses the frames that are left, and only those."""
    left = iter(run)
    try:
        async with AsyncExitStack() as opened:
            film = await _open(storage, run[0].entry, opened)
            for item in left:
                try:
                    seen = await asyncio.to_thread(film.take, item.entry)
                except VisionError as broken:
                    yield item, _given(broken)
                    break
                yield item, _given(seen)
    except (VisionError, ObjectMissing) as refusal:
        for item in left:
            yield item, _given(refusal)
        return
    for item in left:
        yield item, _given(BrokenVideo("The video cannot be read as far as this frame."))


async def _open(storage: Storage, entry: Entry, opened: AsyncExitStack) -> "_Film":
    """The video, beside it its mask: one picture for all of it, or a video of its own."""
    video = await opened.enter_async_context(storage.local_file(entry.key))
    film, mask = _Film(), None
    opened.push_async_callback(asyncio.to_thread, film.close)
    if entry.mask_key is not None:
        mask = await opened.enter_async_context(storage.local_file(entry.mask_key))
    await asyncio.to_thread(film.open, video, mask, entry)
    return film


class _Film:
    """Read in threads: what it gives comes from a contained child."""

    def __init__(self) -> None:
        self._pictures: Frames | None = None
        self._masks: Frames | None = None
        self._one_mask: bytes | None = None

    def open(self, video: Path, mask: Path | None, entry: Entry) -> None:
        assert entry.shot is not None, "a picture is no film"
        rate: Rate = entry.shot.fps or "source"
        begin = Begin(entry.shot.number, entry.shot.time_s)
        self._pictures = frames(video, fps=rate, begin=begin)
        if mask is None:
            return
        if _is_film(mask):
            self._masks = frames(mask, fps=rate, begin=begin)
        else:
            self._one_mask = mask.read_bytes()

    def take(self, entry: Entry) -> Shown:
        """The next frames up to this one: after a retry there may be some between that are not asked for."""
        assert entry.shot is not None, "a picture is no film"
        picture = _next(self._pictures, entry.shot.number)
        return Shown(picture, self._one_mask if self._masks is None else _next(self._masks, entry.shot.number))

    def close(self) -> None:
        for film in (self._pictures, self._masks):
            if film is not None:
                film.close()


def _is_film(mask: Path) -> bool:
    with mask.open("rb") as file:
        return container_of(file.read(HEAD_BYTES)) is not None


def _next(film: Frames | None, number: int) -> bytes:
    assert film is not None, "it was opened"
    for sample in film:
        if sample.number == number:
            return encode_png(sample.pixels)
    raise BrokenVideo("The video ends before this frame.")
