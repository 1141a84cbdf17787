"""What a second and a third worker add: the same job on one, two and three `retinue worker` of one processor each.

    python -m bench.scaling [--pictures 600] [--workers 3]

PostgreSQL and Valkey are started for it, with an API node that orders and dispatches. Each worker is tied to a
processor, the first to the first; with more workers than processors they share, and that is told. The figure is the
ratio to one worker. There is no floor: it says what this machine gives.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from bench.figures import Figure, give
from bench.pictures import jpegs
from retinue.jobs.tables import Job
from retinue.vision import builtin_packages
from tests.accounts.people import Person
from tests.jobs.datasets import Picture
from tests.jobs.yard import Node, Yard, at
from tests.servers.postgres import own_postgres
from tests.servers.valkey import own_valkey

WARM_UP_PICTURES = 64
PATIENCE_S = 1800.0


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--pictures", type=int, default=600)
    asked.add_argument("--workers", type=int, default=3)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder, own_postgres(durable=True) as postgres, own_valkey() as valkey:
        builtin = Path(folder) / "builtin"
        builtin_packages(builtin)
        yard = Yard(Path(folder), postgres.url, builtin, valkey.url, lease_s=30, sent_s=60)
        try:
            speeds = asyncio.run(measure(yard, pictures=given.pictures, workers=given.workers))
        finally:
            yard.close()
    processors = len(os.sched_getaffinity(0))
    return give(
        "scaling",
        [
            Figure(
                f"{workers} workers on {processors} processors",
                round(speed / speeds[0], 2),
                "× one worker",
                remark=f"{speed:.1f} pictures/s",
            )
            for workers, speed in enumerate(speeds, 1)
        ],
    )


async def measure(yard: Yard, *, pictures: int, workers: int) -> list[float]:
    """Pictures per second with one worker, with two, and so on."""
    ada = await yard.person("ada@bench.example", _different(pictures))
    api, speeds = yard.start("api"), list[float]()
    for number in range(workers):
        with _tied_to(number):
            yard.start("worker", "--slots", "2")
        await _run(api, ada, up_to=WARM_UP_PICTURES * (number + 1))
        _forget_speed(yard)
        speeds.append(await _run(api, ada, up_to=pictures))
        _forget_speed(yard)
    return speeds


async def _run(api: Node, person: Person, *, up_to: int) -> float:
    async with at(api, person) as asking:
        order = {"dataset": "photos", "filter": {"to_index": up_to - 1}}
        ordered = (await asking.post("/api/v1/inferences", json=order)).json()
        path, deadline = f"/api/v1/inferences/{ordered['inference_id']}", time.monotonic() + PATIENCE_S
        while (job := (await asking.get(path)).json())["finished_at"] is None:
            assert time.monotonic() < deadline, job
            await asyncio.sleep(0.2)
    assert job["done"] == job["items"], job
    took = datetime.fromisoformat(job["finished_at"]) - datetime.fromisoformat(job["started_at"])
    return float(job["items"] / took.total_seconds())


def _forget_speed(yard: Yard) -> None:
    """Chunks of fifteen seconds would leave workers without one unless there were thousands of pictures."""
    with yard.database() as database:
        database.write_now(lambda now: now.execute(sa.update(Job).values(worked_ms=0)))


def _different(count: int) -> list[Picture]:
    """Bytes behind the end of a JPEG are ignored by all readers."""
    drawn = jpegs(min(count, 100), width=640, height=480)
    return [(f"{n:06}.jpg", drawn[n % len(drawn)] + b"%08d" % n) for n in range(count)]


@contextmanager
def _tied_to(number: int) -> Iterator[None]:
    """What is started meanwhile stays on one processor."""
    every = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {every[number % len(every)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, set(every))


if __name__ == "__main__":
    sys.exit(main())
