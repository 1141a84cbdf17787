"""Who owns a chunk: claim, renew, commit, fail and give back, each one guarded UPDATE under the chunk's epoch.

No row hit means: not yours any more, stop. What a chunk did counts in one transaction: its state, its results, its
charge and the job's progress.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from retinue.base.database import Transaction
from retinue.base.failpoints import reach
from retinue.credits import ledger
from retinue.jobs.events import tell_progress
from retinue.jobs.tables import Chunk, Job, cost_of
from retinue.jobs.terms import Terms


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a chunk, until somebody else gets a later epoch."""

    job_id: str
    number: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a chunk came to; `frames_done` of what is done are frames of videos."""

    done: int
    failed: int
    worked_ms: int
    frames_done: int = 0


@dataclass(frozen=True, slots=True)
class Claimed:
    """A chunk in one's hands: which part of the manifest it is."""

    items: int
    first_item: int
    first_byte: int
    end_byte: int
    film: int | None


@dataclass(frozen=True, slots=True)
class Progress:
    """A job as a chunk of it leaves it."""

    id: str
    user_id: str
    hold_id: str
    model: str
    price: int
    frame_price: int
    items: int
    done: int
    failed: int
    changes: int


Keep = Callable[[Transaction, Progress], None]


def claim(now: Transaction, lease: Lease, *, owner: str, terms: Terms) -> Claimed | None:
    """None for a message that was doubled, late, or of a job that is no longer to be done."""
    told = {**_told(lease), "owner": owner, "until": now.time + terms.lease}
    row = now.execute(_CLAIM, told).first()
    return None if row is None else Claimed(row.items, row.first_item, row.first_byte, row.end_byte, row.film)


def renew(now: Transaction, lease: Lease, *, terms: Terms) -> bool:
    return now.changed(_RENEW, {**_told(lease), "until": now.time + terms.lease}) == 1


def is_mine(now: Transaction, lease: Lease) -> bool:
    """As `renew` would answer, without a write."""
    return now.execute(_IS_MINE, _told(lease)).first() is not None


def commit(now: Transaction, lease: Lease, outcome: Outcome, *, keep: Keep) -> bool:
    """`keep` writes the results in the same transaction. A chunk in a job that is being aborted may still finish."""
    counts = {"done": outcome.done, "failed": outcome.failed, "frames_done": outcome.frames_done}
    if now.changed(_COMMIT, {**_told(lease), **counts}) != 1:
        return False
    job = progress(now, lease.job_id, outcome)
    cost = cost_of(job, done=outcome.done, frames_done=outcome.frames_done)
    ledger.charge(now, job.hold_id, cost, part=str(lease.number), description=job.model)
    keep(now, job)
    tell_progress(now, job)
    reach("in_commit")
    return True


def was_committed(now: Transaction, lease: Lease) -> bool:
    """For a worker whose connection broke while committing."""
    return now.execute(sa.select(Chunk.number).where(*_is("done")), _told(lease)).first() is not None


def fail(
    now: Transaction,
    lease: Lease,
    *,
    may_retry: bool,
    terms: Terms,
    keep: Keep = lambda _now, _job: None,
) -> bool:
    """Ready again after a pause, or failed for good, which costs nothing. `keep` writes the reasons then."""
    row = now.execute(sa.select(Chunk.tries).where(*_is("leased")), _told(lease)).first()
    if row is None:
        return False
    tries = int(row.tries)
    if may_retry and tries + 1 < terms.most_tries:
        return _put_back(now, lease, tries=tries + 1, after=terms.backoff(tries))
    return give_up(now, lease, tries=tries + 1, keep=keep)


def give_back(now: Transaction, lease: Lease) -> bool:
    """A worker that is asked to stop counts no try against the chunk."""
    return _put_back(now, lease, after=timedelta())


def cancel(now: Transaction, lease: Lease) -> bool:
    """A worker that stops because the job is being aborted need not leave its lease to the clock."""
    return now.changed(_CANCEL, _told(lease)) == 1


def give_up(now: Transaction, lease: Lease, *, keep: Keep, **values: Any) -> bool:
    """The whole chunk fails, with a reason for each of its items; it is never charged."""
    closed = _LEASED.values(state="failed", owner=None, failed=Chunk.items, **values).returning(Chunk.items)
    row = now.execute(closed, _told(lease)).first()
    if row is None:
        return False
    job = progress(now, lease.job_id, Outcome(done=0, failed=row.items, worked_ms=0))
    keep(now, job)
    tell_progress(now, job)
    return True


def progress(now: Transaction, job_id: str, outcome: Outcome) -> Progress:
    """The job's sums, beside the chunk's own in the same transaction."""
    by = {
        "job": job_id,
        "by_done": outcome.done,
        "by_frames": outcome.frames_done,
        "by_failed": outcome.failed,
        "by_ms": outcome.worked_ms,
    }
    row: Any = now.execute(_PROGRESS, by).one()
    return Progress(*row)


def _put_back(now: Transaction, lease: Lease, *, after: timedelta, **values: Any) -> bool:
    back = _LEASED.values(state="ready", owner=None, until=_UNTIL, **values)
    return now.changed(back, {**_told(lease), "until": now.time + after}) == 1


def _is(state: str) -> tuple[Any, ...]:
    """The fence: the chunk in this state under this epoch."""
    return (
        Chunk.job_id == sa.bindparam("job"),
        Chunk.number == sa.bindparam("chunk"),
        Chunk.epoch == sa.bindparam("under"),
        Chunk.state == state,
    )


def _told(lease: Lease) -> dict[str, Any]:
    return {"job": lease.job_id, "chunk": lease.number, "under": lease.epoch}


# Built once: putting a statement together costs more processor time than SQLite takes to run it.
_STATE_OF_JOB = sa.select(Job.state).where(Job.id == sa.bindparam("job")).scalar_subquery()
_LEASED = sa.update(Chunk).where(*_is("leased"))
_UNTIL = sa.bindparam("until", type_=Chunk.until.type)
_CLAIM = (
    sa.update(Chunk)
    .where(*_is("sent"), _STATE_OF_JOB == "running")
    .values(state="leased", owner=sa.bindparam("owner"), until=_UNTIL)
    .returning(*(getattr(Chunk, name) for name in Claimed.__slots__))
)
_RENEW = _LEASED.where(_STATE_OF_JOB == "running").values(until=_UNTIL)
_IS_MINE = sa.select(Chunk.number).where(*_is("leased"), _STATE_OF_JOB == "running")
_COMMIT = _LEASED.values(
    state="done",
    owner=None,
    **{name: sa.bindparam(name) for name in ("done", "failed", "frames_done")},
)
_CANCEL = _LEASED.where(_STATE_OF_JOB == "aborting").values(state="cancelled", owner=None)
_PROGRESS = (
    sa.update(Job)
    .where(Job.id == sa.bindparam("job"))
    .values(
        done=Job.done + sa.bindparam("by_done"),
        frames_done=Job.frames_done + sa.bindparam("by_frames"),
        failed=Job.failed + sa.bindparam("by_failed"),
        worked_ms=Job.worked_ms + sa.bindparam("by_ms"),
        changes=Job.changes + 1,
    )
    .returning(*(getattr(Job, name) for name in Progress.__slots__))
)
