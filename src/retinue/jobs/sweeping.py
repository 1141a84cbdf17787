"""What nobody holds any more: lost messages, ended leases, aborted work, pictures that kill, jobs that are done.

Every node does this about once a second. Each statement is guarded, so two nodes that see the same do it once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
import structlog

from retinue.base.database import Database, Transaction
from retinue.base.storage import Storage
from retinue.jobs import chunks
from retinue.jobs.chunks import Lease
from retinue.jobs.films import plan_films
from retinue.jobs.manifests import Item, ListLost, Place, read_items
from retinue.jobs.planning import new_chunk
from retinue.jobs.results import remember_failures
from retinue.jobs.settling import settle
from retinue.jobs.tables import OPEN_CHUNKS, Chunk, Job
from retinue.jobs.terms import Terms

AT_ONCE = 500
KILLED = ("worker-died", "The worker died each time it looked at this item")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Suspect:
    """A chunk whose worker died once too often."""

    lease: Lease
    place: Place
    crashes: int


async def sweep(database: Database, storage: Storage, *, terms: Terms) -> None:
    if await database.read(is_due):
        await database.write(lambda now: put_back(now, terms=terms))
    for suspect in await database.read(lambda now: suspects(now, terms=terms)):
        try:
            items = await _items_of(storage, suspect)
            await database.write(lambda now, one=suspect, of=items: part_or_fail(now, one, of))  # type: ignore[misc]
        except Exception:  # noqa: BLE001 what cannot be read now keeps nothing else waiting
            _log.exception("a suspect chunk was left", job=suspect.lease.job_id, chunk=suspect.lease.number)
    for job_id in await database.read(finished):
        await database.write(lambda now, one=job_id: plan_films(now, one) or settle(now, one))  # type: ignore[misc]


def is_due(now: Transaction) -> bool:
    """Whether there is anything to put back or to cancel: most rounds find nothing and write nothing."""
    overdue = sa.select(Chunk.number).where(Chunk.state.in_(("sent", "leased")), Chunk.until <= now.time)
    aborting = sa.select(Chunk.number).where(Chunk.state.in_(("ready", "sent")), Chunk.job_id.in_(_aborting()))
    return any(now.value(look.limit(1)) is not None for look in (overdue, aborting))


def put_back(now: Transaction, *, terms: Terms) -> None:
    """Lost messages and ended leases become ready again; in a job that is being aborted they are cancelled.

    A lease that ends for the last time is left to `suspects`, who part the chunk.
    """
    now.execute(
        sa.update(Chunk).where(Chunk.state == "sent", Chunk.until <= now.time).values(state="ready", until=now.time)
    )
    ended = sa.update(Chunk).where(Chunk.state == "leased", Chunk.until <= now.time)
    once_more = {"crashes": Chunk.crashes + 1, "owner": None}
    now.execute(ended.where(Chunk.job_id.in_(_aborting())).values(state="cancelled", **once_more))
    back = now.changed(
        ended.where(Chunk.crashes + 1 < terms.most_crashes).values(state="ready", until=now.time, **once_more)
    )
    now.execute(
        sa.update(Chunk)
        .where(Chunk.state.in_(("ready", "sent")), Chunk.job_id.in_(_aborting()))
        .values(state="cancelled")
    )
    if back:
        _log.warning("leases ended", count=back)


def suspects(now: Transaction, *, terms: Terms) -> Sequence[Suspect]:
    found = (
        sa.select(Chunk, Job.manifest)
        .join(Job, Job.id == Chunk.job_id)
        .where(Chunk.state == "leased", Chunk.until <= now.time, Chunk.crashes + 1 >= terms.most_crashes)
        .limit(AT_ONCE)
    )
    return [
        Suspect(
            Lease(row.job_id, row.number, row.epoch),
            Place(row.manifest, row.first_item, row.first_byte, row.end_byte),
            row.crashes,
        )
        for row in now.rows(found.with_only_columns(*Chunk.__table__.columns, Job.manifest))
    ]


async def _items_of(storage: Storage, suspect: Suspect) -> Sequence[Item]:
    try:
        return await read_items(storage, suspect.place)
    except ListLost:
        _log.exception("the list of a job is lost", job=suspect.lease.job_id)
        return []


def part_or_fail(now: Transaction, suspect: Suspect, items: Sequence[Item]) -> None:
    """One item alone fails for good; several are tried once more, each in a chunk of its own."""
    if not _is_over(now, suspect.lease):
        return
    if len(items) <= 1:  # none: it put a film together, or nobody knows any more what it was of
        chunks.give_up(
            now,
            suspect.lease,
            crashes=suspect.crashes + 1,
            keep=lambda now, job: remember_failures(now, job, suspect.lease.number, items, *KILLED),
        )
        return
    parted = sa.update(Chunk).where(*_whose(suspect.lease))
    if not now.changed(parted.values(state="split", owner=None, crashes=suspect.crashes + 1)):
        return
    now.execute(sa.update(Job).where(Job.id == suspect.lease.job_id).values(chunks=Job.chunks + len(items)))
    total = now.value(sa.select(Job.chunks).where(Job.id == suspect.lease.job_id))
    assert total is not None, "a chunk's job always exists"
    first = total - len(items)
    # One more crash is one too many: the item that kills is found at the first try.
    now.insert(
        Chunk,
        [
            new_chunk(now, suspect.lease.job_id, first + n, item.place_alone(suspect.place), 1, crashes=suspect.crashes)
            for n, item in enumerate(items)
        ],
    )


def finished(now: Transaction) -> Sequence[str]:
    is_open = sa.exists().where(Chunk.job_id == Job.id, Chunk.state.in_(OPEN_CHUNKS))
    ended = sa.select(Job.id).where(Job.state.in_(("running", "aborting")), ~is_open).limit(AT_ONCE)
    return [row.id for row in now.rows(ended)]


def expire_all(now: Transaction) -> None:
    """At the start of the only process of a house: whoever held something before is no more."""
    now.execute(sa.update(Chunk).where(Chunk.state.in_(("sent", "leased"))).values(until=now.time))


def _aborting() -> sa.Select[str]:
    return sa.select(Job.id).where(Job.state == "aborting")


def _is_over(now: Transaction, lease: Lease) -> bool:
    ended = sa.select(Chunk.number).where(*_whose(lease), Chunk.until <= now.time)
    return now.value(ended) is not None


def _whose(lease: Lease) -> tuple[Any, ...]:
    return (
        Chunk.job_id == lease.job_id,
        Chunk.number == lease.number,
        Chunk.epoch == lease.epoch,
        Chunk.state == "leased",
    )
