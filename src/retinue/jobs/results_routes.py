"""What an inference found: in pages while it runs, and as one download."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from retinue.base.database import Database, Transaction
from retinue.base.paging import Paging, cursor_of
from retinue.base.parts import part
from retinue.base.storage import Storage
from retinue.jobs.downloading import as_coco, as_jsonl, as_zip
from retinue.jobs.results import Result, film_path, results_after, videos_of
from retinue.jobs.routes import Db, Reader, whose
from retinue.jobs.settling import job_of
from retinue.jobs.tables import Job, JobVideo
from retinue.media.links import AssetAddress, Links
from retinue.predictions.remembering import answer_of
from retinue.predictions.shapes import PredictionAnswer

routes = APIRouter(prefix="/api/v1/inferences", tags=["inferences"])
Format = Literal["zip", "jsonl", "coco"]
KINDS: dict[Format, str] = {"zip": "application/zip", "jsonl": "application/jsonl", "coco": "application/json"}
ENDINGS: dict[Format, str] = {"zip": "zip", "jsonl": "jsonl", "coco": "json"}


class ImageResult(BaseModel):
    index: int
    original_path: str
    output_path: str | None
    output_url: str | None
    prediction: PredictionAnswer | None


class FrameResult(BaseModel):
    frame: int
    time_s: float
    output_path: str | None
    output_url: str | None
    prediction: PredictionAnswer | None


class VideoResult(BaseModel):
    """A video and those of its frames that are on this page; the film once it is made."""

    index: int
    original_path: str
    duration_s: float
    frames_total: int
    output_path: str | None
    output_url: str | None
    frames: list[FrameResult]


class FailedItem(BaseModel):
    index: int
    original_path: str
    frame: int | None
    time_s: float | None
    code: str
    reason: str


class Results(BaseModel):
    images: list[ImageResult]
    videos: list[VideoResult]
    failed: list[FailedItem]
    next_cursor: str | None


@routes.get("/{inference_id}/results", response_model=Results)
async def list_results(
    inference_id: str, db: Db, links: Annotated[Links, part(Links)], caller: Reader, asked: Paging
) -> Response:
    """As they came in. While it runs there is always a `next_cursor`: what comes later is found behind it."""
    after = asked.after(int, int, of="results") or (0, -1)

    def look(now: Transaction) -> tuple[Job, list[Result], dict[int, JobVideo]]:
        job = job_of(now, inference_id, user_id=whose(caller))
        found = results_after(now, job.id, *after, at_most=asked.limit + 1)
        return job, found, videos_of(now, job.id, found)

    job, found, videos = await db.read(look)
    page, next_cursor = asked.cut(found, lambda one: (one.row.change, one.row.position), of="results")
    if next_cursor is None and not job.is_over():
        last = (page[-1].row.change, page[-1].row.position) if page else after
        next_cursor = cursor_of(*last, of="results")
    answer = {
        "images": [_image(one, links) for one in page if one.row.code is None and one.row.frame is None],
        "videos": [_video(videos[index], frames, job.user_id, links) for index, frames in _by_video(page).items()],
        "failed": [_failed(one) for one in page if one.row.code is not None],
        "next_cursor": next_cursor,
    }
    return Response(orjson.dumps(answer), media_type="application/json")


@routes.get(
    "/{inference_id}/download",
    response_class=StreamingResponse,
    responses={200: {"content": {kind: {} for kind in KINDS.values()}}},
)
async def download_results(
    inference_id: str,
    db: Annotated[Database, part(Database)],
    storage: Annotated[Storage, part(Storage)],
    caller: Reader,
    format: Format = "zip",  # noqa: A002 the parameter's name in the API
    annotated: Annotated[bool, Query(description="ZIP: also the pictures with their answers drawn on them.")] = False,
) -> StreamingResponse:
    """Everything there is so far, in the order of the dataset."""
    job = await db.read(lambda now: job_of(now, inference_id, user_id=whose(caller)))
    body: AsyncIterator[bytes]
    if format == "zip":
        body = as_zip(db, storage, job, annotated=annotated)
    else:
        body = {"jsonl": as_jsonl, "coco": as_coco}[format](db, job)
    name = f"inference-{job.id}.{ENDINGS[format]}"
    return StreamingResponse(
        body, media_type=KINDS[format], headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _image(one: Result, links: Links) -> dict[str, Any]:
    return {"index": one.row.item_index, "original_path": one.row.name, **_answer(one, links)}


def _answer(one: Result, links: Links) -> dict[str, Any]:
    prediction = one.prediction
    output = prediction.output_id if prediction else None
    return {
        "output_path": one.output_path,
        "output_url": links.to(AssetAddress(output, prediction.user_id)) if prediction and output else None,
        "prediction": answer_of(vars(prediction), links) if prediction else None,
    }


def _by_video(page: list[Result]) -> dict[int, list[Result]]:
    frames: dict[int, list[Result]] = {}
    for one in page:
        if one.row.frame is not None and one.row.code is None:
            frames.setdefault(one.row.item_index, []).append(one)
    return frames


def _video(video: JobVideo, frames: list[Result], user_id: str, links: Links) -> dict[str, Any]:
    return {
        "index": video.item_index,
        "original_path": video.name,
        "duration_s": video.duration_s,
        "frames_total": video.frames,
        "output_path": film_path(video),
        "output_url": links.to(AssetAddress(video.output_id, user_id)) if video.output_id else None,
        "frames": [{"frame": one.row.frame, "time_s": one.row.time_s, **_answer(one, links)} for one in frames],
    }


def _failed(one: Result) -> dict[str, Any]:
    row = one.row
    told = {"index": row.item_index, "original_path": row.name, "frame": row.frame, "time_s": row.time_s}
    return {**told, "code": row.code, "reason": row.reason}
