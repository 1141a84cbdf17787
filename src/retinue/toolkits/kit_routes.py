"""Kits: made, listed, changed, shown by a reference picture, checked by a picture."""

from typing import Annotated, Any

import orjson
import sqlalchemy as sa
from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from retinue.accounts.access import Identity, may
from retinue.accounts.shapes import Shape
from retinue.base.clock import Clock
from retinue.base.database import Transaction
from retinue.base.errors import Conflict
from retinue.base.paging import Page, Paging
from retinue.base.parts import part
from retinue.base.words import Name, Paragraph
from retinue.credits.idempotency import IdempotencyKey
from retinue.media.links import Links
from retinue.media.tables import Asset
from retinue.predictions import live
from retinue.predictions.desk import LARGEST_BODY, PICTURE, DeskPart, ask_of, once_of
from retinue.predictions.receiving import declared_bytes, receive_picture
from retinue.predictions.shapes import ToolkitAnswer
from retinue.toolkits import kits, pictures
from retinue.toolkits.checking import Wanted
from retinue.toolkits.kits import Item
from retinue.toolkits.tables import Kit
from retinue.toolkits.tool_routes import Db, Keeper, Reader, Search

routes = APIRouter(prefix="/api/v1/toolkits", tags=["toolkits"])
Checker = Annotated[Identity, may("toolkits:write")]
LinksPart = Annotated[Links, part(Links)]
MOST_ITEMS, LARGEST_QUANTITY = 200, 100


class CheckedByHand(Conflict):
    code = "no-model-for-toolkit"
    title = "This kit has no model, so no picture can check it; check it by hand"


class ItemAsked(Shape):
    tool_id: Annotated[str, Field(max_length=36)]
    quantity: Annotated[int, Field(ge=1, le=LARGEST_QUANTITY)] = 1


Items = Annotated[list[ItemAsked], Field(max_length=MOST_ITEMS)]
ModelName = Annotated[Name | None, Field(description="The model that checks this kit; without one, people do.")]


class NewKit(Shape):
    name: Name
    description: Paragraph = ""
    model: ModelName = None
    items: Items = Field(default_factory=list)


class KitChange(Shape):
    """What is not sent stays; `items` replaces all of them."""

    name: Name = Field(default_factory=str)
    description: Paragraph = Field(default_factory=str)
    model: ModelName = None
    items: Items = Field(default_factory=list)


class ItemShown(BaseModel):
    tool_id: str
    name: str
    serial_number: str | None
    label: str | None
    quantity: int


class KitShown(BaseModel):
    id: str
    name: str
    description: str
    model: str | None
    items: list[ItemShown]
    picture_url: str | None
    out: bool
    loan_id: str | None = Field(description="the issue that has it out")
    created_at: AwareDatetime
    updated_at: AwareDatetime


class CheckAnswer(ToolkitAnswer):
    prediction_id: str
    image_id: str
    annotated_url: str
    model: str
    model_version: str
    cost: float
    cached: bool


@routes.post("", status_code=201)
async def add_kit(ask: NewKit, db: Db, links: LinksPart, keeper: Keeper) -> KitShown:
    values = ask.model_dump(exclude={"items"})

    def add(now: Transaction) -> KitShown:
        return _shown_alone(now, kits.add(now, values, _items(ask.items), by=keeper.user_id), links)

    return await db.write(add)


@routes.get("")
async def list_kits(
    db: Db,
    links: LinksPart,
    _: Reader,
    asked: Paging,
    q: Search = None,
    out: Annotated[bool | None, Query(description="Only those that are out, or only those that are in.")] = None,
) -> Page[KitShown]:
    """Everybody's, the newest first."""

    def find(now: Transaction) -> Page[KitShown]:
        rows, next_cursor = kits.list_all(now, asked, text=q, out=out)
        return Page(items=shown(now, rows, links), next_cursor=next_cursor)

    return await db.read(find)


@routes.get("/{toolkit_id}")
async def get_kit(toolkit_id: str, db: Db, links: LinksPart, _: Reader) -> KitShown:
    return await db.read(lambda now: _shown_alone(now, kits.find(now, toolkit_id), links))


