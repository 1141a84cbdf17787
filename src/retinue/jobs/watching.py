"""How a job is watched: where it stands, how fast it goes, and what happened, as a stream that may be read on."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from retinue.base.database import Database, Transaction
from retinue.jobs.events import events_after
from retinue.jobs.settling import job_of
from retinue.jobs.tables import Job, JobEvent

LAST_EVENTS = 20
LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Standing:
    job: Job
    items_per_s: float | None
    eta_s: float | None


class Doors:
    """Open streams end when the house closes: a server that stops waits for its connections."""

    def __init__(self) -> None:
        self.are_closing = False

    def close(self) -> None:
        self.are_closing = True


def standing_of(now: Transaction, job: Job) -> Standing:
    rate = _items_per_s(now, job)
    left = job.items - job.done - job.failed
    eta = None if job.is_over() or not rate else round(left / rate, 1)
    return Standing(job, None if rate is None else round(rate, 2), eta)


async def events_of(database: Database, doors: Doors, job_id: str, *, after: int) -> AsyncIterator[JobEvent]:
    """From the next one on, until the job has ended and everything was told."""
    while not doors.are_closing:

        def look(now: Transaction, after: int = after) -> tuple[list[JobEvent], bool]:
            return list(events_after(now, job_id, after)), job_of(now, job_id, user_id=None).is_over()

        found, is_over = await database.read(look)
        for event in found:
            yield event
            after = event.number
        if not found:
            if is_over:
                return
            await asyncio.sleep(LOOK_S)


def _items_per_s(now: Transaction, job: Job) -> float | None:
    """Over the last twenty steps while it runs, else over all of it."""
    if job.started_at is None:
        return None
    steps: list[tuple[Any, int]] = []
    if not job.is_over():
        latest = sa.select(JobEvent).where(JobEvent.job_id == job.id, JobEvent.kind == "progress")
        for event in now.all(latest.order_by(JobEvent.number.desc()).limit(LAST_EVENTS)):
            steps.append((event.created_at, event.facts["done"] + event.facts["failed"]))
    if len(steps) < LAST_EVENTS:
        steps.append((job.started_at, 0))
    end, done = (job.finished_at or now.time, job.done + job.failed) if job.is_over() else (now.time, steps[0][1])
    begin, before = steps[-1]
    seconds = (end - begin).total_seconds()
    return (done - before) / seconds if seconds > 0 and done > before else None
