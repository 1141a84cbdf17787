"""How the files of an upload are checked and written: pictures in batches, videos after them, all within memory.

A batch goes through one thread to be checked and through one to be written, where its files share what the disk asks
for each time: one by one, ten thousand pictures took half as long again.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TypeVar

from retinue.base.clock import Clock
from retinue.base.database import Database, Transaction
from retinue.base.errors import Invalid, TooLarge, WrongKind
from retinue.base.storage import Storage
from retinue.credits.idempotency import Once
from retinue.credits.ledger import NotEnoughCredits
from retinue.credits.prices import Prices
from retinue.datasets.checking import PICTURE_LIMITS, Candidate, Checked, Facts, Part, check_picture, check_video
from retinue.datasets.content import Scratch
from retinue.datasets.items import NewItem
from retinue.datasets.kinds import Lot, NothingInside, Refusal, Sent, lot_of
from retinue.datasets.reports import Line
from retinue.datasets.tables import Dataset
from retinue.media.keeping import Kept, Kind, keep_path, name_file
from retinue.media.quota import Quota
from retinue.vision.errors import VisionError
from retinue.vision.video import Rate

T = TypeVar("T")
Batch = list[tuple[int, Candidate]]
AT_ONCE = 8  # so many batches, some being checked and some on their way to the disk
MOST_IN_BATCH = 16
MOST_BYTES_IN_BATCH = 4 << 20
BYTES_AT_ONCE = min(96, 24 * (os.cpu_count() or 1)) << 20  # a picture of the largest kind for each processor
FILMS_AT_ONCE = 2  # each is read by a child with up to 1.5 GiB
OF_THE_FILE = (Invalid, TooLarge, WrongKind, VisionError)  # everything else ends the whole import


@dataclass
class Importer:
    """The parts that taking in needs, and what all imports of this process share."""

    database: Database
    storage: Storage
    prices: Prices
    quota: Quota
    clock: Clock
    folder: Path
    threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="checking")
    )
    film_threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(FILMS_AT_ONCE, thread_name_prefix="checking-film")
    )
    room: "Room" = field(default_factory=lambda: Room(BYTES_AT_ONCE))


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller wants done with what was sent; `also` runs in the transaction that makes the items count."""

    dataset: Dataset
    fps: Rate = 1.0
    dry_run: bool = False
    once: Once | None = None
    also: Callable[[Transaction], None] | None = None


