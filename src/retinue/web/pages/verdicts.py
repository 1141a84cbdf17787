"""What people said of answers, as admins read it, and where two versions disagree: that is best judged next."""

from collections.abc import Iterable
from typing import Annotated, Literal
from urllib.parse import urlencode

import sqlalchemy as sa
from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from retinue.base.database import Database, Transaction
from retinue.catalog.serving import model_named
from retinue.feedback import routes as feedback_routes
from retinue.feedback import shadow_routes
from retinue.media.links import Links
from retinue.predictions.tables import Prediction
from retinue.web.pages.administration import names_of
from retinue.web.pages.playground import models_of
from retinue.web.pages.visiting import AsAdmin, first, page_routes

pages = page_routes()
ON_A_PAGE, AT_ONCE = 50, 24


class Given(BaseModel):
    """The filters as the form sends them; what is empty is not wanted."""

    model_config = ConfigDict(extra="ignore")

    said: Literal["", "right", "wrong"] = ""
    model: str = Field("", max_length=100)
    version: str = Field("", max_length=20)
    cursor: str = Field("", max_length=512)

    def older(self, cursor: str | None) -> str | None:
        told = {name: value for name, value in self.model_dump(exclude={"cursor"}).items() if value}
        return None if cursor is None else "/admin/verdicts?" + urlencode({**told, "cursor": cursor})


@pages.get("/admin/verdicts")
async def show_verdicts(visit: AsAdmin, given: Annotated[Given, Query()]) -> Response:
    db = visit[Database]
    found = await feedback_routes.list_feedback(
        db,
        visit.identity,
        first(ON_A_PAGE, given.cursor or None),
        model=given.model or None,
        version=given.version or None,
        correct={"right": True, "wrong": False}.get(given.said),
    )

    def find(now: Transaction) -> tuple[dict[str, str], dict[str, str]]:
        return names_of(now, (one.user_id for one in found.items)), pictures_of(
            now, (one.prediction_id for one in found.items)
        )

    names, pictures = await db.read(find)
    return await visit.show(
        "admin_verdicts.html",
        verdicts=found.items,
        names=names,
        pictures=pictures,
        given=given,
        models=[model.name for model in await models_of(visit)],
        next=given.older(found.next_cursor),
    )


@pages.get("/admin/models/{name}/disagreements")
async def show_disagreements(visit: AsAdmin, name: str, judged: Literal["", "no", "yes"] = "no") -> Response:
    """Those nobody has judged, the strongest first; what is judged leaves: the first page is always the next work."""
    db, wanted = visit[Database], {"no": False, "yes": True}.get(judged)
    found = await shadow_routes.list_disagreements(
        name, db, visit[Links], first(AT_ONCE), visit.identity, judged=wanted
    )

    def find(now: Transaction) -> tuple[str, str | None, dict[str, str]]:
        model = model_named(now, name)
        return model.task, model.shadow_version, pictures_of(now, (one.prediction_id for one in found.items))

    task, shadow_version, pictures = await db.read(find)
    return await visit.show(
        "admin_disagreements.html",
        name=name,
        task=task,
        shadow_version=shadow_version,
        judged=judged,
        disagreements=found.items,
        there_are_more=found.next_cursor is not None,
        pictures=pictures,
    )


def pictures_of(now: Transaction, prediction_ids: Iterable[str]) -> dict[str, str]:
    """Which picture each prediction was about."""
    wanted = sa.select(Prediction.id, Prediction.image_id).where(Prediction.id.in_(set(prediction_ids)))
    return {row.id: row.image_id for row in now.rows(wanted)}
