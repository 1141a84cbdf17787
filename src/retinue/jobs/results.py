"""What became of each item, as rows: written with their chunk, read in pages while the job still runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from retinue.base.database import Transaction
from retinue.jobs.chunks import Progress
from retinue.jobs.manifests import Item
from retinue.jobs.tables import ItemResult, Job, JobVideo
from retinue.predictions.remembering import remember_many
from retinue.predictions.road import Look
from retinue.predictions.tables import Prediction


@dataclass(frozen=True, slots=True)
class Answered:
    item: Item
    look: Look


@dataclass(frozen=True, slots=True)
class Refused:
    item: Item
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Result:
    """What is read again. Without a prediction the item failed, or its prediction was deleted since."""

    row: ItemResult
    prediction: Prediction | None

    @property
    def stem(self) -> str:
        """What files made from it are called in the download, but for their ending."""
        stem = self.row.name.rsplit(".", 1)[0]
        return stem if self.row.frame is None else f"{stem}/frame_{self.row.frame:06d}"

    @property
    def output_path(self) -> str | None:
        """Where a made picture lies in the download."""
        return f"{self.stem}.png" if self.prediction and self.prediction.output_id else None


def remember_results(
    now: Transaction, job: Progress, chunk: int, answered: Sequence[Answered], refused: Sequence[Refused]
) -> None:
    looks = [
        (one.look, one.item.entry.image_id, job.frame_price if one.item.entry.shot else job.price) for one in answered
    ]
    rows = remember_many(now, looks, user_id=job.user_id, hold_id=job.hold_id)
    told = [_row(job, chunk, one.item, prediction_id=row["id"]) for one, row in zip(answered, rows, strict=True)] + [
        _row(job, chunk, one.item, code=one.code, reason=one.reason) for one in refused
    ]
    now.insert(ItemResult, told)


def remember_failures(
    now: Transaction, job: Progress, chunk: int, items: Sequence[Item], code: str, reason: str
) -> None:
    """Where nobody knows what the items were, the job itself tells what became of them."""
    if not items:
        now.execute(sa.update(Job).where(Job.id == job.id).values(trouble=reason))
    else:
        now.insert(ItemResult, [_row(job, chunk, item, code=code, reason=reason) for item in items])


def results_after(now: Transaction, job_id: str, change: int, position: int, *, at_most: int) -> list[Result]:
    """As they came in, so that whoever reads while the job runs misses nothing."""
    later = sa.tuple_(ItemResult.change, ItemResult.position) > sa.tuple_(sa.literal(change), sa.literal(position))
    wanted = sa.select(ItemResult).where(ItemResult.job_id == job_id, later)
    return _with_predictions(now, now.all(wanted.order_by(ItemResult.change, ItemResult.position).limit(at_most)))


def results_from(now: Transaction, job_id: str, position: int, *, at_most: int) -> list[Result]:
    """In the order of the dataset."""
    wanted = sa.select(ItemResult).where(ItemResult.job_id == job_id, ItemResult.position >= position)
    return _with_predictions(now, now.all(wanted.order_by(ItemResult.position).limit(at_most)))


def failed_from(now: Transaction, job_id: str, position: int, *, at_most: int) -> list[ItemResult]:
    wanted = sa.select(ItemResult).where(
        ItemResult.job_id == job_id, ItemResult.position >= position, ItemResult.prediction_id.is_(None)
    )
    return now.all(wanted.order_by(ItemResult.position).limit(at_most))


def videos_of(now: Transaction, job_id: str, found: Sequence[Result]) -> dict[int, JobVideo]:
    """The videos whose frames these are, by their index in the dataset."""
    indexes = {one.row.item_index for one in found if one.row.frame is not None}
    if not indexes:
        return {}
    wanted = sa.select(JobVideo).where(JobVideo.job_id == job_id, JobVideo.item_index.in_(indexes))
    return {video.item_index: video for video in now.all(wanted)}


def film_path(video: JobVideo) -> str | None:
    """Where a made film lies in the download."""
    return f"{video.name.rsplit('.', 1)[0]}.mp4" if video.output_id else None


def _with_predictions(now: Transaction, found: list[ItemResult]) -> list[Result]:
    ids = [row.prediction_id for row in found if row.prediction_id]
    kept = sa.select(Prediction).where(Prediction.id.in_(ids), Prediction.deleted_at.is_(None))
    predictions = {row.id: row for row in now.all(kept)}
    return [Result(row, predictions.get(row.prediction_id or "")) for row in found]


def _row(job: Progress, chunk: int, item: Item, **told: Any) -> dict[str, Any]:
    return {
        "job_id": job.id,
        "position": item.position,
        "chunk": chunk,
        "change": job.changes,
        "item_index": item.entry.index,
        "name": item.entry.name,
        "image_id": item.entry.image_id,
        "frame": item.entry.shot.number if item.entry.shot else None,
        "time_s": item.entry.shot.time_s if item.entry.shot else None,
        "prediction_id": told.get("prediction_id"),
        "code": told.get("code"),
        "reason": told.get("reason"),
    }
