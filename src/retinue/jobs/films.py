"""How an inpainted video becomes a film again: one more chunk each, once all of its frames have been looked at.

The chunk is claimed, renewed and committed like any other, has no items and costs nothing. The film is made from the
frames as they were kept, so that whoever makes it again after a crash makes the same one.
"""

import asyncio
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from retinue.base.database import Transaction
from retinue.base.storage import Storage
from retinue.jobs.manifests import Place
from retinue.jobs.planning import new_chunk
from retinue.jobs.tables import OPEN_CHUNKS, Chunk, ItemResult, Job, JobVideo
from retinue.media import keeping
from retinue.media.keeping import Kept, keep_path
from retinue.media.tables import Asset
from retinue.predictions.road import Road
from retinue.predictions.tables import Prediction
from retinue.vision.images import decode
from retinue.vision.video import encode_video

FETCH_WITHIN_S = 60


class WorkLost(Exception):
    """Somebody else may have the chunk by now; nothing is left of the film that was begun."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A frame as it became, and its time in the film."""

    time_s: float
    key: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Cut:
    """Everything a film is made of."""

    name: str
    duration_s: float
    pieces: Sequence[Piece]


def plan_films(now: Transaction, job_id: str) -> bool:
    """Once, when the last frame has been looked at. False where there is nothing to plan, or others were faster."""
    is_open = sa.exists().where(Chunk.job_id == job_id, Chunk.state.in_(OPEN_CHUNKS))
    due = sa.update(Job).where(Job.id == job_id, Job.state == "running", Job.films_due, ~is_open)
    if not now.changed(due.values(films_due=False)):
        return False
    made = sa.exists().where(
        ItemResult.job_id == job_id,
        ItemResult.item_index == JobVideo.item_index,
        ItemResult.prediction_id.is_not(None),
    )
    videos = now.all(sa.select(JobVideo).where(JobVideo.job_id == job_id, made).order_by(JobVideo.item_index))
    job = now.first(sa.select(Job).where(Job.id == job_id))
    assert job is not None, "it was just changed"
    nowhere = Place(job.manifest, 0, 0, 0)
    rows = [new_chunk(now, job_id, job.chunks + n, nowhere, 0, film=video.item_index) for n, video in enumerate(videos)]
    if rows:
        now.insert(Chunk, rows)
        now.execute(sa.update(Job).where(Job.id == job_id).values(chunks=Job.chunks + len(rows)))
    return bool(rows)


def cut_of(now: Transaction, job_id: str, item_index: int) -> Cut:
    """Frames that failed are left out: the one before them stays on screen."""
    video = now.first(sa.select(JobVideo).where(JobVideo.job_id == job_id, JobVideo.item_index == item_index))
    assert video is not None, "a film chunk names a video of its job"
    frames = (
        sa.select(ItemResult.time_s, Asset.key, Asset.width, Asset.height)
        .join(Prediction, Prediction.id == ItemResult.prediction_id)
        .join(Asset, Asset.id == Prediction.output_id)
        .where(ItemResult.job_id == job_id, ItemResult.item_index == item_index, Asset.deleted_at.is_(None))
        .order_by(ItemResult.position)
    )
    pieces = [Piece(row.time_s, row.key, row.width, row.height) for row in now.rows(frames)]
    return Cut(video.name, video.duration_s, pieces)


async def make_film(road: Road, cut: Cut, *, is_lost: Callable[[], bool]) -> Kept | None:
    """Written, and nobody's until `keep_film`. None where every frame was deleted meanwhile."""
    if not cut.pieces:
        return None
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory(prefix="film-") as folder:
        path = Path(folder) / "film.mp4"
        await asyncio.to_thread(_encode, road.storage, cut, path, loop, is_lost)
        return await keep_path(
            road.storage,
            path,
            kind="output",
            at=road.clock.now(),
            filename=f"{Path(cut.name).stem}-inpainted.mp4",
            mime_type="video/mp4",
            extension="mp4",
            size=(cut.pieces[0].width, cut.pieces[0].height),
        )


def keep_film(now: Transaction, job_id: str, user_id: str, item_index: int, film: Kept | None) -> None:
    if film is None:
        return
    keeping.claim_all(now, user_id, [film])
    whose = sa.update(JobVideo).where(JobVideo.job_id == job_id, JobVideo.item_index == item_index)
    now.execute(whose.values(output_id=film.id))


def _encode(
    storage: Storage, cut: Cut, path: Path, loop: asyncio.AbstractEventLoop, is_lost: Callable[[], bool]
) -> None:
    def pictures() -> Iterator[tuple[float, NDArray[np.uint8]]]:
        for piece in cut.pieces:
            if is_lost():
                raise WorkLost
            data = asyncio.run_coroutine_threadsafe(storage.get(piece.key), loop).result(FETCH_WITHIN_S)
            yield piece.time_s, decode(data).pixels

    encode_video(pictures(), path, duration_s=cut.duration_s)
