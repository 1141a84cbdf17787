"""Verdicts: given, changed, listed."""

from datetime import datetime
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, StringConstraints

from retinue.accounts.access import Identity, may
from retinue.accounts.shapes import Shape
from retinue.base.database import Database, Transaction
from retinue.base.errors import Forbidden
from retinue.base.ids import first_id_at
from retinue.base.paging import Asked, Page, Paging
from retinue.base.parts import part
from retinue.base.words import Moment, Said, Storable
from retinue.feedback.judging import Judgement, judge
from retinue.feedback.matching import Thing
from retinue.feedback.tables import Verdict
from retinue.predictions.tables import Prediction

routes = APIRouter(prefix="/api/v1", tags=["feedback"])
Judge = Annotated[Identity, may("feedback:write")]
Reader = Annotated[Identity, may("predictions:read")]
Db = Annotated[Database, part(Database)]
Pixels = Annotated[float, Field(ge=-1, le=1_000_000, allow_inf_nan=False)]


class BoxTold(Shape):
    label: Said
    box: tuple[Pixels, Pixels, Pixels, Pixels] = Field(strict=False, description="x, y, width, height in pixels")


class VerdictGiven(Shape):
    """`boxes` are all things that are in the picture: an empty list says that there is nothing."""

    correct: bool
    label: Said | None = Field(default=None, description="what it really is")
    boxes: Annotated[list[BoxTold], Field(max_length=1000)] | None = None
    comment: Annotated[str, StringConstraints(max_length=2000), Storable] = ""

    def judgement(self) -> Judgement:
        things = None if self.boxes is None else [Thing(one.label, one.box) for one in self.boxes]
        return Judgement(self.correct, self.label, things, self.comment)


class VerdictShown(BaseModel):
    id: str
    prediction_id: str
    user_id: str = Field(description="who judged")
    model: str
    model_version: str
    filename: str
    predicted_class: str | None
    correct: bool
    label: str | None
    boxes: list[BoxTold] | None
    comment: str
    created_at: datetime
    updated_at: datetime


@routes.post(
    "/predictions/{prediction_id}/feedback",
    responses={201: {"model": VerdictShown, "description": "The caller's first verdict of this prediction"}},
)
async def give_feedback(
    prediction_id: str, told: VerdictGiven, db: Db, caller: Judge, response: Response
) -> VerdictShown:
    """Right or wrong, and what it really is. Given again it replaces what the same person said before."""

    def write(now: Transaction) -> tuple[VerdictShown, bool]:
        verdict, is_first = judge(now, prediction_id, told.judgement(), by=caller.user_id, is_admin=caller.is_admin)
        [shown] = _shown(now, [verdict])
        return shown, is_first

    shown, is_first = await db.write(write)
    response.status_code = 201 if is_first else 200
    return shown


@routes.get("/feedback")
async def list_feedback(
    db: Db,
    caller: Reader,
    asked: Paging,
    *,
    prediction_id: Annotated[str | None, Query(max_length=36)] = None,
    model: Annotated[str | None, Query(max_length=100)] = None,
    version: Annotated[str | None, Query(max_length=20)] = None,
    correct: Annotated[bool | None, Query()] = None,
    since: Annotated[Moment | None, Query(alias="from", description="RFC 3339; given from then on")] = None,
    until: Annotated[Moment | None, Query(alias="to", description="RFC 3339; given before then")] = None,
    user_id: Annotated[str | None, Query(max_length=36, description="Who judged; others than oneself: admins.")] = None,
) -> Page[VerdictShown]:
    """What was said of the caller's predictions, the newest first; admins see what was said of everybody's."""
    if user_id not in (None, caller.user_id) and not caller.is_admin:
        raise Forbidden("Only admins see what others judged")
    wanted = sa.select(Verdict).join(Prediction, Prediction.id == Verdict.prediction_id)
    for column, value in {
        Verdict.owner_id: None if caller.is_admin else caller.user_id,
        Verdict.user_id: user_id,
        Verdict.prediction_id: prediction_id,
        Verdict.correct: correct,
        Prediction.model: model,
        Prediction.model_version: version,
    }.items():
        if value is not None:
            wanted = wanted.where(column == value)
    if since is not None:
        wanted = wanted.where(Verdict.id >= first_id_at(since))
    if until is not None:
        wanted = wanted.where(Verdict.id < first_id_at(until))
    return await db.read(lambda now: _page(now, wanted, asked))


def _page(now: Transaction, wanted: sa.Select[Any], asked: Asked) -> Page[VerdictShown]:
    """What a deleted prediction was judged still counts, but is shown no more."""
    kept = wanted.where(Prediction.deleted_at.is_(None))
    rows, next_cursor = asked.newest_first(now, kept, Verdict.id, of="feedback")
    return Page(items=_shown(now, rows), next_cursor=next_cursor)


def _shown(now: Transaction, verdicts: list[Verdict]) -> list[VerdictShown]:
    ids = {verdict.prediction_id for verdict in verdicts}
    found = {row.id: row for row in now.all(sa.select(Prediction).where(Prediction.id.in_(ids)))}
    return [_show(verdict, found[verdict.prediction_id]) for verdict in verdicts]


def _show(verdict: Verdict, of: Prediction) -> VerdictShown:
    return VerdictShown(
        id=verdict.id,
        prediction_id=verdict.prediction_id,
        user_id=verdict.user_id,
        model=of.model,
        model_version=of.model_version,
        filename=of.filename,
        predicted_class=of.label,
        correct=verdict.correct,
        label=verdict.label,
        boxes=verdict.boxes,
        comment=verdict.comment,
        created_at=verdict.created_at,
        updated_at=verdict.updated_at,
    )
