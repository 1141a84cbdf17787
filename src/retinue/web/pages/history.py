"""What was asked and answered: the list with its filters, and one prediction as it was seen."""

from datetime import UTC, datetime
from typing import Annotated, Literal
from urllib.parse import urlencode

import orjson
from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from retinue.base.database import Database, Transaction
from retinue.base.settings import Settings
from retinue.feedback import routes as feedback_routes
from retinue.media.links import Links
from retinue.predictions import history, history_routes
from retinue.predictions.history import Filters, Listed
from retinue.web.pages.playground import models_of
from retinue.web.pages.visiting import SignedIn, first, page_routes

pages = page_routes()
ON_A_PAGE = 48


class Given(BaseModel):
    """The filters as the form sends them; what is empty is not wanted."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field("", max_length=100)
    label: str = Field("", max_length=1000)
    source: str = Field("", max_length=20)
    feedback: Literal["", "right", "wrong", "none"] = ""
    since: str = Field("", pattern=r"^(\d{4}-\d\d-\d\d)?$")
    until: str = Field("", pattern=r"^(\d{4}-\d\d-\d\d)?$")
    cursor: str = Field("", max_length=512)

    def filters(self, user_id: str) -> Filters:
        return Filters(
            user_id,
            model=self.model or None,
            label=self.label or None,
            source=self.source or None,
            since=_day(self.since),
            until=_day(self.until),
            feedback=self.feedback or None,
        )

    def older(self, cursor: str | None) -> str | None:
        told = {name: value for name, value in self.model_dump(exclude={"cursor"}).items() if value}
        return None if cursor is None else "/history?" + urlencode({**told, "cursor": cursor})


@pages.get("/history")
async def show_history(visit: SignedIn, given: Annotated[Given, Query()]) -> Response:
    def find(now: Transaction) -> Listed:
        asked = first(ON_A_PAGE, given.cursor or None)
        return history.list_predictions(now, given.filters(visit.identity.user_id), asked, page=None)

    listed = await visit[Database].read(find)
    return await visit.show(
        "history.html",
        given=given,
        predictions=listed.predictions,
        total=listed.total,
        capped=listed.total_capped,
        next=given.older(listed.next_cursor),
        models=[model.name for model in await models_of(visit)],
        retention_days=visit[Settings].retention_days,
    )


@pages.get("/predictions/{prediction_id}")
async def show_prediction(visit: SignedIn, prediction_id: str) -> Response:
    db, caller = visit[Database], visit.identity
    told = await history_routes.get_prediction(prediction_id, db, visit[Links], caller)
    said = await feedback_routes.list_feedback(
        db, caller, first(1), prediction_id=prediction_id, user_id=caller.user_id
    )
    verdict = said.items[0].correct if said.items else None
    return await visit.show("prediction.html", answer=orjson.loads(told.body), verdict=verdict)


def _day(told: str) -> datetime | None:
    """Days as the reader's form names them, in UTC."""
    try:
        return datetime.fromisoformat(told).replace(tzinfo=UTC) if told else None
    except ValueError:
        return None
