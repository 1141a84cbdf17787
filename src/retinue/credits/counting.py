"""What Prometheus is told about credits, read from the ledger itself, so that the two cannot differ.

Every node tells the same numbers: those of the whole house since its first day. Take `max by (operation)`, not a sum.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from retinue.base.database import Database, DatabaseUnavailable, Transaction
from retinue.base.ids import first_id_at
from retinue.credits.shapes import as_credits
from retinue.credits.tables import Entry, OpenHold

# A sum over a million entries takes 0.3 s, over the last ten minutes of a busy server 10 ms; no write takes that long.
SETTLED_AFTER = timedelta(minutes=10)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class LedgerMetrics(Collector):
    def __init__(self, database: Database) -> None:
        self._database = database
        self._settled: Counter[str] = Counter()
        self._settled_until: datetime | None = None
        self._lock = threading.Lock()  # two scrapes at once must not add the same entries twice

    def collect(self) -> Iterator[Metric]:
        try:
            with self._lock:
                charged, open_holds, overdue_s = self._database.read_now(self._look)
        except DatabaseUnavailable:
            return  # the health check says so; a scrape must not fail with it
        credits_charged = CounterMetricFamily(
            "retinue_credits", "Credits charged since the first day", labels=["operation"]
        )
        for operation, hundredths in charged.items():
            credits_charged.add_metric([operation], as_credits(hundredths))
        yield credits_charged
        yield GaugeMetricFamily("retinue_open_holds", "Holds that are neither settled nor released", open_holds)
        yield GaugeMetricFamily("retinue_oldest_live_hold_overdue_seconds", "0 while holds end in time", overdue_s)

    def describe(self) -> list[Metric]:
        """Known without asking the database, which may have no tables yet."""
        return []

    def _look(self, now: Transaction) -> tuple[Counter[str], int, float]:
        until = max(now.time - SETTLED_AFTER, self._settled_until or EPOCH)  # a clock may be set back
        self._settled += _charged(now, since=self._settled_until, until=until)
        self._settled_until = until
        fresh = _charged(now, since=until)
        holds = now.value(sa.select(sa.func.count()).select_from(OpenHold)) or 0
        due = now.value(sa.select(sa.func.min(OpenHold.expires_at)))
        return self._settled + fresh, holds, max(0.0, (now.time - due).total_seconds()) if due else 0.0


def tell(registry: CollectorRegistry, database: Database) -> None:
    registry.register(LedgerMetrics(database))


def _charged(now: Transaction, *, since: datetime | None, until: datetime | None = None) -> Counter[str]:
    wanted = sa.select(Entry.operation, sa.func.sum(Entry.amount).label("amount")).where(Entry.kind == "charge")
    if since is not None:
        wanted = wanted.where(Entry.id >= first_id_at(since))
    if until is not None:
        wanted = wanted.where(Entry.id < first_id_at(until))
    return Counter({row.operation: int(row.amount) for row in now.rows(wanted.group_by(Entry.operation))})
