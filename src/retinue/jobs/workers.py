"""Which processes take chunks now: each says every few seconds that it lives, and who is silent for a lease is not."""

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa

from retinue.base.database import Transaction
from retinue.jobs.tables import Worker
from retinue.jobs.terms import Terms

FORGOTTEN = timedelta(hours=1)


def say_alive(now: Transaction, worker_id: str, *, pool: str, device: str, slots: int, models: Sequence[str]) -> None:
    told = {"slots": slots, "models": list(models), "seen_at": now.time}
    if now.changed(sa.update(Worker).where(Worker.id == worker_id).values(**told)) == 0:
        now.insert(Worker, {"id": worker_id, "pool": pool, "device": device, "started_at": now.time, **told})


def leave(now: Transaction, worker_id: str) -> None:
    now.execute(sa.delete(Worker).where(Worker.id == worker_id))


def forget_silent(now: Transaction) -> None:
    now.execute(sa.delete(Worker).where(Worker.seen_at < now.time - FORGOTTEN))


def list_workers(now: Transaction) -> list[Worker]:
    return now.all(sa.select(Worker).order_by(Worker.started_at, Worker.id))


def is_live(worker: Worker, now: Transaction, *, terms: Terms) -> bool:
    return worker.seen_at > now.time - terms.lease
