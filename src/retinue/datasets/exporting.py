"""How a dataset goes out: one ZIP, made while it is sent, a page of items and a file at a time in memory."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

import sqlalchemy as sa
from zipstream import ZipStream

from retinue.base.database import Database, Transaction
from retinue.base.storage import ObjectMissing, Storage
from retinue.datasets.aside import Aside
from retinue.datasets.layouts import LAYOUTS, Data, Format, Layout, Mark, Place, marks_of, root_of
from retinue.datasets.tables import Dataset, Item
from retinue.media.tables import Asset
from retinue.vision.images import decode_grey

PAGE = 200
IN_MEMORY_BYTES = 20 << 20
PARTS = ("train", "val", "test")


class More(Protocol):
    """What others know of the pictures."""

    async def marks(self, items: Sequence[Item]) -> Mapping[str, Sequence[Mark]]:
        """Of a page of items, by their ids; it takes the place of what their masks tell."""

    def files(self) -> Iterator[tuple[str, Data]]:
        """What lies beside all of it, asked for when every item was told."""


@dataclass(frozen=True, slots=True)
class Split:
    """Which share goes to training, validation and testing. The same seed puts the same item into the same part."""

    train: float
    val: float
    test: float
    seed: int = 0

    def part_of(self, item: Item) -> str:
        """By the item's content alone: what is added later moves nobody, and no order matters."""
        drawn = hashlib.blake2b(f"{self.seed}:{item.fingerprint}".encode(), digest_size=7).digest()
        share = int.from_bytes(drawn, "big") / 2**56 * (self.train + self.val + self.test)
        if share < self.train:
            return "train"
        return "val" if share < self.train + self.val else "test"


@dataclass(frozen=True, slots=True)
class Export:
    database: Database
    storage: Storage
    dataset: Dataset
    format: Format
    split: Split | None = None
    more: Callable[[Aside], More] | None = None

    async def stream(self) -> AsyncIterator[bytes]:
        with Aside() as aside:
            async for piece in self._stream(aside):
                yield piece

    async def _stream(self, aside: Aside) -> AsyncIterator[bytes]:
        archive, layout, root = ZipStream(), LAYOUTS[self.format](aside), root_of(self.dataset.name)
        more, left_out = self.more(aside) if self.more else None, aside.sheet()
        async for page, assets in self._pages():
            known = await more.marks(page) if more else {}
            for item in page:
                try:
                    async for piece in self._item(archive, layout, root, item, assets, known):
                        yield piece
                except (_LeftOut, ObjectMissing):
                    left_out.write(f"{item.image_path}\n".encode())
        for name, data in _at_the_end(layout, more):
            async for piece in _written(archive, f"{root}/{name}", data):
                yield piece
        if not left_out.is_empty():
            async for piece in _written(archive, f"{root}/left-out.txt", left_out.pieces()):
                yield piece
        for piece in archive.finalize():
            yield piece

    async def _item(
        self,
        archive: ZipStream,
        layout: Layout,
        root: str,
        item: Item,
        assets: Mapping[str, Asset],
        known: Mapping[str, Sequence[Mark]],
    ) -> AsyncIterator[bytes]:
        image = assets[item.image_id]
        part = self.split.part_of(item) if self.split else ""
        marks = known.get(item.id)
        if marks is None:
            marks = await self._marks(item, assets) if layout.wants_marks else ()
        place = Place(item, part, _extension(image), marks)
        name = layout.file_of(place)
        if name is None:
            raise _LeftOut
        async for piece in self._file(archive, f"{root}/{name}", image):
            yield piece
        if item.mask_id is not None:
            mask = assets[item.mask_id]
            if (mask_name := layout.mask_of(place, _extension(mask))) is not None:
                async for piece in self._file(archive, f"{root}/{mask_name}", mask):
                    yield piece
        for beside, data in layout.beside(place):
            async for piece in _written(archive, f"{root}/{beside}", data):
                yield piece

    async def _marks(self, item: Item, assets: Mapping[str, Asset]) -> Sequence[Mark]:
        if item.mask_id is None or item.frames is not None:
            return ()
        data = await self.storage.get(assets[item.mask_id].key)
        return await asyncio.to_thread(lambda: marks_of(decode_grey(data) > 0, item))

    async def _file(self, archive: ZipStream, name: str, asset: Asset) -> AsyncIterator[bytes]:
        if asset.size_bytes <= IN_MEMORY_BYTES:
            async for piece in _written(archive, name, await self.storage.get(asset.key)):
                yield piece
            return
        async with self.storage.local_file(asset.key) as path:
            archive.add_path(path, name)
            async for piece in _pieces(archive):
                yield piece

    async def _pages(self) -> AsyncIterator[tuple[list[Item], dict[str, Asset]]]:
        after = -1
        while True:
            page, assets = await self.database.read(lambda now, after=after: _page(now, self.dataset.id, after))  # type: ignore[misc]
            if not page:
                return
            yield page, assets
            after = page[-1].index


class _LeftOut(Exception):
    """The format has no place for it."""


def _page(now: Transaction, dataset_id: str, after: int) -> tuple[list[Item], dict[str, Asset]]:
    kept = sa.select(Item).where(Item.dataset_id == dataset_id, Item.deleted_at.is_(None), Item.index > after)
    page = now.all(kept.order_by(Item.index).limit(PAGE))
    ids = [one for item in page for one in (item.image_id, item.mask_id) if one]
    return page, {asset.id: asset for asset in now.all(sa.select(Asset).where(Asset.id.in_(ids)))}


def _extension(asset: Asset) -> str:
    return PurePosixPath(asset.key).suffix.lstrip(".")


def _at_the_end(layout: Layout, more: More | None) -> Iterator[tuple[str, Data]]:
    yield from layout.at_the_end()
    if more is not None:
        yield from more.files()


async def _written(archive: ZipStream, name: str, data: Data) -> AsyncIterator[bytes]:
    archive.add(data, name)
    async for piece in _pieces(archive):
        yield piece


async def _pieces(archive: ZipStream) -> AsyncIterator[bytes]:
    """In a thread, because checksums of large files take a while."""
    pieces = archive.file()
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece
