"""Where a candidate and the active version disagree: what is best judged next."""

import uuid
from datetime import datetime
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from retinue.accounts.access import Admin
from retinue.base.database import Database, Transaction
from retinue.base.paging import Asked, Page, Paging
from retinue.base.parts import part
from retinue.catalog.serving import model_named, version_numbered
from retinue.catalog.tables import Version
from retinue.feedback.tables import ShadowLook
from retinue.media.links import AssetAddress, Links
from retinue.predictions.tables import Prediction

routes = APIRouter(prefix="/api/v1/models", tags=["models"])


class OneSide(BaseModel):
    version: str
    predicted_class: str | None
    confidence_score: float | None
    result: dict[str, Any] = Field(description="classes[], detections[] or masks[], as a prediction has them")


class Disagreement(BaseModel):
    prediction_id: str
    image_url: str
    filename: str
    user_id: str
    strength: float = Field(description="up to 1: both sure of different things")
    live: OneSide
    shadow: OneSide
    feedback: str | None = Field(description="what was last said of the live answer")
    created_at: datetime


@routes.get("/{name}/disagreements")
async def list_disagreements(
    name: str,
    db: Annotated[Database, part(Database)],
    links: Annotated[Links, part(Links)],
    asked: Paging,
    _: Admin,
    *,
    version: Annotated[str | None, Query(max_length=20, description="The candidate's number; unset: any.")] = None,
    judged: Annotated[bool | None, Query(description="Whether somebody has judged the live answer.")] = None,
) -> Page[Disagreement]:
    """Pictures that a shadow version answered differently, the strongest first."""

    def find(now: Transaction) -> Page[Disagreement]:
        model = model_named(now, name)
        wanted = _STRONGEST.where(ShadowLook.model_id == model.id)
        if version is not None:
            wanted = wanted.where(ShadowLook.version_id == version_numbered(now, model, version).id)
        if judged is not None:
            wanted = wanted.where(Prediction.feedback.is_not(None) if judged else Prediction.feedback.is_(None))
        return _page(now, wanted, asked, links)

    return await db.read(find)


_STRONGEST = (
    sa.select(ShadowLook)
    .join(Prediction, Prediction.id == ShadowLook.prediction_id)
    .where(ShadowLook.strength > 0, Prediction.deleted_at.is_(None))
    .order_by(ShadowLook.strength.desc(), ShadowLook.id.desc())
)


def _page(now: Transaction, wanted: sa.Select[Any], asked: Asked, links: Links) -> Page[Disagreement]:
    if (after := asked.after(int, uuid.UUID, of="disagreements")) is not None:
        place = sa.tuple_(ShadowLook.strength, ShadowLook.id)
        wanted = wanted.where(place < sa.tuple_(*map(sa.literal, after)))
    found: list[ShadowLook] = now.all(wanted.limit(asked.limit + 1))
    rows, next_cursor = asked.cut(found, lambda row: (row.strength, row.id), of="disagreements")
    ids = {row.prediction_id for row in rows}
    live = {row.id: row for row in now.all(sa.select(Prediction).where(Prediction.id.in_(ids)))}
    of = {row.version_id for row in rows}
    numbers = {row.id: row.label for row in now.all(sa.select(Version).where(Version.id.in_(of)))}
    return Page(
        items=[_show(row, live[row.prediction_id], numbers[row.version_id], links) for row in rows],
        next_cursor=next_cursor,
    )


def _show(shadow: ShadowLook, live: Prediction, version: str, links: Links) -> Disagreement:
    return Disagreement(
        prediction_id=live.id,
        image_url=links.to(AssetAddress(live.image_id, live.user_id)),
        filename=live.filename,
        user_id=live.user_id,
        strength=shadow.strength / 1000,
        live=_side(live.model_version, live),
        shadow=_side(version, shadow),
        feedback=live.feedback,
        created_at=live.created_at,
    )


def _side(version: str, row: Prediction | ShadowLook) -> OneSide:
    return OneSide(version=version, predicted_class=row.label, confidence_score=row.score, result=row.result)
