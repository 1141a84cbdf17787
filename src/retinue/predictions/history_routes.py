"""Predictions that were made: listed, looked at again, drawn, repeated, deleted."""

import asyncio
from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from retinue.accounts.access import Holder, Identity, may
from retinue.base.database import Database, Transaction
from retinue.base.errors import Forbidden
from retinue.base.paging import Paging
from retinue.base.parts import part
from retinue.base.storage import Storage
from retinue.base.words import Moment
from retinue.credits import idempotency
from retinue.credits.idempotency import IdempotencyKey
from retinue.media.keeping import original_of
from retinue.media.links import AssetAddress, Links
from retinue.predictions import history, replaying
from retinue.predictions.annotated import draw_answer
from retinue.predictions.desk import DeskPart
from retinue.predictions.history import Filters
from retinue.predictions.originals import picture_of
from retinue.predictions.remembering import answer_of
from retinue.predictions.routes import Asker
from retinue.predictions.shapes import History, PredictionAnswer, RememberedAnswer
from retinue.predictions.tables import Prediction

routes = APIRouter(prefix="/api/v1/predictions", tags=["predictions"])
Reader = Annotated[Identity, may("predictions:read")]
Db = Annotated[Database, part(Database)]
LinksPart = Annotated[Links, part(Links)]


class Replayed(BaseModel):
    verdict: Literal["equal", "within tolerance", "different"]
    largest_difference: float | None
    prediction: PredictionAnswer


@routes.get("", response_model=History)
async def list_predictions(
    db: Db,
    links: LinksPart,
    caller: Reader,
    asked: Paging,
    *,
    page: Annotated[int | None, Query(ge=1, le=1_000_000)] = None,
    model: Annotated[str | None, Query(max_length=100)] = None,
    version: Annotated[str | None, Query(max_length=20)] = None,
    label: Annotated[str | None, Query(max_length=1000)] = None,
    source: Annotated[str | None, Query(max_length=20)] = None,
    since: Annotated[Moment | None, Query(alias="from", description="RFC 3339; from then on")] = None,
    until: Annotated[Moment | None, Query(alias="to", description="RFC 3339; before then")] = None,
    feedback: Annotated[
        Literal["right", "wrong", "any", "none"] | None, Query(description="What was last said of it.")
    ] = None,
    user_id: Annotated[str | None, Query(max_length=36, description="Admins: whose; others see their own.")] = None,
) -> Response:
    """The newest first, by `cursor` at any depth or by `page`."""
    if user_id not in (None, caller.user_id) and not caller.is_admin:
        raise Forbidden("Only admins see what others asked")
    whose = user_id or caller.user_id
    filters = Filters(whose, model, version, label, source, since, until, feedback)
    listed = await db.read(lambda now: history.list_predictions(now, filters, asked, page=page))
    answer = {
        "predictions": [answer_of(vars(row), links) for row in listed.predictions],
        "total": listed.total,
        "total_capped": listed.total_capped,
        "page": page,
        "limit": asked.limit,
        "next_cursor": listed.next_cursor,
    }
    return Response(orjson.dumps(answer), media_type="application/json")


@routes.get("/{prediction_id}", response_model=RememberedAnswer)
async def get_prediction(prediction_id: str, db: Db, links: LinksPart, caller: Reader) -> Response:
    """One prediction with its receipt: weights, processing, parameters and versions that made it."""
    row = await db.read(lambda now: history.prediction_of(now, prediction_id, user_id=_whose(caller)))
    answer = {
        **answer_of(vars(row), links),
        "user_id": row.user_id,
        "image_url": links.to(AssetAddress(row.image_id, row.user_id)),
        "receipt": row.receipt,
    }
    return Response(orjson.dumps(answer), media_type="application/json")


@routes.get("/{prediction_id}/annotated", response_class=Response, responses={200: {"content": {"image/jpeg": {}}}})
async def get_annotated(
    prediction_id: str, db: Db, storage: Annotated[Storage, part(Storage)], caller: Reader
) -> Response:
    """The picture with its answer drawn on it."""

    def find(now: Transaction) -> tuple[Prediction, str]:
        row = history.prediction_of(now, prediction_id, user_id=_whose(caller))
        return row, original_of(now, row.image_id, owner_id=None).key

    row, key = await db.read(find)
    drawn = await asyncio.to_thread(draw_answer, await picture_of(storage, key, row.result), row.result)
    return Response(drawn, media_type="image/jpeg")


@routes.post("/{prediction_id}/replay", response_model=Replayed)
async def replay_prediction(
    prediction_id: str, request: Request, desk: DeskPart, caller: Asker, key: IdempotencyKey
) -> Response:
    """Ask the same version the same question again and compare; costs a prediction."""
    once = idempotency.once(request, key, idempotency.fingerprint({}))
    body, replayed = await replaying.replay(desk.road, desk.links, prediction_id, caller, once=once)
    headers = {"Idempotency-Replayed": "true"} if replayed else None
    return Response(orjson.dumps(body), 200, headers, media_type="application/json")


@routes.delete("/{prediction_id}", status_code=204)
async def delete_prediction(prediction_id: str, desk: DeskPart, db: Db, caller: Holder) -> None:
    """Out of the history, with the pictures that nothing else needs; not what somebody signed for, nor by a key that
    was made to ask."""

    def remove(now: Transaction) -> None:
        row = history.prediction_of(now, prediction_id, user_id=caller.user_id)
        if desk.is_signed(now, row):
            raise history.SignedFor()
        history.delete(now, row)

    await db.write(remove)


def _whose(caller: Identity) -> str | None:
    return None if caller.is_admin else caller.user_id
