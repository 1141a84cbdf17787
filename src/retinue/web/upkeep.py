"""What an admin looks at who keeps the house: its settings as they are, and what its store holds and for whom."""

from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter
from pydantic import BaseModel, Field

from retinue.accounts.access import Admin
from retinue.accounts.tables import User
from retinue.base.database import Database, Transaction
from retinue.base.parts import part
from retinue.base.settings import Settings, describe
from retinue.base.storage import Storage
from retinue.media.tables import Asset, StorageUse

routes = APIRouter(prefix="/api/v1/admin", tags=["admin"])
MOST_PEOPLE = 50


class SettingShown(BaseModel):
    name: str
    value: str = Field(description="Secrets are masked.")
    origin: str = Field(description="default, environment, retinue.toml or a file of the secrets folder.")
    words: str


class KindKept(BaseModel):
    kind: str
    files: int
    size_bytes: int


class RoomUsed(BaseModel):
    user_id: str
    email: str
    files: int
    size_bytes: int


class StorageShown(BaseModel):
    store: str = Field(description="folder or s3.")
    free_bytes: int | None = Field(description="None where nobody knows.")
    kinds: list[KindKept]
    people: list[RoomUsed] = Field(description=f"Whose datasets and uploads take most, {MOST_PEOPLE} at most.")


@routes.get("/settings")
async def show_settings(settings: Annotated[Settings, part(Settings)], _admin: Admin) -> list[SettingShown]:
    """Every setting of this process with its value, where that comes from, and what it does."""
    return [
        SettingShown(name=one.name, value=one.value, origin=one.origin, words=one.words) for one in describe(settings)
    ]


@routes.get("/storage")
async def show_storage(
    settings: Annotated[Settings, part(Settings)],
    database: Annotated[Database, part(Database)],
    storage: Annotated[Storage, part(Storage)],
    _admin: Admin,
) -> StorageShown:
    """What is kept, by kind, and whose datasets and uploads take most room."""
    kinds, people = await database.read(lambda now: (_by_kind(now), _by_person(now)))
    store = "s3" if settings.storage.startswith("s3:") else "folder"
    return StorageShown(store=store, free_bytes=await storage.room(), kinds=kinds, people=people)


def _by_kind(now: Transaction) -> list[KindKept]:
    size = sa.cast(sa.func.coalesce(sa.func.sum(Asset.size_bytes), 0), sa.BigInteger)
    kept = sa.select(Asset.kind, sa.func.count().label("files"), size.label("size_bytes"))
    found = now.rows(kept.where(Asset.deleted_at.is_(None)).group_by(Asset.kind).order_by(Asset.kind))
    return [KindKept(kind=row.kind, files=row.files, size_bytes=row.size_bytes) for row in found]


def _by_person(now: Transaction) -> list[RoomUsed]:
    used = (
        sa.select(StorageUse.user_id, User.email, StorageUse.files, StorageUse.size_bytes)
        .join(User, User.id == StorageUse.user_id)
        .where(StorageUse.size_bytes > 0)
        .order_by(StorageUse.size_bytes.desc(), StorageUse.user_id)
        .limit(MOST_PEOPLE)
    )
    return [
        RoomUsed(user_id=row.user_id, email=row.email, files=row.files, size_bytes=row.size_bytes)
        for row in now.rows(used)
    ]