class Work:
    """One import under way: what came of each candidate, by its place among them."""

    def __init__(self, importer: Importer, asked: Asked, *, there: set[str], available: int) -> None:
        self.importer = importer
        self.asked = asked
        self.cost = 0
        self.written: list[Kept] = []
        self.skipped: list[str] = []
        self.rejected: list[tuple[str, Refusal]] = []
        self.lines: dict[int, Line] = {}
        self.new: dict[int, NewItem] = {}
        self._available = available
        self._seen = set(there)
        self._refused: dict[int, Refusal] = {}
        self._films: Batch = []
        self._is_over = False

    async def run(self, sent: Sent) -> None:
        async with _in_threads(self.importer, lot_of, sent) as lot:
            await self._work_off(batches(lot.candidates), lambda batch: self._pictures(batch, lot))
            await self._work_off(iter(self._films), lambda film: self._film(*film, lot))
            self.skipped = list(lot.skipped)
            refused = [(_path(lot.candidates[at]), self._refused[at]) for at in sorted(self._refused)]
            self.rejected = [*lot.rejected, *refused]
        if not self.lines:
            raise self.rejected[0][1] if self.rejected else NothingInside()
        if self.cost > self._available and not self.asked.dry_run:
            raise NotEnoughCredits(needed=self.cost, available=self._available)

    async def _work_off(self, waiting: Iterator[T], work: Callable[[T], Awaitable[None]]) -> None:
        """Until nothing waits, or another worker met what ends the whole: a full disk, a lost database."""

        async def worker() -> None:
            for one in waiting:
                if self._is_over:
                    return
                try:
                    await work(one)
                except BaseException:
                    self._is_over = True
                    raise

        for outcome in await asyncio.gather(*(worker() for _ in range(AT_ONCE)), return_exceptions=True):
            if outcome is not None:
                raise outcome

    async def _pictures(self, batch: Batch, lot: Lot) -> None:
        importer = self.importer
        async with importer.room.taken(sum(_bytes_of(candidate) for _, candidate in batch)):
            candidates = [candidate for _, candidate in batch]
            outcomes = await asyncio.get_running_loop().run_in_executor(importer.threads, _check_all, candidates)
            new: list[tuple[int, Line, Checked]] = []
            for (at, candidate), outcome in zip(batch, outcomes, strict=True):
                if outcome is None:
                    self._films.append((at, candidate))
                elif not isinstance(outcome, Checked):
                    self._refused[at] = outcome
                elif (line := self._wanted(at, candidate, outcome.facts, lot)) is not None:
                    new.append((at, line, outcome))
            await self._keep(new)

    async def _film(self, at: int, candidate: Candidate, lot: Lot) -> None:
        """In threads of their own: a long one would keep everybody's pictures waiting."""
        importer, loop = self.importer, asyncio.get_running_loop()
        with Scratch(importer.folder) as scratch:
            async with importer.room.taken(_bytes_of(candidate)):
                check = partial(check_video, candidate, fps=self.asked.fps, scratch=scratch)
                try:
                    checked = await loop.run_in_executor(importer.film_threads, check)
                except OF_THE_FILE as refusal:
                    self._refused[at] = refusal
                    return
                if (line := self._wanted(at, candidate, checked.facts, lot)) is not None:
                    await self._keep([(at, line, checked)])

    def _wanted(self, at: int, candidate: Candidate, facts: Facts, lot: Lot) -> Line | None:
        """What is told of it in any case; given back where its files are to be written."""
        mask_name = candidate.mask.name if candidate.mask else None
        line = Line(candidate.content.name, mask_name, candidate.group, facts, self._price(facts, lot))
        self.lines[at] = line
        if facts.fingerprint in self._seen:
            return None
        self._seen.add(facts.fingerprint)
        self.cost += line.cost
        return None if self.asked.dry_run or self.cost > self._available else line

    def _price(self, facts: Facts, lot: Lot) -> int:
        prices = self.importer.prices
        if facts.frames is not None:
            return facts.frames * prices.video_frame
        picture: int = getattr(prices, lot.picture_price)
        return picture

    async def _keep(self, new: Sequence[tuple[int, Line, Checked]]) -> None:
        files: list[tuple[str, bytes]] = []
        for at, line, checked in new:
            image, mask = await self._named("item", checked.original, line.name, line.facts, files), None
            if checked.mask is not None and line.mask_name is not None:
                name = f"{PurePosixPath(line.mask_name).stem}.{checked.mask.extension}"
                mask = await self._named("mask", checked.mask, name, line.facts, files)
            self.new[at] = NewItem(line, image, mask)
        await self.importer.storage.put_many(files)

    async def _named(self, kind: Kind, part: Part, name: str, facts: Facts, files: list[tuple[str, bytes]]) -> Kept:
        """What is in memory waits in `files` to be written with others."""
        at, size = self.importer.clock.now(), (facts.width, facts.height)
        told = {"filename": name, "mime_type": part.mime_type, "extension": part.extension}
        if isinstance(part.data, bytes):
            kept = name_file(part.data, kind=kind, at=at, size=size, sha256=part.sha256, **told)
            files.append((kept.key, part.data))
        else:
            kept = await keep_path(self.importer.storage, part.data, kind=kind, at=at, size=size, **told)
        self.written.append(kept)
        return kept


def batches(candidates: Sequence[Candidate]) -> Iterator[Batch]:
    """Small enough that a short upload is still worked on by all at once; a large file is alone in its own."""
    most = min(MOST_IN_BATCH, -(-len(candidates) // AT_ONCE))
    batch: Batch = []
    size = 0
    for at, candidate in enumerate(candidates):
        more = _bytes_of(candidate)
        if batch and (len(batch) == most or size + more > MOST_BYTES_IN_BATCH):
            yield batch
            batch, size = [], 0
        batch.append((at, candidate))
        size += more
    if batch:
        yield batch


def _check_all(candidates: Sequence[Candidate]) -> list[Checked | Refusal | None]:
    """None for a video."""
    return [_checked(candidate) for candidate in candidates]


def _checked(candidate: Candidate) -> Checked | Refusal | None:
    try:
        return check_picture(candidate)
    except OF_THE_FILE as refusal:
        return refusal


@asynccontextmanager
async def _in_threads(
    importer: Importer, opening: Callable[[Sent], AbstractContextManager[T]], sent: Sent
) -> AsyncIterator[T]:
    """A blocking context whose ends run in a thread: the list of a large archive takes a while to read."""
    loop = asyncio.get_running_loop()
    context = await loop.run_in_executor(importer.threads, opening, sent)
    opened = await loop.run_in_executor(importer.threads, context.__enter__)
    try:
        yield opened
    finally:
        await loop.run_in_executor(importer.threads, context.__exit__, None, None, None)


def _bytes_of(candidate: Candidate) -> int:
    """What it may take in memory; larger files are videos, which stay on the disk, or refused."""
    sizes = [candidate.content.size, candidate.mask.size if candidate.mask else 0]
    return sum(size for size in sizes if size <= PICTURE_LIMITS.max_bytes)


def _path(candidate: Candidate) -> str:
    return f"{candidate.group}/{candidate.content.name}".lstrip("/")


class Room:
    """So many bytes may be in memory at once; one thing alone always may."""

    def __init__(self, size: int) -> None:
        self._left = self._size = size
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def taken(self, size: int) -> AsyncIterator[None]:
        size = min(size, self._size)
        async with self._changed:
            await self._changed.wait_for(lambda: self._left >= size)
            self._left -= size
        try:
            yield
        finally:
            async with self._changed:
                self._left += size
                self._changed.notify_all()
