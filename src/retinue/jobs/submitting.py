"""How work is ordered: priced first, then held, listed and cut into chunks in one transaction, once per key."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from retinue.accounts.access import Identity
from retinue.base.database import CommitInDoubt, Transaction
from retinue.base.errors import Invalid
from retinue.base.failpoints import reach
from retinue.base.ids import new_id
from retinue.catalog.serving import Serving
from retinue.credits import idempotency, ledger
from retinue.credits.idempotency import Answer, Once, Replay
from retinue.credits.shapes import as_credits
from retinue.jobs.dispatching import slots_by_pool
from retinue.jobs.events import tell_status
from retinue.jobs.listing import Listing
from retinue.jobs.manifests import Frozen, Video, freeze
from retinue.jobs.planning import FEWEST, chunk_items, measured_speed, put_in_chunks
from retinue.jobs.settling import job_of
from retinue.jobs.tables import Job, JobVideo
from retinue.jobs.terms import Terms
from retinue.predictions.asking import Parameters
from retinue.predictions.paying import frame_price_of, price_of
from retinue.predictions.road import Road

OPERATION = "inference"


class NothingToDo(Invalid):
    code = "nothing-to-do"
    title = "There is nothing to look at"


@dataclass(frozen=True, slots=True)
class Order:
    model: str
    version: str | None
    parameters: Parameters
    pool: str
    priority: int = 0
    webhook: str | None = None
    retry_of: str | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    items: int
    price: int
    expected_s: float | None


async def quote(road: Road, terms: Terms, order: Order, listing: Listing) -> Quote:
    """What it would cost and take, with nothing created."""
    serving = await road.catalog.serving(order.model, order.version)
    if not listing.count:
        raise NothingToDo()
    return Quote(
        listing.count,
        (listing.count - listing.frames) * price_of(road, serving) + listing.frames * frame_price_of(road, serving),
        await road.database.read(lambda now: _expected_s(now, serving, order.pool, listing.count, terms)),
    )


async def submit(
    road: Road,
    order: Order,
    listing: Listing,
    caller: Identity,
    *,
    once: Once | None,
    also: Callable[[Transaction], None] | None = None,
) -> Answer | Replay:
    """The list is frozen first; then the hold, the job and its first chunks are one transaction, or nothing is; what
    `also` writes belongs to it."""
    serving = await road.catalog.serving(order.model, order.version)
    if not listing.count:
        raise NothingToDo()
    frozen = await freeze(road.storage, listing.entries, at=road.clock.now())

    def begin(now: Transaction) -> Answer:
        if also is not None:
            also(now)
        return _begin(now, road, order, listing, serving, frozen, caller)

    try:
        if not frozen.items:  # they were deleted since they were counted
            raise NothingToDo()
        answer = await road.database.write(lambda now: idempotency.run_once(now, caller.user_id, once, begin))
    except CommitInDoubt:
        raise  # the job may be there, and needs its list
    except BaseException:
        await asyncio.shield(road.storage.delete([frozen.key]))
        raise
    if isinstance(answer, Replay):
        await road.storage.delete([frozen.key])
    reach("after_submit_commit")
    return answer


def _begin(
    now: Transaction, road: Road, order: Order, listing: Listing, serving: Serving, frozen: Frozen, caller: Identity
) -> Answer:
    job_id, price, frame_price = new_id(now.time), price_of(road, serving), frame_price_of(road, serving)
    total = (frozen.items - frozen.frames) * price + frozen.frames * frame_price
    held = ledger.hold(now, caller.user_id, total, operation=OPERATION, operation_id=job_id, expires_at=None)
    speed = _speed(now, serving)
    now.insert(
        Job,
        {
            "id": job_id,
            "user_id": caller.user_id,
            "retry_of": order.retry_of,
            "dataset_id": listing.dataset_id,
            "dataset": listing.dataset,
            "model": serving.model.name,
            "version_id": serving.version.id,
            "model_version": serving.version.label,
            "task": serving.package.task,
            "parameters": order.parameters.as_json(),
            "webhook": order.webhook,
            "state": "planning",
            "priority": order.priority,
            "pool": order.pool,
            "price": price,
            "frame_price": frame_price,
            "held": held.amount,
            "hold_id": held.id,
            "items": frozen.items,
            "frames": frozen.frames,
            # Some frames tried again are no film.
            "films_due": serving.package.task == "inpaint" and bool(frozen.videos) and order.retry_of is None,
            "chunk_items": chunk_items(speed) if speed else FEWEST,
            "manifest": frozen.key,
            "manifest_bytes": frozen.size,
            "planned_items": 0,
            "planned_bytes": 0,
            "chunks": 0,
            "done": 0,
            "frames_done": 0,
            "failed": 0,
            "worked_ms": 0,
            "changes": 1,
            "turn": 0,
            "created_at": now.time,
            "started_at": None,
            "finished_at": None,
        },
    )
    if frozen.videos:
        now.insert(JobVideo, [_video(job_id, video) for video in frozen.videos])
    put_in_chunks(now, job_of(now, job_id, user_id=None), frozen.lengths)
    job = job_of(now, job_id, user_id=None)
    tell_status(now, job)
    return Answer(202, orjson.dumps(accepted(job)))


def _video(job_id: str, video: Video) -> dict[str, object]:
    return {
        "job_id": job_id,
        "item_index": video.index,
        "name": video.name,
        "first_item": video.first_item,
        "frames": video.frames,
        "duration_s": video.duration_s,
        "output_id": None,
    }


def accepted(job: Job) -> dict[str, object]:
    return {
        "inference_id": job.id,
        "status": job.status,
        "dataset": job.dataset,
        "model": job.model,
        "model_version": job.model_version,
        "parameters": job.parameters,
        "items": job.items,
        "price": as_credits(job.held),
        "held": as_credits(job.held),
        "retry_of": job.retry_of,
    }


def _speed(now: Transaction, serving: Serving) -> float | None:
    """Items per second of one chunk: from the jobs before, else from the intake test."""
    if (measured := measured_speed(now, serving.version.id)) is not None:
        return measured
    told = serving.version.intake.get("ms_per_picture")
    return 1000 / float(told) if told else None


def _expected_s(now: Transaction, serving: Serving, pool: str, items: int, terms: Terms) -> float | None:
    speed = _speed(now, serving)
    slots = slots_by_pool(now, terms=terms).get(pool, 0)
    return round(items / speed / max(1, slots), 1) if speed else None
