"""How files become items: all are checked, the sound ones are written, and one transaction makes them count and paid.

Until that transaction nothing is charged and no row names a file, so a process may die anywhere before it: what it
leaves are files that the sweeper takes. Whoever cannot pay is told so after everything was checked, and from the
picture on at which the credits end nothing more is written.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TypeVar

import orjson

from retinue.accounts.access import Identity
from retinue.base.clock import Clock
from retinue.base.database import CommitInDoubt, Database, Transaction
from retinue.base.errors import Invalid, TooLarge, WrongKind
from retinue.base.failpoints import reach
from retinue.base.ids import new_id
from retinue.base.storage import Storage
from retinue.credits import idempotency, ledger
from retinue.credits.idempotency import Once, Replay, Ticket
from retinue.credits.ledger import NotEnoughCredits
from retinue.credits.prices import Prices
from retinue.credits.shapes import as_credits
from retinue.datasets import items
from retinue.datasets.checking import PICTURE_LIMITS, Candidate, Checked, Facts, Part, check, medium_of
from retinue.datasets.content import Scratch
from retinue.datasets.items import Added, NewItem
from retinue.datasets.kinds import Lot, NothingInside, Refusal, Sent, lot_of
from retinue.datasets.reports import Line, Report, report_of
from retinue.datasets.tables import Dataset
from retinue.media.keeping import Kept, Kind, keep_file, keep_path
from retinue.media.quota import Quota
from retinue.vision.errors import VisionError
from retinue.vision.video import Rate

T = TypeVar("T")
AT_ONCE = 8  # enough that syncs to the disk overlap; each of them may hold a picture and its mask
BYTES_AT_ONCE = 96 << 20
FILMS_AT_ONCE = 2  # each is read by a child with up to 1.5 GiB
SLOWEST_BYTES_PER_S = 2 << 20  # how slow an import may be before its Idempotency-Key opens to a twin
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


async def take_in(importer: Importer, sent: Sent, asked: Asked, caller: Identity) -> bytes | Replay:
    """The report as it goes out. Refused as a whole when not a single item comes of it."""
    size = sent.content.size + (sent.mask.size if sent.mask else 0)
    begun = await importer.database.write(lambda now: _begin(now, importer, asked, caller, size_bytes=size))
    if isinstance(begun, Replay):
        return begun
    work = _Work(importer, asked, begun)
    try:
        await work.run(sent)
        body, unused = await _finish(importer, asked, caller, work)
    except CommitInDoubt:
        raise  # the items may be there: their files stay, and the sweeper finds out
    except BaseException:
        await asyncio.shield(_undo(importer, work))
        raise
    if unused:
        await importer.storage.delete(unused)
    return body


@dataclass(frozen=True, slots=True)
class _Begun:
    ticket: Ticket | None
    available: int
    there: set[str]


def _begin(now: Transaction, importer: Importer, asked: Asked, caller: Identity, *, size_bytes: int) -> _Begun | Replay:
    ticket = None
    if asked.once is not None and not asked.dry_run:
        lease = idempotency.LEASE * (1 + size_bytes / SLOWEST_BYTES_PER_S / idempotency.LEASE.total_seconds())
        begun = idempotency.begin(now, caller.user_id, asked.once, lease=lease)
        if isinstance(begun, Replay):
            return begun
        ticket = begun
    importer.quota.check(now, caller.user_id, size_bytes=size_bytes, files=1)
    available = ledger.balance(now, caller.user_id).available
    return _Begun(ticket, available, items.twins(now, asked.dataset.id))


class _Work:
    """One import under way: what came of each candidate, by its place among them."""

    def __init__(self, importer: Importer, asked: Asked, begun: _Begun) -> None:
        self.importer = importer
        self.asked = asked
        self.begun = begun
        self.cost = 0
        self.written: list[Kept] = []
        self.skipped: list[str] = []
        self.rejected: list[tuple[str, Refusal]] = []
        self.lines: dict[int, Line] = {}
        self.new: dict[int, NewItem] = {}
        self._seen = set(begun.there)
        self._refused: dict[int, Refusal] = {}
        self._is_over = False

    async def run(self, sent: Sent) -> None:
        async with _in_threads(self.importer, lot_of, sent) as lot:
            await self._all(lot)
            self.skipped = list(lot.skipped)
            refused = [(_path(lot.candidates[at]), self._refused[at]) for at in sorted(self._refused)]
            self.rejected = [*lot.rejected, *refused]
        if not self.lines:
            raise self.rejected[0][1] if self.rejected else NothingInside()
        if self.cost > self.begun.available and not self.asked.dry_run:
            raise NotEnoughCredits(needed=self.cost, available=self.begun.available)

    async def _all(self, lot: Lot) -> None:
        waiting = iter(enumerate(lot.candidates))
        workers = [self._work_off(waiting, lot) for _ in range(min(AT_ONCE, len(lot.candidates)))]
        for outcome in await asyncio.gather(*workers, return_exceptions=True):
            if outcome is not None:
                raise outcome

    async def _work_off(self, waiting: Iterator[tuple[int, Candidate]], lot: Lot) -> None:
        """Until nothing waits, or another worker met what ends the whole: a full disk, a lost database."""
        for at, candidate in waiting:
            if self._is_over:
                return
            try:
                with Scratch(self.importer.folder) as scratch:
                    async with self.importer.room.taken(_bytes_of(candidate)):
                        await self._one(at, candidate, lot, scratch)
            except OF_THE_FILE as refusal:
                self._refused[at] = refusal
            except BaseException:
                self._is_over = True
                raise

    async def _one(self, at: int, candidate: Candidate, lot: Lot, scratch: Scratch) -> None:
        checked = await self._checked(candidate, scratch)
        facts = checked.facts
        mask_name = candidate.mask.name if candidate.mask else None
        cost = self._price(facts, lot)
        line = Line(candidate.content.name, mask_name, candidate.group, facts, cost)
        self.lines[at] = line
        if facts.fingerprint in self._seen:
            return
        self._seen.add(facts.fingerprint)
        self.cost += cost
        if self.asked.dry_run or self.cost > self.begun.available:
            return
        image = await self._keep("item", checked.original, candidate.content.name, facts)
        mask = None
        if checked.mask is not None and mask_name is not None:
            name = f"{PurePosixPath(mask_name).stem}.{checked.mask.extension}"
            mask = await self._keep("mask", checked.mask, name, facts)
        self.new[at] = NewItem(line, image, mask)

    async def _checked(self, candidate: Candidate, scratch: Scratch) -> Checked:
        """Films have threads of their own: a long one would keep everybody's pictures waiting."""
        importer, fps = self.importer, self.asked.fps
        loop = asyncio.get_running_loop()
        checked = await loop.run_in_executor(importer.threads, _check_picture, candidate, fps, scratch)
        if checked is not None:
            return checked
        return await loop.run_in_executor(
            importer.film_threads, lambda: check(candidate, "video", fps=fps, scratch=scratch)
        )

    def _price(self, facts: Facts, lot: Lot) -> int:
        prices = self.importer.prices
        if facts.frames is not None:
            return facts.frames * prices.video_frame
        picture: int = getattr(prices, lot.picture_price)
        return picture

    async def _keep(self, kind: Kind, part: Part, name: str, facts: Facts) -> Kept:
        storage, at, size = self.importer.storage, self.importer.clock.now(), (facts.width, facts.height)
        told = {"mime_type": part.mime_type, "extension": part.extension}
        if isinstance(part.data, bytes):
            data, sha256 = part.data, part.sha256
            kept = await keep_file(storage, data, kind=kind, at=at, filename=name, size=size, sha256=sha256, **told)
        else:
            kept = await keep_path(storage, part.data, kind=kind, at=at, filename=name, size=size, **told)
        self.written.append(kept)
        return kept


