"""Whether planning and working hold more of a long list than of a short one: from 1,000 items to 1,000,000.

    python -m bench.job_memory [--items 1000000]

Each length is listed, planned and worked off by a process of its own on SQLite; the chunks are simulated: their part
of the list is read and their charge committed, no picture is looked at. Told is what each step adds to the process at
its most. Ends with 1 where the longest list takes much more than the shortest.
"""

import argparse
import asyncio
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path

import sqlalchemy as sa

from bench.figures import Figure, give
from retinue.base import migrating
from retinue.base.database import Database, Transaction
from retinue.base.storage import Storage, open_storage
from retinue.jobs import chunks, manifests
from retinue.jobs.chunks import Outcome
from retinue.jobs.dispatching import Sending, dispatch
from retinue.jobs.manifests import Entry, Place, freeze, read_items
from retinue.jobs.planning import plan_on, put_in_chunks
from retinue.jobs.settling import job_of, settle
from retinue.jobs.tables import Worker
from retinue.jobs.terms import Terms
from tests.credits.people import a_user
from tests.jobs.works import a_job, a_worker

FEWEST_ITEMS, ITEMS_IN_CHUNK, SLOTS = 1000, 200, 8
MOST_GROWTH_MIB = 32.0  # half of what SQLite may keep of its pages


@dataclass(frozen=True)
class Taken:
    """MiB that each step added to the process at its most."""

    items: int
    freezing_mib: float
    planning_mib: float
    working_mib: float
    seconds: float


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--items", type=int, default=1_000_000)
    asked.add_argument("--alone", action="store_true", help="measure this one length in this process")
    given = asked.parse_args()
    if given.alone:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(asdict(asyncio.run(measure(Path(folder), given.items)))))
        return 0
    short, long = _in_a_process(FEWEST_ITEMS), _in_a_process(given.items)
    steps = ("freezing", "planning", "working")
    remark = f"{given.items:,} against {FEWEST_ITEMS:,} items: " + ", ".join(
        f"{step} {getattr(long, f'{step}_mib'):.1f} against {getattr(short, f'{step}_mib'):.1f}" for step in steps
    )
    grown = max(getattr(long, f"{step}_mib") - getattr(short, f"{step}_mib") for step in steps)
    what = f"what a list {given.items // FEWEST_ITEMS:,} times as long takes more"
    return give(
        "job_memory", [Figure(what, round(grown, 1), "MiB", MOST_GROWTH_MIB, less_is_better=True, remark=remark)]
    )


async def measure(folder: Path, count: int) -> Taken:
    storage = open_storage(str(folder / "files"))
    database = Database(f"sqlite:///{folder}/jobs.db")
    try:
        migrating.upgrade(database)
        began = asyncio.get_running_loop().time()
        before = _forget_peak()
        frozen = await freeze(storage, _entries(count), at=database.clock.now())
        freezing = _peak_mib() - before
        before = _forget_peak()
        job_id = database.write_now(lambda now: _begin(now, frozen))
        while await plan_on(database, storage):
            pass
        planning = _peak_mib() - before
        before = _forget_peak()
        await _work_off(database, storage, job_id)
        working = _peak_mib() - before
        job = database.read_now(lambda now: job_of(now, job_id, user_id=None))
        assert (job.status, job.done) == ("COMPLETED", count)
        return Taken(count, freezing, planning, working, asyncio.get_running_loop().time() - began)
    finally:
        database.close()


def _begin(now: Transaction, frozen: manifests.Frozen) -> str:
    user_id = a_user(now, 10**12)
    a_worker(now, slots=SLOTS)
    planned = {"items": frozen.items, "chunk_items": ITEMS_IN_CHUNK, "planned_items": 0, "planned_bytes": 0}
    listed = {"manifest": frozen.key, "manifest_bytes": frozen.size}
    job_id = a_job(now, user_id, chunks=0, state="planning", **planned, **listed)
    put_in_chunks(now, job_of(now, job_id, user_id=None), frozen.lengths)
    return job_id


async def _work_off(database: Database, storage: Storage, job_id: str) -> None:
    terms = Terms()
    while sent := await database.write(lambda now: dispatch(now, terms=terms)):
        await asyncio.gather(*(_work(database, storage, one, terms) for one in sent))
        await database.write(lambda now: now.execute(sa.update(Worker).values(seen_at=now.time)))
    assert await database.write(lambda now: settle(now, job_id))


async def _work(database: Database, storage: Storage, sending: Sending, terms: Terms) -> None:
    lease = sending.lease
    claimed = await database.write(lambda now: chunks.claim(now, lease, owner="bench", terms=terms))
    assert claimed is not None
    job = await database.read(lambda now: job_of(now, lease.job_id, user_id=None))
    items = await read_items(storage, Place(job.manifest, claimed.first_item, claimed.first_byte, claimed.end_byte))
    outcome = Outcome(len(items), 0, worked_ms=1)
    assert await database.write(lambda now: chunks.commit(now, lease, outcome, keep=lambda _now, _job: None))


async def _entries(count: int) -> AsyncIterator[Entry]:
    for n in range(count):
        yield Entry(n, f"{n:036}", f"images/2026/01/01/{n:036}.jpg", f"{n:06}.jpg")


def _peak_mib() -> float:
    told = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert told is not None
    return int(told[1]) / 1024


def _forget_peak() -> float:
    """From here on the peak is counted anew; what is held now."""
    Path("/proc/self/clear_refs").write_text("5")
    return _peak_mib()


def _in_a_process(items: int) -> Taken:
    command = [sys.executable, "-m", "bench.job_memory", "--alone", "--items", str(items)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Taken(**json.loads(told))


if __name__ == "__main__":
    sys.exit(main())
