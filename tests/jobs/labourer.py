"""A node of a cluster as a process of its own, whose chunks are empty: everything of a job but the pictures.

    python -m tests.jobs.labourer DATABASE_URL BROKER_URL FILES SEED [--without-fence]

It dispatches, claims, pauses, fails now and then, commits and sweeps until it is killed.
"""

import asyncio
import os
import random
import sys
from typing import Any

import sqlalchemy as sa

from retinue.base.database import Database
from retinue.base.observe import start_logging
from retinue.base.storage import open_storage
from retinue.jobs import chunks, workers
from retinue.jobs.brokers import Crew, Post, open_broker
from retinue.jobs.chunks import Lease, Outcome
from retinue.jobs.dispatching import dispatch, unsend
from retinue.jobs.leases import Leases
from retinue.jobs.settling import settle
from retinue.jobs.sweeping import sweep
from retinue.jobs.tables import Chunk
from retinue.jobs.terms import Terms

SLOTS = 4
TERMS = Terms(lease_s=1.5, sent_s=2.0, most_crashes=1000)  # no chunk kills here: we do


async def main(database_url: str, broker_url: str, files: str, seed: str) -> None:
    database, chance = Database(database_url, readers=2), random.Random(int(seed))
    storage, name = open_storage(files), f"labourer-{os.getpid()}"
    broker = open_broker(broker_url)
    post, leases = Post(broker), Leases(database, TERMS)
    leases.start()

    async def work(lease: Lease) -> None:
        try:
            claimed = await database.write(lambda now: chunks.claim(now, lease, owner=name, terms=TERMS))
            if claimed is None:
                return
            with leases.holding(lease) as held:
                for _ in range(4):
                    await asyncio.sleep(chance.uniform(0.005, 0.04))
                    if held.is_lost and chance.random() < 0.5:  # half of them do not look, as a sleeper would
                        return
                if chance.random() < 0.03:
                    await database.write(lambda now: chunks.fail(now, lease, may_retry=True, terms=TERMS))
                    return
                outcome = Outcome(claimed.items, 0, 100)
                await database.write(lambda now: chunks.commit(now, lease, outcome, keep=lambda _now, _job: None))
            await database.write(lambda now: settle(now, lease.job_id))
        except Exception as failure:  # noqa: BLE001 the lease ends by itself
            print("a chunk was dropped:", type(failure).__name__, str(failure)[:200], file=sys.stderr)

    async def again(every_s: float, do: Any) -> None:
        while True:
            try:
                await do()
            except Exception as failure:  # noqa: BLE001 the next round may find the part again
                print("a round failed:", type(failure).__name__, str(failure)[:200], file=sys.stderr)
            await asyncio.sleep(every_s)

    async def send() -> None:
        for sending in await database.write(lambda now: dispatch(now, terms=TERMS)):
            try:
                await asyncio.to_thread(post.send, sending)
                if chance.random() < 0.05:  # a message may be doubled
                    await asyncio.to_thread(post.send, sending)
            except Exception:  # noqa: BLE001 the broker is away
                await database.write(lambda now, one=sending.lease: unsend(now, one))  # type: ignore[misc]

    async def say_alive() -> None:
        await database.write(lambda now: workers.say_alive(now, name, pool="cpu", device="", slots=SLOTS, models=[]))

    Crew(broker, pool="cpu", slots=SLOTS, work=work).start()
    print("works", flush=True)
    await asyncio.gather(
        again(0.05, send),
        again(0.3, lambda: sweep(database, storage, terms=TERMS)),
        again(0.3, say_alive),
    )


def take_the_fence_away() -> None:
    """What the negative control runs with: whoever knows a chunk's number may do anything to it."""
    anything = (Chunk.job_id == sa.bindparam("job"), Chunk.number == sa.bindparam("chunk"))
    for name in ("_CLAIM", "_RENEW", "_COMMIT", "_CANCEL", "_LEASED"):
        fenced: Any = getattr(chunks, name)
        open_to_all = fenced._clone()
        open_to_all._where_criteria = anything
        setattr(chunks, name, open_to_all)


if __name__ == "__main__":
    start_logging(level="error")
    given = [word for word in sys.argv[1:] if word != "--without-fence"]
    if "--without-fence" in sys.argv:
        take_the_fence_away()
    asyncio.run(main(*given))
