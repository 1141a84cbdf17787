"""The rows of a dataset's items: added all at once with their charge, listed, deleted."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import undefer

from retinue.base.database import Transaction
from retinue.base.errors import NotFound
from retinue.base.ids import new_id
from retinue.base.paging import Asked
from retinue.credits import ledger
from retinue.datasets.checking import Facts
from retinue.datasets.life_cycle import NoSuchDataset
from retinue.datasets.reports import Line
from retinue.datasets.tables import Dataset, Item
from retinue.media import keeping, quota
from retinue.media.keeping import Kept
from retinue.media.quota import Quota

OPERATION = "dataset"


class NoSuchItem(NotFound):
    code = "no-such-item"
    title = "There is no such item in this dataset"


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item that is checked and whose files are written: only its row and its charge are missing."""

    line: Line
    image: Kept
    mask: Kept | None

    @property
    def facts(self) -> Facts:
        return self.line.facts

    @property
    def files(self) -> list[Kept]:
        return [self.image, self.mask] if self.mask else [self.image]

    @property
    def size_bytes(self) -> int:
        return sum(kept.size_bytes for kept in self.files)


@dataclass(frozen=True, slots=True)
class Added:
    """By fingerprint the index of each new item; whoever is not in it was there already."""

    indexes: dict[str, int]
    cost: int


def add(now: Transaction, dataset: Dataset, new: Sequence[NewItem], *, limits: Quota, operation_id: str) -> Added:
    """The only place where items come into being: rows, room and charge in this one transaction."""
    first = _lock(now, dataset)
    there = twins(now, dataset.id, [one.facts.fingerprint for one in new])
    fresh = [one for one in new if one.facts.fingerprint not in there]
    if not fresh:
        return Added({}, 0)
    cost, hold_id = sum(one.line.cost for one in fresh), None
    if cost:
        held = ledger.hold(now, dataset.owner_id, cost, operation=OPERATION, operation_id=operation_id, expires_at=None)
        ledger.settle(now, held, cost, description=dataset.name)
        hold_id = held.id
    files = [kept for one in fresh for kept in one.files]
    size_bytes = sum(kept.size_bytes for kept in files)
    limits.take(now, dataset.owner_id, size_bytes=size_bytes, files=len(files))
    keeping.claim_all(now, dataset.owner_id, files)
    now.insert(Item, [_row(now, dataset, one, first + place, hold_id) for place, one in enumerate(fresh)])
    _count(now, dataset.id, fresh, next_index=first + len(fresh))
    return Added({one.facts.fingerprint: first + place for place, one in enumerate(fresh)}, cost)


def twins(now: Transaction, dataset_id: str, fingerprints: Sequence[str] | None = None) -> set[str]:
    """Which of these are in the dataset already; without a list, all that are."""
    kept = sa.select(Item.fingerprint).where(Item.dataset_id == dataset_id, Item.deleted_at.is_(None))
    if fingerprints is None:
        return set(now.execute(kept).scalars())
    found: set[str] = set()
    for start in range(0, len(fingerprints), 500):
        found.update(now.execute(kept.where(Item.fingerprint.in_(fingerprints[start : start + 500]))).scalars())
    return found


def list_items(now: Transaction, dataset: Dataset, asked: Asked, *, group: str | None) -> tuple[list[Item], str | None]:
    """By index, the first ones first."""
    kept = sa.select(Item).where(Item.dataset_id == dataset.id, Item.deleted_at.is_(None))
    if group is not None:
        kept = kept.where(Item.group == group)
    if (after := asked.after(int, of="items")) is not None:
        kept = kept.where(Item.index > after[0])
    return asked.cut(now.all(kept.order_by(Item.index).limit(asked.limit + 1)), lambda row: (row.index,), of="items")


def item_at(now: Transaction, dataset: Dataset, index: int) -> Item:
    found = now.first(
        sa.select(Item)
        .where(Item.dataset_id == dataset.id, Item.index == index, Item.deleted_at.is_(None))
        .options(undefer(Item.times))
    )
    if found is None:
        raise NoSuchItem()
    return found


def delete(now: Transaction, dataset: Dataset, index: int) -> None:
    """Gone for good with its files; what it cost stays spent."""
    _lock(now, dataset)
    item = item_at(now, dataset, index)
    now.execute(sa.update(Item).where(Item.id == item.id).values(deleted_at=now.time, times=None))
    assets = [one for one in (item.image_id, item.mask_id) if one]
    keeping.forget_items(now, assets)
    quota.give_back(now, dataset.owner_id, size_bytes=item.size_bytes, files=len(assets))
    is_video = item.frames is not None
    now.execute(
        sa.update(Dataset)
        .where(Dataset.id == dataset.id)
        .values(
            pictures=Dataset.pictures - int(not is_video),
            videos=Dataset.videos - int(is_video),
            frames=Dataset.frames - (item.frames or 0),
            size_bytes=Dataset.size_bytes - item.size_bytes,
        )
    )


def _lock(now: Transaction, dataset: Dataset) -> int:
    """From here on nobody else adds to it. Gives the next free index."""
    row = now.execute(
        sa.update(Dataset)
        .where(Dataset.id == dataset.id, Dataset.deleted_at.is_(None))
        .values(updated_at=now.time)
        .returning(Dataset.next_index)
    ).first()
    if row is None:
        raise NoSuchDataset()
    return int(row.next_index)


def _row(now: Transaction, dataset: Dataset, new: NewItem, index: int, hold_id: str | None) -> dict[str, object]:
    facts = new.facts
    return {
        "id": new_id(now.time),
        "dataset_id": dataset.id,
        "index": index,
        "group": new.line.group,
        "type": facts.type,
        "name": new.line.name,
        "mask_name": new.line.mask_name,
        "image_id": new.image.id,
        "mask_id": new.mask.id if new.mask else None,
        "width": facts.width,
        "height": facts.height,
        "frames": facts.frames,
        "fps": facts.fps,
        "duration_s": facts.duration_s,
        "times": facts.times or None,
        "size_bytes": new.size_bytes,
        "cost": new.line.cost,
        "hold_id": hold_id,
        "fingerprint": facts.fingerprint,
        "created_at": now.time,
    }


def _count(now: Transaction, dataset_id: str, new: Sequence[NewItem], *, next_index: int) -> None:
    videos = sum(one.facts.frames is not None for one in new)
    now.execute(
        sa.update(Dataset)
        .where(Dataset.id == dataset_id)
        .values(
            next_index=next_index,
            pictures=Dataset.pictures + len(new) - videos,
            videos=Dataset.videos + videos,
            frames=Dataset.frames + sum(one.facts.frames or 0 for one in new),
            size_bytes=Dataset.size_bytes + sum(one.size_bytes for one in new),
        )
    )
