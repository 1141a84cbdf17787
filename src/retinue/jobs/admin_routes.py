"""What admins see of work for later: everybody's inferences, and the processes that take their chunks."""

from datetime import datetime
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Query
from pydantic import BaseModel

from retinue.accounts.access import Admin
from retinue.base.paging import Page, Paging
from retinue.jobs.routes import Db, Inference, JobsPart, inference_shown
from retinue.jobs.tables import Job
from retinue.jobs.workers import is_live, list_workers

routes = APIRouter(prefix="/api/v1/admin", tags=["admin"])


class InferenceOfSomebody(Inference):
    user_id: str
    pool: str


class WorkerShown(BaseModel):
    id: str
    pool: str
    device: str
    slots: int
    models: list[str]
    live: bool
    started_at: datetime
    seen_at: datetime


@routes.get("/jobs")
async def list_all_jobs(
    db: Db, _admin: Admin, asked: Paging, state: Annotated[str | None, Query(max_length=10)] = None
) -> Page[InferenceOfSomebody]:
    """Everybody's, the newest first; `state` is planning, ready, running, aborting, done or aborted."""
    every = sa.select(Job) if state is None else sa.select(Job).where(Job.state == state)
    rows, next_cursor = await db.read(lambda now: asked.newest_first(now, every, Job.id, of="all-jobs"))
    shown = [InferenceOfSomebody(**inference_shown(job), user_id=job.user_id, pool=job.pool) for job in rows]
    return Page(items=shown, next_cursor=next_cursor)


@routes.get("/workers")
async def show_workers(db: Db, jobs: JobsPart, _admin: Admin) -> list[WorkerShown]:
    """The processes that take chunks."""
    return await db.read(
        lambda now: [
            WorkerShown(
                id=row.id,
                pool=row.pool,
                device=row.device,
                slots=row.slots,
                models=row.models,
                live=is_live(row, now, terms=jobs.terms),
                started_at=row.started_at,
                seen_at=row.seen_at,
            )
            for row in list_workers(now)
        ]
    )
