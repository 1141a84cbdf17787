"""Inferences: a model over a dataset, ordered, watched, stopped, tried again, and read while it still runs."""

from collections.abc import AsyncIterable
from datetime import datetime
from typing import Annotated, Any

import orjson
import sqlalchemy as sa
from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field

from retinue.accounts.access import Identity, may
from retinue.base.database import Database
from retinue.base.paging import Page, Paging
from retinue.base.parts import part
from retinue.base.settings import Settings
from retinue.base.shapes import Strict
from retinue.base.words import Storable
from retinue.credits import idempotency
from retinue.credits.idempotency import IdempotencyKey
from retinue.credits.shapes import as_credits
from retinue.jobs import submitting
from retinue.jobs.listing import Filter, failures_of, items_of
from retinue.jobs.running import Jobs
from retinue.jobs.settling import JobIsOver, abort, job_of
from retinue.jobs.submitting import Order
from retinue.jobs.tables import Job
from retinue.jobs.watching import Doors, Standing, events_of, standing_of
from retinue.predictions.asking import FLOOR, Explaining, Parameters
from retinue.predictions.paying import answered_before
from retinue.webhooks.sending import Sender

routes = APIRouter(prefix="/api/v1/inferences", tags=["inferences"])
Reader = Annotated[Identity, may("jobs:read")]
Writer = Annotated[Identity, may("jobs:write")]
Db = Annotated[Database, part(Database)]
JobsPart = Annotated[Jobs, part(Jobs)]
Name = Annotated[str, Field(min_length=1, max_length=255), Storable]


class Asked(Strict):
    """How to look; what is not given is as it is for a single picture."""

    confidence: FLOOR | None = None
    top_k: int = Field(default=5, ge=1, le=1000)
    iou: FLOOR | None = None
    radius: float = Field(default=3.0, gt=0, le=100, allow_inf_nan=False)
    annotate: bool = False
    explain: bool | Explaining = False

    def parameters(self) -> Parameters:
        explain = self.explain if isinstance(self.explain, Explaining) else Explaining() if self.explain else None
        return Parameters(**self.model_dump(exclude={"explain"}), explain=explain)


class Chosen(Strict):
    """Only a part of the dataset."""

    group: Name | None = None
    from_index: int | None = Field(default=None, ge=0, le=2**31 - 1)
    to_index: int | None = Field(default=None, ge=0, le=2**31 - 1)


class NewInference(Strict):
    dataset: Name = Field(description="Name or id.")
    model: Name | None = Field(default=None, description="Unset: the default model.")
    version: Annotated[str, Field(max_length=20), Storable] | None = None
    parameters: Asked = Field(default_factory=Asked)
    filter: Chosen = Field(default_factory=Chosen)
    priority: int = Field(default=0, ge=-10, le=10, description="Among your own inferences; higher goes first.")
    webhook: Annotated[str, Field(max_length=2000, pattern=r"^https?://[^\x00]*$"), Storable] | None = Field(
        default=None, description="Told when it ends."
    )
    dry_run: bool = Field(default=False, description="Answer items, price and time only; nothing is created.")


class Quoted(BaseModel):
    items: int
    price: float
    expected_seconds: float | None = Field(description="None before anything of this model was measured here")


class Accepted(BaseModel):
    inference_id: str
    status: str
    dataset: str
    model: str
    model_version: str
    parameters: dict[str, Any]
    items: int
    price: float
    held: float
    retry_of: str | None


class Inference(BaseModel):
    inference_id: str
    status: str
    aborting: bool
    dataset: str
    model: str
    model_version: str
    task: str
    parameters: dict[str, Any]
    priority: int
    items: int
    done: int
    failed: int
    progress: float
    price: float = Field(description="what was held for all of it")
    cost: float = Field(description="what was charged so far")
    error: str | None = Field(description="What went wrong with the whole of it; single items tell their own reason.")
    retry_of: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class Status(BaseModel):
    status: str
    aborting: bool
    progress: float = Field(description="0–100")
    done: int
    failed: int
    total: int
    items_per_second: float | None
    eta_seconds: float | None
    error: str | None


@routes.post("", status_code=202, response_model=Accepted | Quoted, responses={200: {"model": Quoted}})
async def start_inference(
    request: Request,
    wanted: NewInference,
    jobs: JobsPart,
    settings: Annotated[Settings, part(Settings)],
    sender: Annotated[Sender, part(Sender)],
    caller: Writer,
    key: IdempotencyKey,
) -> Response:
    """Look at every picture of a dataset and every frame taken of its videos. The whole price is held first; the end
    charges what was done."""
    road = jobs.road
    once = idempotency.once(request, key, idempotency.fingerprint(wanted.model_dump(mode="json")))
    if (before := await answered_before(road, caller.user_id, once)) is not None:
        return before.response()
    if wanted.webhook is not None:
        await sender.check_address(wanted.webhook)
    chosen = Filter(**wanted.filter.model_dump())
    listing = await items_of(road.database, wanted.dataset, chosen, owner_id=caller.user_id)
    order = Order(
        model=wanted.model or settings.default_model,
        version=wanted.version,
        parameters=wanted.parameters.parameters(),
        pool=settings.pool,
        priority=wanted.priority,
        webhook=wanted.webhook,
    )
    if wanted.dry_run:
        quote = await submitting.quote(road, jobs.terms, order, listing)
        told = {"items": quote.items, "price": as_credits(quote.price), "expected_seconds": quote.expected_s}
        return Response(orjson.dumps(told), 200, media_type="application/json")
    answer = await submitting.submit(road, order, listing, caller, once=once)
    jobs.nudge()
    return answer.response()


