"""Datasets and their items: made, filled, shown, changed, hidden and brought back."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field, StringConstraints

from retinue.accounts.access import Admin, Identity, may
from retinue.base.database import Database, Transaction
from retinue.base.documents import fields_of
from retinue.base.paging import Page, Paging
from retinue.base.parts import part
from retinue.base.shapes import Strict
from retinue.base.words import Name, Named
from retinue.credits import idempotency
from retinue.credits.idempotency import IdempotencyKey, Replay
from retinue.credits.shapes import CreditsField
from retinue.datasets import importing, items, life_cycle
from retinue.datasets.arriving import Arrived, Form, receive
from retinue.datasets.handling import Asked, Importer
from retinue.datasets.tables import Dataset, Item, ItemType
from retinue.media import uploads
from retinue.media.links import AssetAddress, Links
from retinue.media.uploads import Uploads

routes = APIRouter(prefix="/api/v1", tags=["datasets"])
Reader = Annotated[Identity, may("datasets:read")]
Writer = Annotated[Identity, may("datasets:write")]
Db = Annotated[Database, part(Database)]
ImporterPart = Annotated[Importer, part(Importer)]
UploadsPart = Annotated[Uploads, part(Uploads)]
LinksPart = Annotated[Links, part(Links)]
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50), Named]


class NewDataset(Strict):
    name: Name
    tags: list[Tag] = Field(default=[], max_length=life_cycle.MOST_TAGS)


class DatasetChange(Strict):
    """What is not named stays."""

    name: Name | None = None
    tags: list[Tag] | None = Field(default=None, max_length=life_cycle.MOST_TAGS)


class DatasetShown(BaseModel):
    id: str
    name: str
    tags: list[str]
    items: int
    pictures: int
    videos: int
    frames: int
    size_bytes: int
    created_at: datetime
    updated_at: datetime


class DatasetForAdmins(DatasetShown):
    """`orphan`: its owner's account is deleted, so nobody but admins sees it."""

    owner_id: str
    owner_email: str | None
    orphan: bool
    deleted_at: datetime | None


class ItemShown(BaseModel):
    index: int
    group: str
    type: ItemType
    image_path: str
    mask_path: str | None
    image_id: str
    mask_id: str | None
    width: int
    height: int
    frames: int | None
    fps: float | None
    duration_s: float | None
    size_bytes: int
    cost: CreditsField
    created_at: datetime
    url: str
    mask_url: str | None


class ItemDetail(ItemShown):
    times: list[float] | None


class AcceptedFile(BaseModel):
    index: int | None
    name: str
    mask: str | None
    type: ItemType
    frames: int | None
    cost: CreditsField


class RejectedFile(BaseModel):
    name: str
    code: str
    reason: str


class FilesReport(BaseModel):
    accepted: list[AcceptedFile]
    skipped: list[str]
    duplicates: list[str]
    rejected: list[RejectedFile]


class TakenIn(BaseModel):
    processed_items: int
    price: CreditsField
    credits_used: CreditsField
    credits_remaining: CreditsField
    report: FilesReport


_FILE = {"type": "string", "format": "binary"}
_FIELDS = fields_of(Form)
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": _FILE, "mask": _FILE, **_FIELDS},
                    "anyOf": [{"required": ["file"]}, {"required": ["upload_id"]}],
                    "additionalProperties": False,
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": _FIELDS,
                    "required": ["upload_id"],
                    "additionalProperties": False,
                }
            },
        },
    },
    "parameters": [{"name": name, "in": "query", "required": False, "schema": told} for name, told in _FIELDS.items()],
}


@routes.post("/datasets", status_code=201)
async def create_dataset(asked: NewDataset, db: Db, caller: Writer) -> DatasetShown:
    """An empty one. Names are unique among yours that are not deleted."""
    return _shown(await db.write(lambda now: life_cycle.create(now, caller.user_id, asked.name, tags=asked.tags)))


@routes.get("/datasets")
async def list_datasets(
    db: Db, caller: Reader, asked: Paging, tag: Annotated[str | None, Query(max_length=50)] = None
) -> Page[DatasetShown]:
    """Yours, the newest first."""
    rows, next_cursor = await db.read(lambda now: life_cycle.list_own(now, caller.user_id, asked, tag=tag))
    return Page(items=[_shown(row) for row in rows], next_cursor=next_cursor)


@routes.get("/datasets/{name}")
async def get_dataset(name: str, db: Db, caller: Reader) -> DatasetShown:
    """By its name or its id."""
    return _shown(await db.read(lambda now: life_cycle.find(now, name, owner_id=caller.user_id)))


@routes.patch("/datasets/{name}")
async def change_dataset(name: str, asked: DatasetChange, db: Db, caller: Writer) -> DatasetShown:
    """Another name, other tags."""

    def change(now: Transaction) -> Dataset:
        found = life_cycle.find(now, name, owner_id=caller.user_id)
        return life_cycle.change(now, found, name=asked.name, tags=asked.tags)

    return _shown(await db.write(change))


