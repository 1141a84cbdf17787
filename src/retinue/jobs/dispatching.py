"""Whose chunk goes next: to the user with the least under way for their weight, in turns among equals; of theirs by
priority, then age.

No more is sent than twice what live workers can hold: what waits in the database can still be ordered, aborted and
counted; what waits in a broker cannot. A chunk that one more crash would condemn goes alone, see `_send_suspect`.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from retinue.accounts.tables import User
from retinue.base.database import Transaction
from retinue.jobs.chunks import Lease
from retinue.jobs.events import tell_status
from retinue.jobs.tables import HAS_CRASHED, Chunk, Job, Worker
from retinue.jobs.terms import Terms

PER_SLOT = 2  # one at work and one at hand, so that a slot never waits for a dispatch
LOCK = 5_248_307  # any number, the same on every node


@dataclass(frozen=True, slots=True)
class Sending:
    """What a broker carries: a pointer, of no value by itself."""

    pool: str
    lease: Lease


def may_dispatch(now: Transaction) -> bool:
    """Cheap to ask while nothing is there to do."""
    ready = sa.select(Chunk.number).where(Chunk.state == "ready", Chunk.until <= now.time).limit(1)
    return now.value(ready) is not None


def dispatch(now: Transaction, *, terms: Terms) -> list[Sending]:
    """Marks chunks as sent; whoever commits this sends them. One node at a time: on SQLite the one writer."""
    if now.connection.dialect.name == "postgresql" and not now.value(
        sa.select(sa.func.pg_try_advisory_xact_lock(LOCK))
    ):
        return []
    slots = slots_by_pool(now, terms=terms)
    return [sending for pool in sorted(slots) for sending in _fill(now, pool, PER_SLOT * slots[pool], terms)]


def unsend(now: Transaction, lease: Lease) -> bool:
    """A broker that did not take the message; the epoch stays spent."""
    back = sa.update(Chunk).where(
        Chunk.job_id == lease.job_id, Chunk.number == lease.number, Chunk.epoch == lease.epoch, Chunk.state == "sent"
    )
    return now.changed(back.values(state="ready", until=now.time + timedelta(seconds=1))) == 1


def slots_by_pool(now: Transaction, *, terms: Terms) -> dict[str, int]:
    """Of workers that are alive: seen within a lease."""
    live = sa.select(Worker.pool, sa.func.sum(Worker.slots).label("slots")).where(
        Worker.seen_at > now.time - terms.lease
    )
    return {row.pool: int(row.slots) for row in now.rows(live.group_by(Worker.pool))}


def _fill(now: Transaction, pool: str, window: int, terms: Terms) -> list[Sending]:
    under_way: Counter[str] = Counter({row.user_id: row.count for row in now.rows(_UNDER_WAY, {"pool": pool})})
    free = window - under_way.total()
    if free <= 0:
        return []
    suspect = _send_suspect(now, pool, terms)
    free -= len(suspect)
    shares = _shares(now.rows(_waiting(now, pool, terms, at_most=free)), under_way, free)
    others = [lease for job_id, share in shares.items() for lease in _send(now, job_id, share, terms)]
    return [Sending(pool, lease) for lease in (*suspect, *others)]


def _send_suspect(now: Transaction, pool: str, terms: Terms) -> list[Lease]:
    """One more crash condemns it, so no other of its kind may be under way beside it: a process that dies takes all
    its chunks along, and the innocent among them would be condemned too."""
    suspects = (
        sa.select(Chunk.job_id, Chunk.number)
        .join(Job, Job.id == Chunk.job_id)
        .where(Job.pool == pool, HAS_CRASHED, Chunk.crashes >= terms.most_crashes - 1)
        .limit(1)
    )
    if now.rows(suspects.where(Chunk.state.in_(("sent", "leased")))):
        return []
    ready = suspects.where(Chunk.state == "ready", Chunk.until <= now.time, Job.state.in_(("ready", "running")))
    leases: list[Lease] = []
    for eldest in now.rows(ready.order_by(Chunk.job_id, Chunk.number)):
        _begin(now, eldest.job_id)
        leases += _mark_sent(now, (Chunk.job_id == eldest.job_id, Chunk.number == eldest.number), terms)
    return leases


@dataclass
class _Share:
    """How many chunks a job gets now, and the turn of the last one."""

    chunks: int = 0
    turn: int = 0


def _shares(jobs: Any, under_way: Counter[str], free: int) -> dict[str, _Share]:
    """One chunk at a time to whoever has least for their weight. Among equals turns are taken: with four
    places for three users the eldest would otherwise have two of them for ever."""
    left = {job.id: job.ready for job in jobs}
    last_turn: dict[str, int] = {}
    for job in jobs:
        last_turn[job.user_id] = max(job.turn, last_turn.get(job.user_id, 0))
    turn = max(last_turn.values(), default=0)
    shares: dict[str, _Share] = defaultdict(_Share)
    while free > 0 and (waiting := [job for job in jobs if left[job.id] > 0]):
        chosen = min(
            waiting,
            key=lambda job: (under_way[job.user_id] / job.weight, last_turn[job.user_id], -job.priority, job.id),
        )
        turn += 1
        left[chosen.id] -= 1
        under_way[chosen.user_id] += 1
        last_turn[chosen.user_id] = turn
        shares[chosen.id].chunks += 1
        shares[chosen.id].turn = turn
        free -= 1
    return shares


def _send(now: Transaction, job_id: str, share: _Share, terms: Terms) -> list[Lease]:
    now.execute(sa.update(Job).where(Job.id == job_id).values(turn=share.turn))
    _begin(now, job_id)
    may_go = (Chunk.job_id == job_id, *_may_go(now, terms))
    chosen = sa.select(Chunk.number).where(*may_go).order_by(Chunk.number).limit(share.chunks)
    return _mark_sent(now, (*may_go, Chunk.number.in_(chosen.scalar_subquery())), terms)


def _begin(now: Transaction, job_id: str) -> None:
    begun = sa.update(Job).where(Job.id == job_id, Job.state == "ready")
    if now.changed(begun.values(state="running", started_at=now.time, changes=Job.changes + 1)):
        job = now.first(sa.select(Job).where(Job.id == job_id))
        assert job is not None, "it was just changed"
        tell_status(now, job)


def _mark_sent(now: Transaction, which: tuple[Any, ...], terms: Terms) -> list[Lease]:
    sent = (
        sa.update(Chunk)
        .where(*which, Chunk.state == "ready")
        .values(state="sent", epoch=Chunk.epoch + 1, until=now.time + terms.sent)
        .returning(Chunk.job_id, Chunk.number, Chunk.epoch)
    )
    return [Lease(row.job_id, row.number, row.epoch) for row in sorted(now.rows(sent))]


def _may_go(now: Transaction, terms: Terms) -> tuple[Any, ...]:
    """Ready, and no suspect."""
    return Chunk.state == "ready", Chunk.until <= now.time, Chunk.crashes < terms.most_crashes - 1


_UNDER_WAY = (
    sa.select(Job.user_id, sa.func.count().label("count"))
    .join(Chunk, Chunk.job_id == Job.id)
    .where(Chunk.state.in_(("sent", "leased")), Job.pool == sa.bindparam("pool"))
    .group_by(Job.user_id)
)


def _waiting(now: Transaction, pool: str, terms: Terms, *, at_most: int) -> sa.Select[Any]:
    """The jobs that may go on, and how many of their chunks are ready, counted no further than needed."""
    ready = (
        sa.select(Chunk.number)
        .where(Chunk.job_id == Job.id, *_may_go(now, terms))
        .limit(at_most)
        .correlate(Job)
        .subquery()
    )
    counted = sa.select(sa.func.count()).select_from(ready).scalar_subquery()
    return (
        sa.select(Job.id, Job.user_id, User.weight, Job.priority, Job.turn, counted.label("ready"))
        .join(User, User.id == Job.user_id)
        .where(Job.state.in_(("ready", "running")), Job.pool == pool)
    )