@routes.get("")
async def list_inferences(db: Db, caller: Reader, asked: Paging) -> Page[Inference]:
    """Your own, the newest first."""
    mine = sa.select(Job).where(Job.user_id == caller.user_id)
    rows, next_cursor = await db.read(lambda now: asked.newest_first(now, mine, Job.id, of="inferences"))
    return Page(items=[Inference(**inference_shown(job)) for job in rows], next_cursor=next_cursor)


@routes.get("/{inference_id}")
async def get_inference(inference_id: str, db: Db, caller: Reader) -> Inference:
    job = await db.read(lambda now: job_of(now, inference_id, user_id=whose(caller)))
    return Inference(**inference_shown(job))


@routes.get("/{inference_id}/status")
async def get_inference_status(inference_id: str, db: Db, caller: Reader) -> Status:
    """Counts, speed and time left."""
    standing = await db.read(lambda now: standing_of(now, job_of(now, inference_id, user_id=whose(caller))))
    return _status(standing)


async def _watched(inference_id: str, db: Db, caller: Reader) -> Job:
    """Refused, where it must be, before the stream begins."""
    return await db.read(lambda now: job_of(now, inference_id, user_id=whose(caller)))


@routes.get("/{inference_id}/events", response_class=EventSourceResponse)
async def watch_inference(
    job: Annotated[Job, Depends(_watched)],
    db: Db,
    doors: Annotated[Doors, part(Doors)],
    last_event_id: Annotated[int | None, Header(ge=0, description="Read on after this event.")] = None,
) -> AsyncIterable[ServerSentEvent]:
    """`status` and `progress` events from the first one on; ends with the inference."""
    async for event in events_of(db, doors, job.id, after=last_event_id or 0):
        yield ServerSentEvent(data=event.facts, event=event.kind, id=str(event.number))


@routes.post("/{inference_id}/abort")
async def abort_inference(inference_id: str, db: Db, jobs: JobsPart, caller: Writer) -> Inference:
    """What waits is cancelled, what is at work stops within a second; finished results stay, and stay charged."""
    job = await db.read(lambda now: job_of(now, inference_id, user_id=caller.user_id))
    if not await db.write(lambda now: abort(now, job.id)) and not job.is_aborting():
        raise JobIsOver(f"It is {job.status}")
    jobs.nudge()
    return Inference(**inference_shown(await db.read(lambda now: job_of(now, inference_id, user_id=caller.user_id))))


@routes.post("/{inference_id}/retry", status_code=202, response_model=Accepted)
async def retry_inference(
    inference_id: str, request: Request, db: Db, jobs: JobsPart, caller: Writer, key: IdempotencyKey
) -> Response:
    """A new inference over the items that failed, with the same model, version and parameters."""
    once = idempotency.once(request, key, idempotency.fingerprint({}))
    if (before := await answered_before(jobs.road, caller.user_id, once)) is not None:
        return before.response()
    job = await db.read(lambda now: job_of(now, inference_id, user_id=caller.user_id))
    order = Order(
        model=job.model,
        version=job.model_version,
        parameters=Parameters.model_validate(job.parameters),
        pool=job.pool,
        priority=job.priority,
        webhook=job.webhook,
        retry_of=job.id,
    )
    answer = await submitting.submit(jobs.road, order, await failures_of(db, job), caller, once=once)
    jobs.nudge()
    return answer.response()


def inference_shown(job: Job) -> dict[str, Any]:
    same = (
        "dataset",
        "model",
        "model_version",
        "task",
        "parameters",
        "priority",
        "items",
        "done",
        "failed",
        "error",
        "retry_of",
    )
    moments = ("created_at", "started_at", "finished_at")
    return {
        "inference_id": job.id,
        "status": job.status,
        "aborting": job.is_aborting(),
        "progress": job.progress,
        "price": as_credits(job.held),
        "cost": as_credits(job.cost),
        **{name: getattr(job, name) for name in (*same, *moments)},
    }


def _status(standing: Standing) -> Status:
    job = standing.job
    return Status(
        status=job.status,
        aborting=job.is_aborting(),
        progress=job.progress,
        done=job.done,
        failed=job.failed,
        total=job.items,
        items_per_second=standing.items_per_s,
        eta_seconds=standing.eta_s,
        error=job.error,
    )


def whose(caller: Identity) -> str | None:
    return None if caller.is_admin else caller.user_id
