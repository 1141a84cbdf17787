"""What a colleague's live predictions feel of a large job: their p95 beside it, and on the same server without it.

    python -m bench.beside [--items 100000] [--rounds 3] [--seconds 5] [--clients 2]

The job's items are rows over two hundred pictures. Each round measures without the job, orders it, measures beside it
and aborts it; the figure is the median of the rounds' ratios. Ends with 1 above the ceiling, or with a wrong answer.
"""

import argparse
import asyncio
import re
import sys
import time
import urllib.request
from dataclasses import dataclass
from statistics import median

from bench.client import Tally, ask_all, request_of
from bench.figures import Figure, give
from bench.pictures import jpegs
from bench.server import Served, serving
from retinue.accounts.people import by_email
from retinue.base.database import Database, Transaction
from retinue.base.ids import new_id
from retinue.base.storage import open_storage
from retinue.datasets import life_cycle
from retinue.datasets.tables import Item
from retinue.media.keeping import Kept, claim_all, name_file

CEILING = 2.0
DIFFERENT = 200
ROWS_AT_ONCE = 5000
WARM_UP_S = 3.0
STARTS_WITHIN_S = 120.0
COUNTED = re.compile(r'retinue_predictions_total\{.*source="job"')


@dataclass(frozen=True)
class Round:
    """Milliseconds of one live prediction, and what the job did meanwhile."""

    alone_p95_ms: float
    beside_p95_ms: float
    ratio: float
    job_per_s: float
    wrong: int


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--items", type=int, default=100_000)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--seconds", type=float, default=5.0)
    asked.add_argument("--clients", type=int, default=2)
    given = asked.parse_args()
    with serving(rate_limit="1000000", rate_burst="100000") as server:
        owner, colleague = server.rich_person("owner"), server.rich_person("colleague")
        asyncio.run(fill(server, "owner@bench.example", given.items))
        requests = [
            request_of("/api/v1/predict?cache=false", picture, token=colleague, port=server.port)
            for picture in jpegs(64, width=640, height=480)
        ]
        _ask(server, requests, clients=given.clients, seconds=WARM_UP_S)
        rounds = [
            measure(server, owner, requests, clients=given.clients, seconds=given.seconds) for _ in range(given.rounds)
        ]
    remark = ", ".join(
        f"{one.beside_p95_ms:.0f} against {one.alone_p95_ms:.0f} ms beside {one.job_per_s:.0f} pictures/s"
        for one in rounds
    )
    ratio = round(median(one.ratio for one in rounds), 2)
    what = f"a colleague's p95 beside a job of {given.items:,} items"
    return give(
        "beside",
        [
            Figure(what, ratio, "× without it", CEILING, less_is_better=True, remark=remark),
            Figure("wrong answers", sum(one.wrong for one in rounds), "", 0, less_is_better=True),
        ],
    )


def measure(server: Served, owner: str, requests: list[bytes], *, clients: int, seconds: float) -> Round:
    alone = _ask(server, requests, clients=clients, seconds=seconds)
    ordered = server.ask("POST", "/api/v1/inferences", {"dataset": "large"}, token=owner)
    path = f"/api/v1/inferences/{ordered['inference_id']}"
    _until(server, f"{path}/status", owner, "RUNNING")
    began, before = time.monotonic(), _looked_at(server)
    beside = _ask(server, requests, clients=clients, seconds=seconds)
    took, after = time.monotonic() - began, _looked_at(server)
    server.ask("POST", f"{path}/abort", token=owner)
    _until(server, f"{path}/status", owner, "ABORTED")
    alone_ms, beside_ms = alone.percentile(0.95) * 1000, beside.percentile(0.95) * 1000
    job_per_s = (after - before) / took
    return Round(alone_ms, beside_ms, beside_ms / alone_ms, job_per_s, len(alone.wrong) + len(beside.wrong))


async def fill(server: Served, email: str, items: int) -> None:
    """Rows beside the running server: uploading as many pictures would take longer than everything else."""
    data = server.folder / "data"
    storage, database = open_storage(str(data / "files")), Database(f"sqlite:///{data / 'retinue.db'}")
    try:
        kept = [_named(database, n, picture) for n, picture in enumerate(jpegs(DIFFERENT, width=640, height=480))]
        await storage.put_many([(one.key, picture) for one, picture in kept])
        pictures = [one for one, _ in kept]
        dataset_id = await database.write(lambda now: _begin(now, email, pictures))
        for first in range(0, items, ROWS_AT_ONCE):
            numbers = range(first, min(first + ROWS_AT_ONCE, items))
            await database.write(lambda now, of=numbers: _add(now, dataset_id, pictures, of))  # type: ignore[misc]
    finally:
        database.close()


def _named(database: Database, number: int, picture: bytes) -> tuple[Kept, bytes]:
    told = {"filename": f"{number}.jpg", "mime_type": "image/jpeg", "extension": "jpg"}
    return name_file(picture, kind="item", at=database.clock.now(), size=(640, 480), **told), picture


def _begin(now: Transaction, email: str, pictures: list[Kept]) -> str:
    owner = by_email(now, email)
    assert owner is not None
    claim_all(now, owner.id, pictures)
    return life_cycle.create(now, owner.id, "large").id


def _add(now: Transaction, dataset_id: str, pictures: list[Kept], numbers: range) -> None:
    same = {"dataset_id": dataset_id, "group": "", "type": "image", "mask_name": None, "mask_id": None, "cost": 0}
    same |= {"width": 640, "height": 480, "created_at": now.time}
    rows = []
    for n in numbers:
        image = pictures[n % len(pictures)]
        own = {"id": new_id(now.time), "index": n, "name": f"{n}.jpg", "fingerprint": f"{n:032x}"}
        rows.append({**same, **own, "image_id": image.id, "size_bytes": image.size_bytes})
    now.insert(Item, rows)


def _ask(server: Served, requests: list[bytes], *, clients: int, seconds: float) -> Tally:
    return asyncio.run(ask_all(server.port, requests, clients=clients, seconds=seconds))


def _looked_at(server: Served) -> float:
    """Pictures that jobs have looked at, from the metrics: a job's own status counts whole chunks."""
    with urllib.request.urlopen(f"{server.address}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if COUNTED.match(line))


def _until(server: Served, path: str, owner: str, status: str) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while (told := server.ask("GET", path, token=owner))["status"] != status:
        assert time.monotonic() < deadline, told
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
