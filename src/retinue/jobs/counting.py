"""What Prometheus is told about jobs, read from their table: every node tells the numbers of the whole house."""

from collections import Counter
from collections.abc import Iterator

import sqlalchemy as sa
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from retinue.base.database import Database, DatabaseUnavailable, Transaction
from retinue.jobs.tables import Job

STATUSES = ("PENDING", "RUNNING", "COMPLETED", "FAILED", "ABORTED")


class JobMetrics(Collector):
    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[Metric]:
        try:
            counted = self._database.read_now(jobs_by_status)
        except DatabaseUnavailable:
            return  # the health check says so; a scrape must not fail with it
        jobs = GaugeMetricFamily("retinue_jobs", "Jobs by status, since the first day", labels=["status"])
        for status in STATUSES:
            jobs.add_metric([status], counted[status])
        yield jobs

    def describe(self) -> list[Metric]:
        """Known without asking the database, which may have no tables yet."""
        return []


def jobs_by_status(now: Transaction) -> Counter[str]:
    has_done = (Job.done > 0).label("has_done")
    counted: Counter[str] = Counter()
    for row in now.rows(sa.select(Job.state, has_done, sa.func.count().label("jobs")).group_by(Job.state, has_done)):
        counted[Job(state=row.state, done=int(row.has_done)).status] += row.jobs
    return counted


def tell(registry: CollectorRegistry, database: Database) -> None:
    registry.register(JobMetrics(database))
