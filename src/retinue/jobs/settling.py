"""How a job ends: aborted by its owner, or settled by whoever sees that nothing of it is open any more."""

import sqlalchemy as sa

from retinue.base.database import Transaction
from retinue.base.errors import Conflict, NotFound
from retinue.base.failpoints import reach
from retinue.credits import ledger
from retinue.credits.shapes import as_credits
from retinue.jobs.events import tell_status
from retinue.jobs.tables import OPEN_CHUNKS, Chunk, Job
from retinue.webhooks import events
from retinue.webhooks.events import Event


class NoSuchJob(NotFound):
    code = "no-such-inference"
    title = "There is no such inference"


class JobIsOver(Conflict):
    code = "inference-is-over"
    title = "This inference has ended"


def job_of(now: Transaction, job_id: str, *, user_id: str | None) -> Job:
    """The job, if it is there and yours (`user_id` None: anybody's, for admins)."""
    asked = sa.select(Job).where(Job.id == job_id)
    if user_id is not None:
        asked = asked.where(Job.user_id == user_id)
    job = now.first(asked)
    if job is None:
        raise NoSuchJob()
    return job


def abort(now: Transaction, job_id: str) -> bool:
    """What waits is cancelled at once; what is at work stops at its next look. False where it was over already."""
    ending = sa.update(Job).where(Job.id == job_id, Job.state.in_(("planning", "ready", "running")))
    if not now.changed(ending.values(state="aborting", changes=Job.changes + 1)):
        return False
    tell_status(now, job_of(now, job_id, user_id=None))
    cancel_waiting(now, job_id)
    settle(now, job_id)
    return True


def cancel_waiting(now: Transaction, job_id: str) -> None:
    waiting = sa.update(Chunk).where(Chunk.job_id == job_id, Chunk.state.in_(("ready", "sent")))
    now.execute(waiting.values(state="cancelled"))


def settle(now: Transaction, job_id: str) -> bool:
    """Once: give back what was held and not charged, and note who wants to be told. Of many one wins."""
    is_open = sa.exists().where(Chunk.job_id == job_id, Chunk.state.in_(OPEN_CHUNKS))
    ended = (
        sa.update(Job)
        .where(Job.id == job_id, sa.or_(Job.state == "aborting", _IS_DONE_RUNNING), ~is_open)
        .values(
            state=sa.case((Job.state == "aborting", "aborted"), else_="done"),
            finished_at=now.time,
            changes=Job.changes + 1,
        )
    )
    if not now.changed(ended):
        return False
    job = job_of(now, job_id, user_id=None)
    released = ledger.close(now, job.hold_id, because=f"inference {job.status.lower()}", actor=ledger.HOUSE)
    tell_status(now, job)
    reach("in_settle")
    _note(now, job, charged=job.held - released)
    return True


# Films still to be planned hold a job up, unless it is being aborted.
_IS_DONE_RUNNING = sa.and_(Job.state == "running", Job.films_due.is_(False))


def _note(now: Transaction, job: Job, *, charged: int) -> None:
    facts = {
        "inference_id": job.id,
        "dataset": job.dataset,
        "model": job.model,
        "status": job.status,
        "done": job.done,
        "failed": job.failed,
        "total": job.items,
        "cost": as_credits(charged),
    }
    events.tell(now, job.user_id, _ENDS[job.status], facts, own_address=job.webhook)


_ENDS: dict[str, Event] = {"COMPLETED": "job.completed", "FAILED": "job.failed", "ABORTED": "job.aborted"}
