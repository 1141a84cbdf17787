"""The list of a job's items, frozen before it begins: one line each in a file that never changes.

A chunk is a range of its bytes, so a worker reads the part it needs and nobody ever holds all of a million items.
"""

from array import array
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
import sqlalchemy as sa

from retinue.base.clock import Clock
from retinue.base.database import Database
from retinue.base.errors import Gone
from retinue.base.ids import new_id
from retinue.base.leftovers import delete_unnamed
from retinue.base.storage import ObjectMissing, Storage
from retinue.jobs.tables import OPEN_JOBS, Job

FOLDER = "jobs"
MOST_BYTES = 4 << 30
PAGE_ITEMS = 20_000  # planned in one transaction; more go in pages of as many
GATHERED_BYTES = 64 << 10  # a megabyte of lines that wait one by one takes thirty


class ListLost(Gone):
    """Deleted, cut short or written over: what a job was to look at, nobody knows any more."""

    code = "list-lost"
    title = "The list of this inference's items is lost"


@dataclass(frozen=True, slots=True)
class Shot:
    """One frame of a video of this length. `fps` None: every frame was taken."""

    number: int
    time_s: float
    fps: float | None
    duration_s: float


@dataclass(frozen=True, slots=True)
class Entry:
    """One item as a dataset tells it. `image_id` and `key` are its original's; with a `shot`, a frame of that video."""

    index: int
    image_id: str
    key: str
    name: str
    mask_key: str | None = None
    group: str | None = None
    shot: Shot | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """An entry at its place in the manifest."""

    position: int
    first_byte: int
    end_byte: int
    entry: Entry

    def place_alone(self, place: "Place") -> "Place":
        return Place(place.manifest, self.position, self.first_byte, self.end_byte)


@dataclass(frozen=True, slots=True)
class Place:
    """A range of a manifest: where its first line begins and its last one ends."""

    manifest: str
    first_item: int
    first_byte: int
    end_byte: int


@dataclass(slots=True)
class Video:
    """Frames of one video that follow each other in a manifest."""

    index: int
    name: str
    first_item: int
    duration_s: float
    frames: int = 0


@dataclass(frozen=True, slots=True)
class Frozen:
    """A manifest that is written, and the lengths of its first lines in bytes, enough to plan one page."""

    key: str
    items: int
    size: int
    lengths: Sequence[int]
    videos: Sequence[Video] = ()

    @property
    def frames(self) -> int:
        return sum(video.frames for video in self.videos)


async def freeze(storage: Storage, entries: AsyncIterator[Entry], *, at: datetime) -> Frozen:
    key = f"{FOLDER}/{at:%Y/%m/%d}/{new_id(at)}.jsonl"
    lengths = array("L")
    items = 0
    videos: list[Video] = []

    async def lines() -> AsyncIterator[bytes]:
        nonlocal items
        async for entry in entries:
            line = _line(entry)
            if entry.shot is not None:
                if not videos or videos[-1].index != entry.index:
                    videos.append(Video(entry.index, entry.name, items, entry.shot.duration_s))
                videos[-1].frames += 1
            items += 1
            if items <= PAGE_ITEMS:
                lengths.append(len(line))
            yield line

    stored = await storage.put_stream(key, _gathered(lines()), max_bytes=MOST_BYTES)
    return Frozen(key, items, stored.size, lengths, videos)


async def read_items(storage: Storage, place: Place) -> list[Item]:
    if place.first_byte == place.end_byte:
        return []
    data = b"".join([piece async for piece in _pieces(storage, place.manifest, place.first_byte, place.end_byte)])
    items, at = [], place.first_byte
    try:
        for position, line in enumerate(data.splitlines(keepends=True), place.first_item):
            items.append(Item(position, at, at + len(line), _entry(line)))
            at += len(line)
    except (TypeError, ValueError) as garbled:
        raise ListLost() from garbled
    return items


async def read_lengths(storage: Storage, manifest: str, *, first_byte: int, end_byte: int) -> Sequence[int]:
    """Of the next page's lines."""
    lengths = array("L")
    begun = 0
    async for piece in _pieces(storage, manifest, first_byte, end_byte):
        at = 0
        while (end := piece.find(b"\n", at)) >= 0:
            lengths.append(begun + end + 1 - at)
            if len(lengths) == PAGE_ITEMS:
                return lengths
            begun, at = 0, end + 1
        begun += len(piece) - at
    if begun:
        raise ListLost()
    return lengths


async def sweep_manifests(database: Database, storage: Storage, clock: Clock) -> int:
    """Lists of jobs that are over, which nobody reads again, and those whose job never came to be."""

    async def named(_keys: Sequence[str]) -> Collection[str]:
        still_open = sa.select(Job.manifest).where(Job.state.in_(OPEN_JOBS))
        return await database.read(lambda now: {row.manifest for row in now.rows(still_open)})

    return await delete_unnamed(storage, clock, FOLDER, named)


async def _pieces(storage: Storage, manifest: str, first_byte: int, end_byte: int) -> AsyncIterator[bytes]:
    """Stores differ in what they do where a file ends too early; here that is one refusal."""
    try:
        if await storage.size(manifest) < end_byte:
            raise ListLost()
        async for piece in storage.stream(manifest, first_byte, end_byte):
            yield piece
    except ObjectMissing as missing:
        raise ListLost() from missing


def _line(entry: Entry) -> bytes:
    told: list[object] = [entry.index, entry.image_id, entry.key, entry.name, entry.mask_key, entry.group]
    if (shot := entry.shot) is not None:
        told.append([shot.number, shot.time_s, shot.fps, shot.duration_s])
    return orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)


def _entry(line: bytes) -> Entry:
    index, image_id, key, name, mask_key, group, *shot = orjson.loads(line)
    return Entry(index, image_id, key, name, mask_key, group, Shot(*shot[0]) if shot else None)


async def _gathered(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A hundred bytes at a time would cost more in calls than in writing."""
    waiting, size = [], 0
    async for line in lines:
        waiting.append(line)
        size += len(line)
        if size >= GATHERED_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)