@routes.delete("/datasets/{name}", status_code=204)
async def delete_dataset(name: str, db: Db, caller: Writer) -> None:
    """Out of sight with everything in it, until it is restored by its id."""
    await db.write(lambda now: life_cycle.hide(now, life_cycle.find(now, name, owner_id=caller.user_id)))


@routes.post("/datasets/{dataset_id}/restore")
async def restore_dataset(dataset_id: str, db: Db, caller: Writer) -> DatasetShown:
    """Bring a deleted dataset back, if its name is still free."""
    return _shown(await db.write(lambda now: life_cycle.restore(now, dataset_id, owner_id=caller.user_id)))


@routes.post("/datasets/{name}/items", response_model=TakenIn, openapi_extra=_BODY)
async def add_items(
    name: str,
    request: Request,
    importer: ImporterPart,
    waiting: UploadsPart,
    db: Db,
    caller: Writer,
    key: IdempotencyKey,
) -> Response:
    """A picture or video, alone or with its mask, or a ZIP of many: one report, one charge, all or nothing of both."""
    dataset = await db.read(lambda now: life_cycle.find(now, name, owner_id=caller.user_id))
    async with receive(request, waiting, caller) as arrived:
        once = None
        if key is not None and not arrived.form.dry_run:
            told = {"dataset": dataset.id, **arrived.form.model_dump(mode="json")}
            once = idempotency.once(request, key, idempotency.fingerprint(told, *await arrived.digests()))
        asked = Asked(
            dataset, fps=arrived.form.fps, dry_run=arrived.form.dry_run, once=once, also=_using_up(arrived, caller)
        )
        answer = await importing.take_in(importer, arrived.sent, asked, caller)
    return answer.response() if isinstance(answer, Replay) else Response(answer, media_type="application/json")


@routes.get("/datasets/{name}/items")
async def list_items(
    name: str,
    db: Db,
    links: LinksPart,
    caller: Reader,
    asked: Paging,
    group: Annotated[str | None, Query(max_length=1000)] = None,
) -> Page[ItemShown]:
    """By index, with links that open the files for ten minutes."""

    def find(now: Transaction) -> tuple[list[Item], str | None]:
        return items.list_items(now, life_cycle.find(now, name, owner_id=caller.user_id), asked, group=group)

    rows, next_cursor = await db.read(find)
    return Page(items=[ItemShown(**_item_shown(row, links, caller.user_id)) for row in rows], next_cursor=next_cursor)


@routes.get("/datasets/{name}/items/{index}")
async def get_item(name: str, index: int, db: Db, links: LinksPart, caller: Reader) -> ItemDetail:
    """One item; of a video also the times at which its frames were taken."""
    item = await db.read(
        lambda now: items.item_at(now, life_cycle.find(now, name, owner_id=caller.user_id), _within(index))
    )
    return ItemDetail(**_item_shown(item, links, caller.user_id), times=item.times)


@routes.delete("/datasets/{name}/items/{index}", status_code=204)
async def delete_item(name: str, index: int, db: Db, caller: Writer) -> None:
    """Gone for good, with its files. Its index is not given again."""
    await db.write(lambda now: items.delete(now, life_cycle.find(now, name, owner_id=caller.user_id), _within(index)))


@routes.get("/admin/datasets")
async def list_all_datasets(
    db: Db, _admin: Admin, asked: Paging, include_deleted: bool = False
) -> Page[DatasetForAdmins]:
    """Everybody's, those of deleted accounts too."""
    rows, next_cursor = await db.read(lambda now: life_cycle.list_all(now, asked, include_deleted=include_deleted))
    shown = [
        DatasetForAdmins(
            **_shown(row).model_dump(),
            owner_id=row.owner_id,
            owner_email=None if owner.deleted_at else owner.email,
            orphan=owner.deleted_at is not None,
            deleted_at=row.deleted_at,
        )
        for row, owner in rows
    ]
    return Page(items=shown, next_cursor=next_cursor)


def _using_up(arrived: Arrived, caller: Identity) -> Any:
    """What an upload brought has become items: its pieces are of no use any more."""

    def forget(now: Transaction) -> None:
        for upload_id in arrived.upload_ids:
            uploads.forget(now, uploads.upload_of(now, caller.user_id, upload_id))

    return forget


def _within(index: int) -> int:
    if not 0 <= index < 2**31:
        raise items.NoSuchItem()
    return index


def _shown(row: Dataset) -> DatasetShown:
    return DatasetShown(**{name: getattr(row, name) for name in DatasetShown.model_fields})


def _item_shown(row: Item, links: Links, owner_id: str) -> dict[str, Any]:
    same = set(ItemShown.model_fields) - {"url", "mask_url", "cost"}
    return {
        **{name: getattr(row, name) for name in same},
        "cost": row.cost,
        "url": links.to(AssetAddress(row.image_id, owner_id)),
        "mask_url": links.to(AssetAddress(row.mask_id, owner_id)) if row.mask_id else None,
    }
