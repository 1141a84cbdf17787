"""What happened to a job, told in order: each line has the next number, so whoever comes back reads on from there."""

from collections.abc import Sequence
from typing import Any, Protocol

import sqlalchemy as sa

from retinue.base.database import Transaction
from retinue.jobs.tables import Job, JobEvent


class Counted(Protocol):
    """What a line needs to know of a job, as it is after the change."""

    @property
    def id(self) -> str: ...
    @property
    def items(self) -> int: ...
    @property
    def done(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def changes(self) -> int: ...


def tell_progress(now: Transaction, job: Counted) -> None:
    _tell(now, job.id, job.changes, "progress", _counts(job))


def tell_status(now: Transaction, job: Job) -> None:
    _tell(now, job.id, job.changes, "status", {"status": job.status, "aborting": job.is_aborting(), **_counts(job)})


def events_after(now: Transaction, job_id: str, number: int, *, at_most: int = 200) -> Sequence[JobEvent]:
    wanted = sa.select(JobEvent).where(JobEvent.job_id == job_id, JobEvent.number > number)
    return now.all(wanted.order_by(JobEvent.number).limit(at_most))


def _counts(job: Counted) -> dict[str, Any]:
    percent = round(100 * (job.done + job.failed) / job.items, 1)
    return {"done": job.done, "failed": job.failed, "total": job.items, "progress": percent}


def _tell(now: Transaction, job_id: str, number: int, kind: str, facts: dict[str, Any]) -> None:
    now.execute(_TELL, {"job_id": job_id, "number": number, "kind": kind, "facts": facts, "created_at": now.time})


_TELL = sa.insert(JobEvent)
