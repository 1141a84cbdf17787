"""Jobs for tests, put straight into their tables: chunks of empty work, in any state."""

from typing import Any

import sqlalchemy as sa

from retinue.base.database import Transaction
from retinue.base.ids import new_id
from retinue.catalog.tables import Model, Version
from retinue.credits import ledger
from retinue.jobs.chunks import Lease, Outcome, commit
from retinue.jobs.manifests import Place
from retinue.jobs.planning import new_chunk
from retinue.jobs.tables import Chunk, Job, Worker

PRICE = 275
ITEMS = 10  # per chunk


def a_version(now: Transaction) -> str:
    """Of a model that nobody asks: these jobs have no pictures."""
    found = now.value(sa.select(Version.id).limit(1))
    if found is not None:
        return found
    model_id, version_id = new_id(now.time), new_id(now.time)
    now.insert(
        Model,
        {
            "id": model_id,
            "name": "none",
            "task": "classify",
            "enabled": True,
            "price": None,
            "thresholds": {},
            "active_version_id": version_id,
            "changes": 0,
            "created_at": now.time,
        },
    )
    now.insert(
        Version,
        {
            "id": version_id,
            "model_id": model_id,
            "number": 1,
            "state": "ready",
            "manifest": {},
            "package_key": "none",
            "origin": "file",
            "files": [],
            "size_bytes": 0,
            "intake": {},
            "created_at": now.time,
        },
    )
    return version_id


def a_job(now: Transaction, user_id: str, *, chunks: int = 3, state: str = "ready", **more: Any) -> str:
    """Its chunks are ready; its price is held."""
    job_id, items = new_id(now.time), more.get("items", chunks * ITEMS)
    held = ledger.hold(now, user_id, PRICE * items, operation="inference", operation_id=job_id, expires_at=None)
    row: dict[str, Any] = {
        "id": job_id,
        "user_id": user_id,
        "dataset": "nothing",
        "model": "none",
        "version_id": a_version(now),
        "model_version": "1",
        "task": "classify",
        "parameters": {},
        "state": state,
        "priority": 0,
        "pool": "cpu",
        "price": PRICE,
        "held": held.amount,
        "hold_id": held.id,
        "items": items,
        "chunk_items": ITEMS,
        "manifest": f"jobs/{job_id}",
        "manifest_bytes": items,
        "planned_items": items,
        "planned_bytes": items,
        "chunks": chunks,
        **dict.fromkeys(("done", "failed", "worked_ms", "changes", "turn"), 0),
        "created_at": now.time,
    }
    now.insert(Job, {**row, **more})
    places = [Place(row["manifest"], n * ITEMS, n * ITEMS, (n + 1) * ITEMS) for n in range(chunks)]
    if places:
        now.insert(Chunk, [new_chunk(now, job_id, n, place, ITEMS) for n, place in enumerate(places)])
    return job_id


def a_worker(now: Transaction, *, slots: int = 8, pool: str = "cpu") -> str:
    worker_id = new_id()
    now.insert(
        Worker,
        {
            "id": worker_id,
            "pool": pool,
            "device": "",
            "slots": slots,
            "models": [],
            "started_at": now.time,
            "seen_at": now.time,
        },
    )
    return worker_id


def put(now: Transaction, lease: Lease, state: str) -> None:
    """The chunk in that state under that epoch, as its life would have left it."""
    now.execute(
        sa.update(Chunk)
        .where(Chunk.job_id == lease.job_id, Chunk.number == lease.number)
        .values(state=state, epoch=lease.epoch, owner="somebody" if state == "leased" else None)
    )
    if state in {"sent", "leased"}:
        from datetime import timedelta

        until = now.time + timedelta(seconds=30)
        now.execute(
            sa.update(Chunk).where(Chunk.job_id == lease.job_id, Chunk.number == lease.number).values(until=until)
        )


def finish(now: Transaction, lease: Lease, *, done: int = ITEMS, failed: int = 0) -> bool:
    """A commit of empty work."""
    return commit(now, lease, Outcome(done, failed, worked_ms=1000), keep=lambda _now, _job: None)


def chunk_of(now: Transaction, lease: Lease) -> Chunk:
    found = now.first(sa.select(Chunk).where(Chunk.job_id == lease.job_id, Chunk.number == lease.number))
    assert found is not None
    return found


def states_of(now: Transaction, job_id: str) -> list[str]:
    rows = now.rows(sa.select(Chunk.state).where(Chunk.job_id == job_id).order_by(Chunk.number))
    return [row.state for row in rows]
