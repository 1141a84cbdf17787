"""A job's results as one file, streamed page by page: JSON lines, COCO, or a ZIP with the pictures that were made."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson
import sqlalchemy as sa
from zipstream import ZipStream

from retinue.base.database import Database, Transaction
from retinue.base.storage import ObjectMissing, Storage
from retinue.jobs.results import Result, results_from
from retinue.jobs.tables import Job, JobVideo
from retinue.media.tables import Asset
from retinue.predictions.annotated import draw_answer
from retinue.predictions.originals import Originals
from retinue.predictions.tables import Prediction

PAGE = 200
READ_BYTES = 1 << 20


async def as_jsonl(database: Database, job: Job) -> AsyncIterator[bytes]:
    async for page in _pages(database, job):
        yield b"".join(_line(one) for one in page)


async def as_coco(database: Database, job: Job) -> AsyncIterator[bytes]:
    """Boxes and run lengths as pycocotools reads them. An image's id is its place in the job, counted from one."""
    labels: dict[int, str] = {}
    yield b'{"images":['
    begun = False
    async for page in _pages(database, job):
        if images := await database.read(lambda now, page=page: _coco_images(now, page)):  # type: ignore[misc]
            yield (b"," if begun else b"") + orjson.dumps(images)[1:-1]
            begun = True
    yield b'],"annotations":['
    number = 0
    async for page in _pages(database, job):
        found = list(_coco_annotations(page, labels, after=number))
        if found:
            yield (b"," if number else b"") + orjson.dumps(found)[1:-1]
            number += len(found)
    categories = [{"id": class_id + 1, "name": label} for class_id, label in sorted(labels.items())]
    yield b'],"categories":' + orjson.dumps(categories) + b"}"


async def as_zip(database: Database, storage: Storage, job: Job, *, annotated: bool) -> AsyncIterator[bytes]:
    """`results.jsonl` beside the made pictures; with `annotated` also what was seen, drawn on the originals."""
    archive = ZipStream()
    films = await database.read(lambda now: _films(now, job.id))
    async with Originals(storage) as originals:
        async for page in _pages(database, job):
            files = await database.read(lambda now, page=page: _files_of(now, page))  # type: ignore[misc]
            for one in page:
                if one.row.frame is not None and one.row.item_index in films:
                    continue  # the film holds it
                if (made := await _picture(storage, one, files, originals if annotated else None)) is not None:
                    archive.add(made[1], made[0])
                    for piece in archive.file():
                        yield piece
    for name, key in films.values():
        async with storage.local_file(key) as film:
            archive.add_path(film, name)
            for piece in archive.file():
                yield piece
    with tempfile.TemporaryFile() as lines:
        async for some in as_jsonl(database, job):
            lines.write(some)
        lines.seek(0)
        archive.add(iter(lambda: lines.read(READ_BYTES), b""), "results.jsonl")
        for piece in archive.finalize():
            yield piece


async def _pages(database: Database, job: Job) -> AsyncIterator[list[Result]]:
    position = 0
    while page := await database.read(lambda now, at=position: results_from(now, job.id, at, at_most=PAGE)):  # type: ignore[misc]
        yield page
        position = page[-1].row.position + 1


async def _picture(
    storage: Storage, one: Result, files: dict[str, str], originals: Originals | None
) -> tuple[str, bytes] | None:
    """The picture that was made, else, with `originals`, the answer drawn on the one that was looked at."""
    prediction = one.prediction
    if prediction is None:
        return None
    try:
        if prediction.output_id and one.output_path:
            return f"outputs/{one.output_path}", await storage.get(files[prediction.output_id])
        if originals is not None:
            return f"annotated/{one.stem}.jpg", await _annotated(storage, prediction, files, originals)
    except (ObjectMissing, KeyError):
        return None  # deleted since; the line in results.jsonl stays
    return None


async def _annotated(storage: Storage, prediction: Prediction, files: dict[str, str], originals: Originals) -> bytes:
    if prediction.annotated_id:
        return await storage.get(files[prediction.annotated_id])
    original = await originals.picture_of(files[prediction.image_id], prediction.result)
    return await asyncio.to_thread(draw_answer, original, prediction.result)


def _films(now: Transaction, job_id: str) -> dict[int, tuple[str, str]]:
    """The films that were made: their names in the archive and where they lie, by their index in the dataset."""
    made = (
        sa.select(JobVideo.item_index, JobVideo.name, Asset.key)
        .join(Asset, Asset.id == JobVideo.output_id)
        .where(JobVideo.job_id == job_id, Asset.deleted_at.is_(None))
        .order_by(JobVideo.item_index)
    )
    return {row.item_index: (f"outputs/{row.name.rsplit('.', 1)[0]}.mp4", row.key) for row in now.rows(made)}


def _files_of(now: Transaction, page: list[Result]) -> dict[str, str]:
    """Where the files of a page's predictions lie, by their ids."""
    ids = {
        file_id
        for one in page
        if (row := one.prediction)
        for file_id in (row.image_id, row.output_id, row.annotated_id)
        if file_id
    }
    kept = sa.select(Asset.id, Asset.key).where(Asset.id.in_(ids), Asset.deleted_at.is_(None))
    return {row.id: row.key for row in now.rows(kept)}


def _line(one: Result) -> bytes:
    row, prediction = one.row, one.prediction
    told: dict[str, Any] = {"index": row.item_index, "original_path": row.name, "ok": row.code is None}
    if row.frame is not None:
        told["frame"] = {"number": row.frame, "time_s": row.time_s}
    if row.code is not None:
        told["error"] = {"code": row.code, "reason": row.reason}
    elif prediction is not None:
        told |= {
            "prediction_id": prediction.id,
            "model": prediction.model,
            "model_version": prediction.model_version,
            "predicted_class": prediction.label,
            "confidence_score": prediction.score,
            **prediction.result,
        }
        if one.output_path:
            told["output_path"] = one.output_path
    return orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)


def _coco_images(now: Transaction, page: list[Result]) -> list[dict[str, Any]]:
    ids = {one.prediction.image_id for one in page if one.prediction}
    sizes = {row.id: row for row in now.rows(sa.select(Asset.id, Asset.width, Asset.height).where(Asset.id.in_(ids)))}
    return [
        {
            "id": one.row.position + 1,
            "file_name": one.row.name if one.row.frame is None else f"{one.stem}.png",
            "width": sizes[one.prediction.image_id].width,
            "height": sizes[one.prediction.image_id].height,
        }
        for one in page
        if one.prediction
    ]


def _coco_annotations(page: list[Result], labels: dict[int, str], *, after: int) -> Iterator[dict[str, Any]]:
    number = after
    for one in page:
        result = one.prediction.result if one.prediction else {}
        for thing in (*result.get("detections", ()), *result.get("masks", ())):
            number += 1
            labels[thing["class_id"]] = thing["label"]
            told = {
                "id": number,
                "image_id": one.row.position + 1,
                "category_id": thing["class_id"] + 1,
                "bbox": thing["box"],
                "area": round(thing["box"][2] * thing["box"][3], 2),
                "iscrowd": 0,
                "score": thing["score"],
            }
            yield {**told, "segmentation": thing["rle"]} if "rle" in thing else told
