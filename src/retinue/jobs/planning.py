"""How a manifest becomes chunks: of a size that takes about fifteen seconds, in pages of at most 20,000 items.

A job whose list is longer stays in `planning` until a planner, on any node, has put in the last page.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
import structlog

from retinue.base.database import Database, Transaction
from retinue.base.storage import Storage
from retinue.jobs.manifests import ListLost, Place, read_lengths
from retinue.jobs.tables import Chunk, Job

CHUNK_S = 15.0  # a crash costs less than a minute, and fairness acts within window × 15 s
FEWEST, MOST = 16, 1000
LAST_JOBS = 3
_log = structlog.get_logger(__name__)


def chunk_items(items_per_s: float) -> int:
    return int(min(max(items_per_s * CHUNK_S, FEWEST), MOST))


def measured_speed(now: Transaction, version_id: str) -> float | None:
    """Items per second of one chunk at work, over the version's latest jobs; None before the first."""
    latest = (
        sa.select(Job.done, Job.worked_ms)
        .where(Job.version_id == version_id, Job.worked_ms > 0)
        .order_by(Job.id.desc())
        .limit(LAST_JOBS)
        .subquery()
    )
    (row,) = now.rows(sa.select(sa.func.sum(latest.c.done).label("done"), sa.func.sum(latest.c.worked_ms).label("ms")))
    return 1000 * float(row.done) / float(row.ms) if row.ms and row.done else None


def put_in_chunks(now: Transaction, job: Job, lengths: Sequence[int]) -> bool:
    """One page; the job is ready with the last. False where another planner was faster, or the job was aborted."""
    items, size = job.planned_items + len(lengths), job.planned_bytes + sum(lengths)
    is_last = size >= job.manifest_bytes
    places = list(_places(job, lengths))
    planned = (
        sa.update(Job)
        .where(Job.id == job.id, Job.state == "planning", Job.planned_items == job.planned_items)
        .values(planned_items=items, planned_bytes=size, chunks=Job.chunks + len(places))
    )
    if not now.changed(planned.values(state="ready") if is_last else planned):
        return False
    now.insert(Chunk, [new_chunk(now, job.id, job.chunks + n, place, count) for n, (place, count) in enumerate(places)])
    return True


def put_in_rest(now: Transaction, job: Job) -> bool:
    """All that is left as one chunk: where the list is gone, its worker finds so, and it fails like any other."""
    items = job.items - job.planned_items
    ready = (
        sa.update(Job)
        .where(Job.id == job.id, Job.state == "planning", Job.planned_items == job.planned_items)
        .values(planned_items=job.items, planned_bytes=job.manifest_bytes, chunks=Job.chunks + 1, state="ready")
    )
    if not now.changed(ready):
        return False
    place = Place(job.manifest, job.planned_items, job.planned_bytes, job.manifest_bytes)
    now.insert(Chunk, new_chunk(now, job.id, job.chunks, place, items))
    return True


async def plan_on(database: Database, storage: Storage) -> int:
    """The next page of every job that is being planned; how many pages were put in."""
    pages = 0
    for job in await database.read(_being_planned):
        try:
            pages += await _plan(database, storage, job)
        except Exception:  # noqa: BLE001 one list that cannot be read now keeps nobody else waiting
            _log.exception("a job could not be planned", job=job.id)
        await asyncio.sleep(0)
    return pages


async def _plan(database: Database, storage: Storage, job: Job) -> bool:
    try:
        lengths = await read_lengths(storage, job.manifest, first_byte=job.planned_bytes, end_byte=job.manifest_bytes)
        _check_count(job, lengths)
    except ListLost:
        _log.exception("the list of a job is lost", job=job.id)
        return await database.write(lambda now: put_in_rest(now, job))
    return await database.write(lambda now: put_in_chunks(now, job, lengths))


def new_chunk(
    now: Transaction,
    job_id: str,
    number: int,
    place: Place,
    items: int,
    *,
    crashes: int = 0,
    film: int | None = None,
) -> dict[str, Any]:
    told = {name: value for name, value in asdict(place).items() if name != "manifest"}
    fresh = {"state": "ready", "epoch": 0, "tries": 0, "crashes": crashes, "owner": None, "done": 0, "failed": 0}
    fresh |= {"frames_done": 0, "film": film}
    return {"job_id": job_id, "number": number, "items": items, "until": now.time, **told, **fresh}


def _check_count(job: Job, lengths: Sequence[int]) -> None:
    items = job.planned_items + len(lengths)
    is_last = job.planned_bytes + sum(lengths) == job.manifest_bytes
    if items > job.items or is_last != (items == job.items):
        raise ListLost()


def _places(job: Job, lengths: Sequence[int]) -> Iterator[tuple[Place, int]]:
    at = job.planned_bytes
    for first in range(0, len(lengths), job.chunk_items):
        part = lengths[first : first + job.chunk_items]
        end = at + sum(part)
        yield Place(job.manifest, job.planned_items + first, at, end), len(part)
        at = end


def _being_planned(now: Transaction) -> list[Job]:
    return now.all(sa.select(Job).where(Job.state == "planning").order_by(Job.id).limit(20))