async def _finish(importer: Importer, asked: Asked, caller: Identity, work: _Work) -> tuple[bytes, list[str]]:
    """The report, and which of the files no item names: somebody else was faster with the same pictures."""
    operation_id = new_id(importer.clock.now())
    new = [work.new[at] for at in sorted(work.new)]
    lines = [work.lines[at] for at in sorted(work.lines)]

    def settle(now: Transaction) -> tuple[bytes, Added]:
        added = items.add(now, asked.dataset, new, limits=importer.quota, operation_id=operation_id)
        report = report_of(lines, added.indexes, skipped=work.skipped, rejected=work.rejected)
        body = _answer(now, caller, report, price=added.cost, used=added.cost)
        if work.begun.ticket is not None:
            idempotency.finish(now, work.begun.ticket, 200, body)
        if asked.also is not None:
            asked.also(now)
        return body, added

    if asked.dry_run:
        there = work.begun.there
        report = report_of(lines, None, skipped=work.skipped, rejected=work.rejected, there=there)
        told = await importer.database.read(lambda now: _answer(now, caller, report, price=work.cost, used=0))
        return told, []
    reach("before_dataset_charge")
    body, added = await importer.database.write(settle)
    reach("after_dataset_charge")
    unused = [kept.key for one in new if one.line.facts.fingerprint not in added.indexes for kept in one.files]
    return body, unused


def _answer(now: Transaction, caller: Identity, report: Report, *, price: int, used: int) -> bytes:
    answer = {
        "processed_items": len(report["accepted"]),
        "price": as_credits(price),
        "credits_used": as_credits(used),
        "credits_remaining": as_credits(ledger.balance(now, caller.user_id).available),
        "report": report,
    }
    return orjson.dumps(answer)


async def _undo(importer: Importer, work: _Work) -> None:
    """What was refused leaves no file and no ticket."""
    if (ticket := work.begun.ticket) is not None:
        await importer.database.write(lambda now: idempotency.forget(now, ticket))
    await importer.storage.delete([kept.key for kept in work.written])


def _check_picture(candidate: Candidate, fps: Rate, scratch: Scratch) -> Checked | None:
    """None for a video."""
    medium = medium_of(candidate.content.head())
    return None if medium == "video" else check(candidate, medium, fps=fps, scratch=scratch)


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
