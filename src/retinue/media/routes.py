"""Images by id, and any kept file by its signed link."""

from datetime import datetime
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from retinue.accounts.access import Identity, may
from retinue.accounts.tables import User
from retinue.base.clock import Clock
from retinue.base.database import Database, Transaction
from retinue.base.paging import Page, Paging
from retinue.base.parts import part
from retinue.base.storage import Storage
from retinue.media import keeping
from retinue.media.cropping import cropped
from retinue.media.darkroom import Darkroom
from retinue.media.links import Link, LinkRefused, Links
from retinue.media.serving import respond
from retinue.media.tables import Asset

routes = APIRouter(prefix="/api/v1", tags=["media"])
Reader = Annotated[Identity, may("predictions:read")]


class Image(BaseModel):
    image_id: str
    filename: str
    mime_type: str
    size_bytes: int
    width: int
    height: int
    sha256: str
    created_at: datetime
    url: str


@routes.get("/images")
async def list_images(
    db: Annotated[Database, part(Database)], links: Annotated[Links, part(Links)], caller: Reader, asked: Paging
) -> Page[Image]:
    """Originals of yours, the newest first."""
    kept = sa.select(Asset).where(
        Asset.owner_id == caller.user_id, Asset.kind == "original", Asset.deleted_at.is_(None)
    )
    rows, next_cursor = await db.read(lambda now: asked.newest_first(now, kept, Asset.id, of="images"))
    return Page(items=[_shown(row, links) for row in rows], next_cursor=next_cursor)


@routes.get("/images/{image_id}")
async def get_image(
    image_id: str, db: Annotated[Database, part(Database)], links: Annotated[Links, part(Links)], caller: Reader
) -> Image:
    """One original, with a link that opens it for ten minutes."""
    owner = None if caller.is_admin else caller.user_id
    return _shown(await db.read(lambda now: keeping.original_of(now, image_id, owner_id=owner)), links)


@routes.head("/media/{token}", name="look_at_link", response_class=Response)
@routes.get("/media/{token}", response_class=Response)
async def open_link(
    token: str,
    request: Request,
    db: Annotated[Database, part(Database)],
    storage: Annotated[Storage, part(Storage)],
    darkroom: Annotated[Darkroom, part(Darkroom)],
    links: Annotated[Links, part(Links)],
    clock: Annotated[Clock, part(Clock)],
) -> Response:
    """What a signed link opens: one file, or a part of a picture, for a while."""
    link = links.open(token)
    asset = await db.read(lambda now: _linked(now, link))
    seconds_left = int((link.expires - clock.now()).total_seconds())
    if link.crop is not None:
        return await cropped(darkroom, asset, link.crop, seconds_left=seconds_left)
    return respond(storage, asset, request, disposition=link.disposition, seconds_left=seconds_left)


def _linked(now: Transaction, link: Link) -> Asset:
    asset = now.first(sa.select(Asset).where(Asset.id == link.asset_id))
    if asset is None:
        raise LinkRefused()
    if not asset.is_kept():
        raise keeping.ImageDeleted()
    if asset.generation != link.generation:
        raise LinkRefused()
    if link.owner_id is None:
        return asset
    owner = now.first(sa.select(User).where(User.id == asset.owner_id))
    if owner is None or not owner.may_sign_in or asset.owner_id != link.owner_id:
        raise LinkRefused()
    return asset


def _shown(asset: Asset, links: Links) -> Image:
    return Image(
        image_id=asset.id,
        filename=asset.filename,
        mime_type=asset.mime_type,
        size_bytes=asset.size_bytes,
        width=asset.width,
        height=asset.height,
        sha256=asset.sha256,
        created_at=asset.created_at,
        url=links.to(asset),
    )
