"""What is kept about work for later. The database is the only truth; what a broker carries may be lost at any time."""

from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from retinue.base.tables import Hundredths, Id, Row, Time

# A chunk that is one of these is somebody's to do, or to sweep.
OPEN_CHUNKS = ("ready", "sent", "leased")
HAS_CRASHED = sa.text("job_chunks.crashes > 0")  # word for word as in the index, so that a database sees it
OPEN_JOBS = ("planning", "ready", "running", "aborting")


class Job(Row):
    """planning → ready → running → done, or aborting → aborted. `manifest` is the frozen list of its items.

    `frames` of its items are frames of videos, which have a price of their own. `films_due`: once every frame has been
    looked at, its videos are to be put together again, by one more chunk each.

    `done`, `frames_done`, `failed` and `worked_ms` are sums over its chunks, kept beside them in the same transactions;
    `changes` numbers what happened to it.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        sa.CheckConstraint("done >= 0 AND failed >= 0 AND done + failed <= items", name="counts_fit"),
        sa.CheckConstraint(
            "state IN ('planning', 'ready', 'running', 'aborting', 'done', 'aborted')", name="known_state"
        ),
        sa.Index("ix_jobs_user_id_id", "user_id", "id"),
        sa.Index("ix_jobs_version_id_id", "version_id", "id"),
        sa.Index(
            "ix_jobs_open",
            "state",
            sqlite_where=sa.text("state IN ('planning', 'ready', 'running', 'aborting')"),
            postgresql_where=sa.text("state IN ('planning', 'ready', 'running', 'aborting')"),
        ),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    user_id: Mapped[Id] = mapped_column(sa.ForeignKey("users.id"))
    retry_of: Mapped[str | None] = mapped_column(sa.String(36))
    dataset_id: Mapped[str | None] = mapped_column(sa.String(36))
    dataset: Mapped[str]  # its name when the job began
    model: Mapped[str]
    version_id: Mapped[Id] = mapped_column(sa.ForeignKey("model_versions.id"))
    model_version: Mapped[str]
    task: Mapped[str]
    parameters: Mapped[dict[str, Any]]
    webhook: Mapped[str | None]
    state: Mapped[str] = mapped_column(sa.String(10))
    priority: Mapped[int] = mapped_column(sa.SmallInteger())
    pool: Mapped[str] = mapped_column(sa.String(8))
    price: Mapped[Hundredths]  # of one picture
    frame_price: Mapped[Hundredths] = mapped_column(server_default="0")
    held: Mapped[Hundredths]
    hold_id: Mapped[Id]
    items: Mapped[int]
    frames: Mapped[int] = mapped_column(server_default="0")
    films_due: Mapped[bool] = mapped_column(server_default=sa.false())
    chunk_items: Mapped[int]
    manifest: Mapped[str]
    manifest_bytes: Mapped[int] = mapped_column(sa.BigInteger())
    planned_items: Mapped[int]
    planned_bytes: Mapped[int] = mapped_column(sa.BigInteger())
    chunks: Mapped[int]
    done: Mapped[int]
    frames_done: Mapped[int] = mapped_column(server_default="0")
    failed: Mapped[int]
    worked_ms: Mapped[int] = mapped_column(sa.BigInteger())
    changes: Mapped[int]
    turn: Mapped[int] = mapped_column(sa.BigInteger())  # when it was last given a chunk, in turns of the dispatcher
    created_at: Mapped[Time]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    trouble: Mapped[str | None]  # why items failed whose own results cannot tell, because nobody knows what they were

    @property
    def status(self) -> str:
        """The state in the words of the API."""
        if self.state in {"planning", "ready"}:
            return "PENDING"
        if self.state in {"running", "aborting"}:
            return "RUNNING"
        if self.state == "aborted":
            return "ABORTED"
        return "COMPLETED" if self.done else "FAILED"

    @property
    def error(self) -> str | None:
        """What went wrong with the whole of it, in words for its owner."""
        return self.trouble or ("None of its items could be done" if self.status == "FAILED" else None)

    @property
    def progress(self) -> float:
        return round(100 * (self.done + self.failed) / self.items, 1)

    @property
    def cost(self) -> int:
        """What was charged so far."""
        return cost_of(self, done=self.done, frames_done=self.frames_done)

    def is_over(self) -> bool:
        return self.state in {"done", "aborted"}

    def is_aborting(self) -> bool:
        return self.state == "aborting"


class Prices(Protocol):
    """Whatever knows what one picture and one frame cost."""

    @property
    def price(self) -> int: ...
    @property
    def frame_price(self) -> int: ...


def cost_of(prices: Prices, *, done: int, frames_done: int) -> int:
    return (done - frames_done) * prices.price + frames_done * prices.frame_price


class Chunk(Row):
    """A range of a job's manifest: ready → sent → leased → done, failed, cancelled or split, and back to ready.

    With a `film`, the index of a video in its dataset, it has no items: it puts that video together from what its
    frames became.

    `epoch` grows at every dispatch and fences off whoever held the chunk before.
    """

    __tablename__ = "job_chunks"
    __table_args__ = (
        sa.CheckConstraint(
            "state IN ('ready', 'sent', 'leased', 'done', 'failed', 'cancelled', 'split')", name="known_state"
        ),
        sa.Index("ix_job_chunks_state_until", "state", "until"),
        sa.Index(
            "ix_job_chunks_ready",
            "job_id",
            "number",
            sqlite_where=sa.text("state = 'ready'"),
            postgresql_where=sa.text("state = 'ready'"),
        ),
        sa.Index(
            "ix_job_chunks_crashed",
            "state",
            sqlite_where=sa.text("crashes > 0"),
            postgresql_where=sa.text("crashes > 0"),
        ),
    )

    job_id: Mapped[Id] = mapped_column(sa.ForeignKey("jobs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    first_item: Mapped[int]
    items: Mapped[int]
    first_byte: Mapped[int] = mapped_column(sa.BigInteger())
    end_byte: Mapped[int] = mapped_column(sa.BigInteger())
    state: Mapped[str] = mapped_column(sa.String(10))
    epoch: Mapped[int]
    tries: Mapped[int]
    crashes: Mapped[int]
    owner: Mapped[str | None]
    until: Mapped[Time]
    done: Mapped[int]
    frames_done: Mapped[int] = mapped_column(server_default="0")
    failed: Mapped[int]
    film: Mapped[int | None]

    @property
    def part(self) -> str:
        """Its name in the ledger: a hold is charged once per part."""
        return str(self.number)


class ItemResult(Row):
    """What became of one item: its prediction, or why there is none. Written with its chunk's charge.

    `change` is the job's at that moment: in this order a reader of a running job misses nothing that comes later.
    """

    __tablename__ = "job_results"
    __table_args__ = (
        sa.Index("ix_job_results_prediction_id", "prediction_id"),
        sa.Index("ix_job_results_job_id_change_position", "job_id", "change", "position"),
    )

    job_id: Mapped[Id] = mapped_column(sa.ForeignKey("jobs.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    chunk: Mapped[int]
    change: Mapped[int]
    item_index: Mapped[int]  # in the dataset
    name: Mapped[str]
    image_id: Mapped[str] = mapped_column(sa.String(36))
    frame: Mapped[int | None]  # of a video: which of the frames taken, and its time
    time_s: Mapped[float | None]
    prediction_id: Mapped[str | None] = mapped_column(sa.String(36))
    code: Mapped[str | None]
    reason: Mapped[str | None]


class JobVideo(Row):
    """A video whose frames are items of a job, one after the other, and the film that they became, if they did."""

    __tablename__ = "job_videos"

    job_id: Mapped[Id] = mapped_column(sa.ForeignKey("jobs.id"), primary_key=True)
    item_index: Mapped[int] = mapped_column(primary_key=True)  # in the dataset
    name: Mapped[str]
    first_item: Mapped[int]
    frames: Mapped[int]
    duration_s: Mapped[float]
    output_id: Mapped[str | None] = mapped_column(sa.String(36))


class JobEvent(Row):
    """What happened to a job, in order: whoever watches may come back and read on."""

    __tablename__ = "job_events"

    job_id: Mapped[Id] = mapped_column(sa.ForeignKey("jobs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(16))
    facts: Mapped[dict[str, Any]]
    created_at: Mapped[Time]


class Worker(Row):
    """A process that takes chunks; alive while it says so."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(primary_key=True)
    pool: Mapped[str] = mapped_column(sa.String(8))
    device: Mapped[str]
    slots: Mapped[int]  # 0 while it drains
    models: Mapped[list[str]]
    started_at: Mapped[Time]
    seen_at: Mapped[Time]
