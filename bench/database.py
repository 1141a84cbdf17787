"""The database's own figure: 32 clients writing a row each through the coalescing writer, one of them refused alone.

python -m bench.database [--url URL]
"""

import argparse
import asyncio
import sys
import tempfile
import time
from statistics import median
from typing import Any

import sqlalchemy as sa

from bench.figures import Figure, give
from retinue.base.database import Database, Transaction

CLIENTS, ROWS_EACH, ROUNDS = 32, 300, 5
FLOOR_ROWS, CEILING_P95_MS = 5000, 10.0

rows = sa.Table(
    "bench_rows",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("words", sa.Text, sa.CheckConstraint("words <> 'refused'"), nullable=False),
)


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--url", default="", help="postgresql+psycopg://…; unset: SQLite in a temporary folder")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = measure(given.url or f"sqlite:///{folder}/bench.db")
    speed = f"p50 {told['p50_ms']} ms, {told['cpu_us']} µs of processor a row"
    kind = told["kind"]
    return give(
        "database",
        [
            Figure(f"{kind}: durable rows", round(told["rows_per_second"]), "rows/s", FLOOR_ROWS, remark=speed),
            Figure(f"{kind}: p95 of a write", told["p95_ms"], "ms", CEILING_P95_MS, less_is_better=True),
            Figure(f"{kind}: refused alone", told["refused"], f"of {ROUNDS}", ROUNDS),
        ],
    )


def measure(url: str) -> dict[str, Any]:
    database = Database(url)
    try:
        with database.alone() as connection:
            rows.drop(connection, checkfirst=True)
            rows.create(connection)
        rounds = [asyncio.run(_round(database)) for _ in range(ROUNDS)]
        with database.alone() as connection:
            rows.drop(connection)
    finally:
        database.close()
    return {
        "kind": "sqlite" if database.is_sqlite else "postgresql",
        "rows_per_second": median(one["rows_per_second"] for one in rounds),
        "p50_ms": round(median(one["p50_ms"] for one in rounds), 2),
        "p95_ms": round(median(one["p95_ms"] for one in rounds), 2),
        "cpu_us": round(median(one["cpu_us"] for one in rounds)),
        "refused": sum(one["refused"] for one in rounds),
    }


async def _round(database: Database) -> dict[str, float]:
    took: list[float] = []
    refused = 0

    def write(words: str) -> Any:
        def insert(now: Transaction) -> None:
            now.execute(sa.insert(rows), {"words": words})

        return insert

    async def client(number: int) -> None:
        nonlocal refused
        for turn in range(ROWS_EACH):
            began = time.perf_counter()
            try:
                await database.write(write("refused" if (number, turn) == (7, 7) else "kept" * 8))
            except sa.exc.IntegrityError:
                refused += 1
            took.append(time.perf_counter() - began)

    began, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    took.sort()
    return {
        "rows_per_second": len(took) / seconds,
        "p50_ms": took[len(took) // 2] * 1000,
        "p95_ms": took[int(len(took) * 0.95)] * 1000,
        "cpu_us": cpu / len(took) * 1e6,
        "refused": refused,
    }


if __name__ == "__main__":
    sys.exit(main())
