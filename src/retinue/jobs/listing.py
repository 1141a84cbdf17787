"""Which items of a dataset a job looks at, read a page at a time: a million of them never lie in memory together."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from retinue.base.database import Database, Transaction
from retinue.datasets import life_cycle
from retinue.datasets.tables import Item as DatasetItem
from retinue.jobs.manifests import Entry, Shot
from retinue.jobs.results import failed_from
from retinue.jobs.tables import ItemResult, Job
from retinue.media.tables import Asset

PAGE = 2000


@dataclass(frozen=True, slots=True)
class Listing:
    """How many items there are now, how many of them are frames of videos, and each in the order of the dataset."""

    dataset_id: str | None
    dataset: str
    count: int
    frames: int
    entries: AsyncIterator[Entry]


@dataclass(frozen=True, slots=True)
class Filter:
    """A part of a dataset: one group, and indexes from one up to another, both included."""

    group: str | None = None
    from_index: int | None = None
    to_index: int | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    """An item of a dataset: a picture, or a video whose frames are still to be told."""

    id: str
    entry: Entry
    is_video: bool
    fps: float | None
    duration_s: float


async def items_of(database: Database, name_or_id: str, chosen: Filter, *, owner_id: str) -> Listing:
    def look(now: Transaction) -> tuple[str, str, int, int]:
        dataset = life_cycle.find(now, name_or_id, owner_id=owner_id)
        # A picture is one item, a video as many as it has frames.
        items = sa.func.coalesce(sa.func.sum(sa.func.coalesce(DatasetItem.frames, 1)), 0)
        frames = sa.func.coalesce(sa.func.sum(DatasetItem.frames), 0)
        row: Any = now.execute(sa.select(items, frames).where(*_wanted(dataset.id, chosen))).one()
        return dataset.id, dataset.name, int(row[0]), int(row[1])

    dataset_id, name, count, frames = await database.read(look)
    return Listing(dataset_id, name, count, frames, _items(database, dataset_id, chosen))


async def failures_of(database: Database, job: Job) -> Listing:
    """What a job could not do, to be tried once more."""

    def count(now: Transaction) -> tuple[int, int]:
        counted = sa.select(sa.func.count(), sa.func.count(ItemResult.frame))
        row: Any = now.execute(counted.where(ItemResult.job_id == job.id, ItemResult.prediction_id.is_(None))).one()
        return int(row[0]), int(row[1])

    items, frames = await database.read(count)
    return Listing(job.dataset_id, job.dataset, items, frames, _failures(database, job))


async def _items(database: Database, dataset_id: str, chosen: Filter) -> AsyncIterator[Entry]:
    after = -1
    while page := await database.read(lambda now, after=after: _page(now, dataset_id, chosen, after)):  # type: ignore[misc]
        for found in page:
            if not found.is_video:
                yield found.entry
                continue
            for shot in await database.read(lambda now, one=found: _shots(now, one)):  # type: ignore[misc]
                yield replace(found.entry, shot=shot)
        after = page[-1].entry.index


async def _failures(database: Database, job: Job) -> AsyncIterator[Entry]:
    at = 0

    def look(now: Transaction) -> tuple[list[Entry], int]:
        failed = failed_from(now, job.id, at, at_most=PAGE)
        indexes = {row.item_index for row in failed}
        found = _found(now, [DatasetItem.dataset_id == job.dataset_id, DatasetItem.index.in_(indexes)])
        by_index = {one.entry.index: one for one in found}
        entries = [_failed_entry(by_index[row.item_index], row) for row in failed if row.item_index in by_index]
        return entries, failed[-1].position + 1 if failed else -1

    while at >= 0:
        entries, at = await database.read(look)
        for entry in entries:
            yield entry


def _page(now: Transaction, dataset_id: str, chosen: Filter, after: int) -> list[_Found]:
    return _found(now, [*_wanted(dataset_id, chosen), DatasetItem.index > after])


def _shots(now: Transaction, video: _Found) -> list[Shot]:
    """Read for one video at a time: ten thousand times of each of two thousand would fill the memory."""
    times: Any = now.value(sa.select(DatasetItem.times).where(DatasetItem.id == video.id))
    return [Shot(number, time_s, video.fps, video.duration_s) for number, time_s in enumerate(times or ())]


def _failed_entry(found: _Found, row: ItemResult) -> Entry:
    if row.frame is None or row.time_s is None:
        return found.entry
    return replace(found.entry, shot=Shot(row.frame, row.time_s, found.fps, found.duration_s))


def _found(now: Transaction, wanted: list[Any]) -> list[_Found]:
    mask = aliased(Asset)
    found: Any = (
        sa.select(
            DatasetItem.id,
            DatasetItem.frames,
            DatasetItem.fps,
            DatasetItem.duration_s,
            DatasetItem.index.label("item_index"),
            DatasetItem.image_id,
            Asset.key,
            DatasetItem.group.label("group_name"),
            DatasetItem.name,
            mask.key.label("mask_key"),
        )
        .join(Asset, Asset.id == DatasetItem.image_id)
        .outerjoin(mask, mask.id == DatasetItem.mask_id)
        .where(*wanted)
        .order_by(DatasetItem.index)
        .limit(PAGE)
    )
    return [
        _Found(
            row.id,
            Entry(
                row.item_index,
                row.image_id,
                row.key,
                f"{row.group_name}/{row.name}" if row.group_name else row.name,
                row.mask_key,
            ),
            is_video=row.frames is not None,
            fps=row.fps,
            duration_s=row.duration_s or 0.0,
        )
        for row in now.rows(found)
    ]


def _wanted(dataset_id: str, chosen: Filter) -> list[Any]:
    wanted: list[Any] = [
        DatasetItem.dataset_id == dataset_id,
        DatasetItem.deleted_at.is_(None),
    ]
    if chosen.group is not None:
        wanted.append(DatasetItem.group == chosen.group)
    if chosen.from_index is not None:
        wanted.append(DatasetItem.index >= chosen.from_index)
    if chosen.to_index is not None:
        wanted.append(DatasetItem.index <= chosen.to_index)
    return wanted
