"""Jobs: the list, a new one with its price first, and one of them live."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query
from pydantic import BaseModel
from starlette.responses import Response

from retinue.base.database import Database, Transaction
from retinue.base.settings import Settings
from retinue.datasets import life_cycle
from retinue.datasets.tables import Dataset
from retinue.jobs import routes as job_routes
from retinue.web.pages.playground import models_of
from retinue.web.pages.visiting import SignedIn, first, page_routes

pages = page_routes()
MOST_OFFERED = 200


class Given(BaseModel):
    """What another page has chosen already."""

    dataset: str = ""
    model: str = ""
    from_index: int | None = None
    to_index: int | None = None


@pages.get("/jobs")
async def show_jobs(visit: SignedIn, cursor: Annotated[str | None, Query(max_length=512)] = None) -> Response:
    found = await job_routes.list_inferences(visit[Database], visit.identity, first(50, cursor))
    older = f"/jobs?{urlencode({'cursor': found.next_cursor})}" if found.next_cursor else None
    return await visit.show("jobs.html", jobs=found.items, next=older)


@pages.get("/jobs/new")
async def show_new_job(visit: SignedIn, given: Annotated[Given, Query()]) -> Response:
    def find(now: Transaction) -> list[Dataset]:
        rows, _ = life_cycle.list_own(now, visit.identity.user_id, first(MOST_OFFERED), tag=None)
        return rows

    models = [one for one in await models_of(visit) if one.enabled and one.active_version]
    if not given.model:
        given = given.model_copy(update={"model": visit[Settings].default_model})
    return await visit.show("new_job.html", given=given, models=models, datasets=await visit[Database].read(find))


@pages.get("/jobs/{inference_id}")
async def show_job(visit: SignedIn, inference_id: str) -> Response:
    job = await job_routes.get_inference(inference_id, visit[Database], visit.identity)
    return await visit.show("job.html", job=job, facts=job.model_dump(mode="json"))
