"""Where a file goes and when it counts: written under a new key first, then named by a row.

A file without a row is garbage that the sweeper takes after a day; a row without its file cannot be.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import sqlalchemy as sa

from retinue.base.database import Transaction
from retinue.base.errors import Gone, NotFound
from retinue.base.ids import new_id
from retinue.base.prepared import Prepared
from retinue.base.storage import Storage
from retinue.media.tables import Asset

Kind = Literal["original", "annotated", "heat_map", "output", "item", "mask", "reference", "tensors"]
FOLDERS: Mapping[Kind, str] = {
    "original": "images",
    "annotated": "derived",
    "heat_map": "derived",
    "output": "outputs",
    "item": "images",
    "mask": "masks",
    "reference": "images",
    "tensors": "tensors",
}
# What a dataset holds goes with its item only: neither a deleted prediction nor the retention of originals takes it.
OF_DATASETS: tuple[Kind, ...] = ("item", "mask")


class NoSuchImage(NotFound):
    code = "no-such-image"
    title = "There is no such image"


class ImageDeleted(Gone):
    code = "image-deleted"
    title = "This image has been deleted"


class OriginalGone(ImageDeleted):
    """Deleted between being found and being used: whoever has its bytes writes it anew."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that is written; `claim` makes it count."""

    id: str
    kind: Kind
    key: str
    sha256: str
    filename: str
    mime_type: str
    size_bytes: int
    width: int
    height: int


async def keep_file(
    storage: Storage,
    data: bytes,
    *,
    kind: Kind,
    at: datetime,
    filename: str,
    mime_type: str,
    extension: str,
    size: tuple[int, int],
    sha256: str | None = None,
) -> Kept:
    """Durable when this returns, and nobody's until `claim`."""
    kept = name_file(
        data,
        kind=kind,
        at=at,
        filename=filename,
        mime_type=mime_type,
        extension=extension,
        size=size,
        sha256=sha256,
    )
    await storage.put(kept.key, data)
    return kept


def name_file(
    data: bytes,
    *,
    kind: Kind,
    at: datetime,
    filename: str,
    mime_type: str,
    extension: str,
    size: tuple[int, int],
    sha256: str | None = None,
) -> Kept:
    """For whoever writes several at once; nothing is written yet."""
    file_id, key = _new_key(kind, at, extension)
    told = sha256 or hashlib.sha256(data).hexdigest()
    return Kept(file_id, kind, key, told, filename, mime_type, len(data), size[0], size[1])


async def keep_path(
    storage: Storage,
    path: Path,
    *,
    kind: Kind,
    at: datetime,
    filename: str,
    mime_type: str,
    extension: str,
    size: tuple[int, int],
) -> Kept:
    """The same for a file that is too large for memory."""
    file_id, key = _new_key(kind, at, extension)
    stored = await storage.put_file(key, path)
    return Kept(file_id, kind, key, stored.sha256, filename, mime_type, stored.size, size[0], size[1])


def claim(now: Transaction, owner_id: str, kept: Kept) -> str:
    """The row that names the file; where the owner has this original already, that one's id (this file is garbage)."""
    if kept.kind == "original" and (twin := find_original(now, owner_id, kept.sha256)):
        return use_again(now, twin)
    claim_all(now, owner_id, [kept])
    return kept.id


def claim_all(now: Transaction, owner_id: str, kept: Sequence[Kept]) -> None:
    """Rows for many files at once, none of which can be a twin."""
    if not kept:
        return
    told = ("id", "kind", "key", "sha256", "filename", "mime_type", "size_bytes", "width", "height")
    same = {"owner_id": owner_id, "generation": 0, "created_at": now.time, "used_at": now.time}
    now.insert(Asset, [{**same, **{name: getattr(one, name) for name in told}} for one in kept])


def find_original(now: Transaction, owner_id: str, sha256: str) -> str | None:
    """The id under which this owner has this picture already."""
    twin = now.row(_TWIN, {"owner": owner_id, "sha256": sha256})
    return twin.id if twin else None


def use_again(now: Transaction, image_id: str) -> str:
    """The original counts as used now, so that retention begins anew; refused where it was deleted meanwhile."""
    if not now.changed(_USE, {"image": image_id, "time": now.time}):
        raise OriginalGone()
    return image_id


_TWIN = Prepared(
    sa.select(Asset.id).where(
        Asset.owner_id == sa.bindparam("owner"),
        Asset.sha256 == sa.bindparam("sha256"),
        Asset.kind == "original",
        Asset.deleted_at.is_(None),
    )
)
_USE = Prepared(
    sa.update(Asset)
    .where(Asset.id == sa.bindparam("image"), Asset.deleted_at.is_(None))
    .values(used_at=sa.bindparam("time", type_=Asset.used_at.type))
)


def original_of(now: Transaction, image_id: str, *, owner_id: str | None) -> Asset:
    """The image, if it is there and yours (`owner_id` None: anybody's, for admins)."""
    asked = sa.select(Asset).where(Asset.id == image_id, Asset.kind.in_(("original", "item")))
    if owner_id is not None:
        asked = asked.where(Asset.owner_id == owner_id)
    asset = now.first(asked)
    if asset is None:
        raise NoSuchImage()
    if not asset.is_kept():
        raise ImageDeleted()
    return asset


def forget(now: Transaction, asset_ids: list[str]) -> None:
    """From here on every link to them is dead; the sweeper takes the files. What datasets hold stays."""
    _forget(now, asset_ids, Asset.kind.not_in(OF_DATASETS))


def forget_items(now: Transaction, asset_ids: list[str]) -> None:
    """The same for what a dataset held."""
    _forget(now, asset_ids, Asset.kind.in_(OF_DATASETS))


def _forget(now: Transaction, asset_ids: list[str], kinds: sa.ColumnElement[bool]) -> None:
    now.execute(
        sa.update(Asset)
        .where(Asset.id.in_(asset_ids), Asset.deleted_at.is_(None), kinds)
        .values(deleted_at=now.time, generation=Asset.generation + 1)
    )


def _new_key(kind: Kind, at: datetime, extension: str) -> tuple[str, str]:
    file_id = new_id(at)
    return file_id, f"{FOLDERS[kind]}/{at:%Y/%m/%d}/{file_id}.{extension}"