@routes.patch("/{toolkit_id}")
async def change_kit(toolkit_id: str, ask: KitChange, db: Db, links: LinksPart, keeper: Keeper) -> KitShown:
    """Its contents only while it is in."""
    values = ask.model_dump(exclude_unset=True, exclude={"items"})
    items = _items(ask.items) if "items" in ask.model_fields_set else None

    def change(now: Transaction) -> KitShown:
        return _shown_alone(now, kits.change(now, toolkit_id, values, items, by=keeper.user_id), links)

    return await db.write(change)


@routes.delete("/{toolkit_id}", status_code=204)
async def delete_kit(toolkit_id: str, db: Db, keeper: Keeper) -> None:
    """Out of use, if it is in; its loans stay."""
    await db.write(lambda now: kits.delete(now, toolkit_id, by=keeper.user_id))


@routes.put("/{toolkit_id}/picture", openapi_extra=PICTURE)
async def set_kit_picture(
    toolkit_id: str,
    request: Request,
    db: Db,
    desk: DeskPart,
    clock: Annotated[Clock, part(Clock)],
    keeper: Keeper,
) -> KitShown:
    """How the kit should look, for the eyes of people."""
    await db.read(lambda now: kits.find(now, toolkit_id))
    with desk.memory.room_for(declared_bytes(request, at_most=LARGEST_BODY), keeper.user_id):
        received = await receive_picture(request)
        kept = await pictures.keep(desk.road.storage, received.files[0], kind="reference", at=clock.now())
    return await db.write(
        lambda now: _shown_alone(now, kits.show(now, toolkit_id, kept, by=keeper.user_id), desk.links)
    )


@routes.post("/{toolkit_id}/check", response_model=CheckAnswer, openapi_extra=PICTURE)
async def check_kit(
    toolkit_id: str, request: Request, desk: DeskPart, caller: Checker, key: IdempotencyKey
) -> Response:
    """Which tools of the kit does this picture show? Costs a prediction."""
    kit = await desk.compare(toolkit_id)
    if kit.model is None:
        raise CheckedByHand()
    with desk.memory.room_for(declared_bytes(request, at_most=LARGEST_BODY), caller.user_id):
        received = await receive_picture(request)
        ask = pictures.checking(ask_of(desk, received, received.files[0], kit))
        once = await once_of(request, key, received)
        answer = await live.predict_image(desk.road, desk.links, ask, caller, once=once)
    told = orjson.loads(answer.body)
    # The kit's words last: an answer of a detector has an `unsure` of its own, of things instead of tools.
    body = {**{name: told[name] for name in CheckAnswer.model_fields if name in told}, **told["toolkit"]}
    headers = {"Idempotency-Replayed": "true"} if answer.replayed else None
    return Response(orjson.dumps(body), 200, headers, media_type="application/json")


def shown(now: Transaction, rows: list[Kit], links: Links) -> list[KitShown]:
    """With what belongs into them, in one query for all."""
    wanted = kits.wanted_in(now, [row.id for row in rows])
    ids = [row.picture_id for row in rows if row.picture_id]
    pictured = {asset.id: asset for asset in now.all(sa.select(Asset).where(Asset.id.in_(ids)))}
    return [_shown(row, wanted.get(row.id, []), pictured.get(row.picture_id or ""), links) for row in rows]


def _shown_alone(now: Transaction, row: Kit, links: Links) -> KitShown:
    return shown(now, [row], links)[0]


def _shown(row: Kit, wanted: list[Wanted], picture: Asset | None, links: Links) -> KitShown:
    same = ("id", "name", "description", "model", "loan_id", "created_at", "updated_at")
    told: dict[str, Any] = {name: getattr(row, name) for name in same}
    items = [ItemShown.model_validate(one, from_attributes=True) for one in wanted]
    return KitShown(
        **told, items=items, picture_url=links.to(picture, is_proof=True) if picture else None, out=row.is_out()
    )


def _items(asked: list[ItemAsked]) -> list[Item]:
    return [Item(one.tool_id, one.quantity) for one in asked]
