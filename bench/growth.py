"""How history and ledger answer as they grow from 10³ to 10⁶ rows: page 1, deep in, filtered, the balance.

    python -m bench.growth [--url URL] [--most 1000000]

One person has all of the rows. Times are of the database's work (`db.read` from an event loop), median and p95.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.figures import Figure, give
from retinue import assembly
from retinue.accounts import people
from retinue.accounts.people import Newcomer
from retinue.base.database import Transaction
from retinue.base.ids import new_id
from retinue.base.paging import Asked, cursor_of
from retinue.base.settings import Settings
from retinue.catalog.tables import Version
from retinue.credits import ledger
from retinue.credits.tables import Account, Entry
from retinue.media.tables import Asset
from retinue.predictions import history
from retinue.predictions.history import Filters
from retinue.predictions.tables import Prediction, PredictionCount

SIZES = (1_000, 10_000, 100_000, 1_000_000)
AT_ONCE = 10_000
TIMES = 60
CEILING_P95_MS = 20.0
LABELS = ("espresso", "tabby", "missile", "wrench")


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--url", default="", help="postgresql://…, an empty database; unset: SQLite")
    asked.add_argument("--most", type=int, default=SIZES[-1])
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        house = assembly.open_house(Settings(data_dir=Path(folder), database_url=given.url))
        try:
            assembly.prepare(house)
            curve = [asyncio.run(measure(house, grown)) for grown in grow(house, given.most)]
        finally:
            house.close()
    return give("growth", list(figures_of(curve)))


def figures_of(curve: Sequence[dict[str, Any]]) -> Iterator[Figure]:
    """At the most rows, beside the fewest."""
    few, many = curve[0], curve[-1]
    for name, ms in many["p95_ms"].items():
        beside = f"p50 {many['p50_ms'][name]} ms; with {few['rows']:,} rows {few['p50_ms'][name]} ms"
        what = f"{name}, {many['rows']:,} rows, p95"
        yield Figure(what, ms, "ms", CEILING_P95_MS, less_is_better=True, remark=beside)


class Grown:
    """One person, and how many rows they have by now."""

    def __init__(self, user_id: str, rows: int) -> None:
        self.user_id, self.rows = user_id, rows


def grow(house: assembly.House, most: int) -> Iterator[Grown]:
    user = house.database.write_now(lambda now: _somebody(house, now))
    rows = 0
    for size in (size for size in SIZES if size <= most):
        while rows < size:
            count = min(AT_ONCE, size - rows)
            house.database.write_now(lambda now, count=count, rows=rows: add(now, user, count, rows))  # type: ignore[misc]
            rows += count
        if not house.database.is_sqlite:
            _vacuum(house)
        yield Grown(user, rows)


def add(
    now: Transaction, user_id: str, count: int, before: int, *, begins: datetime | None = None, ms: int = 10
) -> None:
    """Predictions, their picture, and a charge each, as the live road leaves them: one every so many milliseconds."""
    version = now.first(sa.select(Version).where(Version.origin == "builtin"))
    assert version is not None
    image = _image(now, user_id)
    begins = (begins or now.time) + timedelta(milliseconds=ms * before)
    has = ledger.balance(now, user_id).balance
    number = now.value(sa.select(Account.entries).where(Account.user_id == user_id)) or 0
    predictions, entries = [], []
    for n in range(count):
        at = begins + timedelta(milliseconds=ms * n)
        label = LABELS[(before + n) % 1000 % len(LABELS)]
        predictions.append(_prediction(new_id(at), user_id, image, version.id, label, at))
        entries.append(_entry(new_id(at), user_id, number + n + 1, has, at))
    now.insert(Prediction, predictions)
    now.insert(Entry, entries)
    now.execute(sa.update(Account).where(Account.user_id == user_id).values(entries=number + count))
    mine = sa.update(PredictionCount).where(PredictionCount.user_id == user_id)
    now.execute(mine.values(total=PredictionCount.total + count))


async def measure(house: assembly.House, grown: Grown) -> dict[str, Any]:
    user = grown.user_id
    deep = await house.database.read(lambda now: _cursor_at(now, user, grown.rows // 2))
    everything, filtered = Filters(user), Filters(user, model="efficientnet-lite0", label="wrench")
    questions: dict[str, Callable[[Transaction], Any]] = {
        "page 1": lambda now: history.list_predictions(now, everything, Asked(50, None), page=1),
        "deep cursor": lambda now: history.list_predictions(now, everything, Asked(50, deep), page=None),
        "filtered": lambda now: history.list_predictions(now, filtered, Asked(50, None), page=1),
        "balance": lambda now: ledger.balance(now, user),
    }
    told: dict[str, Any] = {"rows": grown.rows, "p50_ms": {}, "p95_ms": {}}
    for name, question in questions.items():
        took = sorted([await _time(house, question) for _ in range(TIMES)])
        told["p50_ms"][name] = round(took[TIMES // 2] * 1000, 2)
        told["p95_ms"][name] = round(took[int(TIMES * 0.95)] * 1000, 2)
    print(f"{grown.rows:>9} rows: " + ", ".join(f"{name} {ms} ms" for name, ms in told["p95_ms"].items()) + " (p95)")
    return told


async def _time(house: assembly.House, question: Callable[[Transaction], Any]) -> float:
    began = time.perf_counter()
    await house.database.read(question)
    return time.perf_counter() - began


def _vacuum(house: assembly.House) -> None:
    """What PostgreSQL does by itself within minutes of so many inserts; a bench does not wait for it."""
    engine = sa.create_engine(house.database.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("VACUUM (ANALYZE)"))
    engine.dispose()


def _somebody(house: assembly.House, now: Transaction) -> str:
    made = people.sign_up(now, Newcomer("grown@bench.example", "-"), then=house.accounts.after_sign_up)
    now.insert(PredictionCount, {"user_id": made.id, "total": 0})
    return str(made.id)


def _cursor_at(now: Transaction, user_id: str, depth: int) -> str | None:
    statement = Filters(user_id).narrow(sa.select(Prediction.id)).order_by(Prediction.id.desc())
    found = now.value(statement.offset(depth).limit(1))
    return cursor_of(found, of="predictions") if found else None


def _image(now: Transaction, user_id: str) -> str:
    if known := now.value(sa.select(Asset.id)):
        return known
    row = {
        "id": new_id(now.time),
        "owner_id": user_id,
        "kind": "original",
        "key": "images/bench.jpg",
        "sha256": "0" * 64,
    }
    shape = {
        "filename": "bench.jpg",
        "mime_type": "image/jpeg",
        "size_bytes": 1,
        "width": 1,
        "height": 1,
        "generation": 0,
    }
    now.insert(Asset, {**row, **shape, "created_at": now.time, "used_at": now.time})
    return row["id"]


def _prediction(
    prediction_id: str, user_id: str, image_id: str, version_id: str, label: str, at: Any
) -> dict[str, Any]:
    scores = [{"label": label, "class_id": 1, "score": 0.9}, {"label": "other", "class_id": 2, "score": 0.05}]
    return {
        "id": prediction_id,
        "user_id": user_id,
        "image_id": image_id,
        "version_id": version_id,
        "model": "efficientnet-lite0",
        "model_version": "1",
        "task": "classify",
        "source": "api",
        "filename": "bench.jpg",
        "label": label,
        "score": 0.9,
        "result": {"classes": scores},
        "parameters": {"top_k": 5},
        "receipt": {"package": "0" * 64, "runtime": {"onnxruntime": "1"}},
        "timing": {"decode": 1.0, "queue": 0.1, "model": 7.0, "total": 8.1},
        "cost": 0,
        "cached": False,
        "created_at": at,
    }


def _entry(entry_id: str, user_id: str, number: int, has: int, at: Any) -> dict[str, Any]:
    return {
        "id": entry_id,
        "user_id": user_id,
        "number": number,
        "kind": "charge",
        "amount": 0,
        "balance_before": has,
        "balance_after": has,
        "held_before": 0,
        "held_after": 0,
        "operation": "prediction",
        "operation_id": entry_id,
        "hold_id": entry_id,
        "part": "",
        "actor": user_id,
        "description": "bench",
        "created_at": at,
    }


if __name__ == "__main__":
    sys.exit(main())
