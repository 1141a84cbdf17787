"""A job against the bare loop, and what the bookkeeping of chunks costs by itself.

    python -m bench.jobs [--pictures 2000] [--chunks 2000] [--database URL]

The job runs in this process as `retinue up` runs it: broker in memory, SQLite, every picture read from storage, every
answer a row. The bare loop runs before and after it. Ends with 1 where a floor is missed.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from bench.bare_loop import BareLoop
from bench.figures import Figure, give
from bench.pictures import jpegs
from retinue import assembly
from retinue.accounts.access import Identity
from retinue.base import migrating
from retinue.base.database import Database
from retinue.base.settings import Settings
from retinue.credits import ledger
from retinue.jobs import chunks
from retinue.jobs.chunks import Lease
from retinue.jobs.dispatching import dispatch
from retinue.jobs.listing import Listing
from retinue.jobs.manifests import Entry
from retinue.jobs.running import Jobs
from retinue.jobs.settling import job_of
from retinue.jobs.submitting import Order, submit
from retinue.jobs.terms import Terms
from retinue.jobs.watching import Doors, events_of
from retinue.media.keeping import Kept, claim_all, keep_file
from retinue.predictions.asking import Parameters
from retinue.vision import builtin_packages
from tests.credits.people import a_user
from tests.jobs.works import ITEMS, a_job, a_worker, finish

MODEL = "efficientnet-lite0"
CHUNKS_FLOOR = 400.0
AT_ONCE = 16  # chunks at work in the bookkeeping: eight workers of two slots


class Finished(Exception):
    """The last chunk is done."""


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--pictures", type=int, default=2000)
    asked.add_argument("--chunks", type=int, default=2000)
    asked.add_argument("--database", default="", help="where the bookkeeping is measured; empty: SQLite")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bare, job = asyncio.run(job_speed(Path(folder), given.pictures))
        url = given.database.replace("postgresql://", "postgresql+psycopg://", 1) or f"sqlite:///{folder}/chunks.db"
        database = Database(url)
        migrating.upgrade(database)
        per_s, cpu_ms = asyncio.run(chunks_per_s(database, given.chunks))
        kind = database.url.get_backend_name()
        database.close()
    beside = f"{job:.1f} against {bare:.1f} pictures/s"
    cost = f"{cpu_ms:.2f} ms of processor time each"
    return give(
        "jobs",
        [
            Figure(
                f"a job over {given.pictures:,} pictures", round(job / bare, 3), floor=0.90, goal=0.97, remark=beside
            ),
            Figure(f"empty chunks on {kind}", round(per_s), "chunks/s", floor=CHUNKS_FLOOR, remark=cost),
        ],
    )


async def job_speed(folder: Path, count: int) -> tuple[float, float]:
    """Of the bare loop and of the job, in the same minutes."""
    pictures = jpegs(200, width=640, height=480)
    house = assembly.open_house(Settings(data_dir=folder / "data", database_url=f"sqlite:///{folder}/jobs.db"))
    assembly.prepare(house)
    app = assembly.application(house)
    async with app.router.lifespan_context(app):
        jobs: Jobs = app.state.parts[Jobs]
        bare = BareLoop(builtin_packages(house.shelf.builtin_folder)[MODEL])
        await jobs.road.eye.load(bare.package)
        user_id = await house.database.write(lambda now: a_user(now, 10_000_000_000))
        kept = await _keep(house, user_id, pictures)
        await _run(jobs, user_id, kept, 100)  # measures the speed that sizes the chunks
        before = await asyncio.to_thread(_bare_rate, bare, pictures, count / 4)
        seconds = await _run(jobs, user_id, kept, count)
        after = await asyncio.to_thread(_bare_rate, bare, pictures, count / 4)
    house.close()
    return (before + after) / 2, count / seconds


async def chunks_per_s(database: Database, count: int) -> tuple[float, float]:
    """Dispatched, claimed, committed with their charge: everything but the pictures. Also milliseconds of processor
    time per chunk, which other work on the machine disturbs least."""
    terms, left = Terms(), count

    def begin(now: object) -> None:
        user_id = a_user(now, 10_000_000_000)  # type: ignore[arg-type]
        a_worker(now, slots=AT_ONCE)  # type: ignore[arg-type]
        a_job(now, user_id, chunks=count)  # type: ignore[arg-type]

    database.write_now(begin)
    waiting: asyncio.Queue[Lease] = asyncio.Queue()
    wanted = asyncio.Event()

    async def send() -> None:
        while True:
            for one in await database.write(lambda now: dispatch(now, terms=terms)):
                waiting.put_nowait(one.lease)
            await wanted.wait()
            wanted.clear()

    async def work() -> None:
        nonlocal left
        while True:
            lease = await waiting.get()
            assert await database.write(lambda now, one=lease: chunks.claim(now, one, owner="bench", terms=terms))  # type: ignore[misc]
            assert await database.write(lambda now, one=lease: finish(now, one, done=ITEMS))  # type: ignore[misc]
            wanted.set()
            left -= 1
            if not left:
                raise Finished

    began, cpu = time.perf_counter(), time.process_time()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(send())
            for _ in range(AT_ONCE):
                group.create_task(work())
    except* Finished:
        took = time.perf_counter() - began
    return count / took, (time.process_time() - cpu) / count * 1e3


async def _keep(house: assembly.House, user_id: str, pictures: Sequence[bytes]) -> list[Kept]:
    kept = [
        await keep_file(
            house.storage,
            data,
            kind="item",
            at=house.clock.now(),
            filename=f"{n}.jpg",
            mime_type="image/jpeg",
            extension="jpg",
            size=(1, 1),
        )
        for n, data in enumerate(pictures)
    ]
    await house.database.write(lambda now: claim_all(now, user_id, kept))
    return kept


async def _run(jobs: Jobs, user_id: str, kept: Sequence[Kept], count: int) -> float:
    """Seconds from the order to the end."""

    async def entries() -> AsyncIterator[Entry]:
        for n in range(count):
            one = kept[n % len(kept)]
            yield Entry(n, one.id, one.key, f"{n}.jpg")

    order = Order(MODEL, None, Parameters(), "cpu")
    caller = Identity(user_id, "bench@example.com", "user")
    answer = await submit(jobs.road, order, Listing(None, "bench", count, 0, entries()), caller, once=None)
    jobs.nudge()
    job_id, database = json.loads(answer.body)["inference_id"], jobs.road.database
    async for _ in events_of(database, Doors(), job_id, after=0):
        pass
    job = await database.read(lambda now: job_of(now, job_id, user_id=None))
    assert job.finished_at is not None
    assert job.done == count, f"{job.failed} of {count} failed"
    assert await database.read(lambda now: ledger.balance(now, user_id).held) == 0
    return (job.finished_at - job.created_at).total_seconds()


def _bare_rate(bare: BareLoop, pictures: Sequence[bytes], count: float) -> float:
    """For about as long as `count` pictures take."""
    return bare.per_second(pictures, seconds=max(2.0, count / 150))


if __name__ == "__main__":
    sys.exit(main())
