"""What is kept of an inference: its pictures as originals or its arrays as one file, and a prediction per element."""

import asyncio
from dataclasses import dataclass
from typing import Any

from retinue.base.database import Transaction
from retinue.base.ids import new_id
from retinue.catalog.serving import Serving
from retinue.media import keeping
from retinue.media.keeping import Kept, keep_file
from retinue.predictions import remembering as predictions
from retinue.predictions import road as one_road
from retinue.predictions.asking import Source
from retinue.predictions.road import RUNTIME, Look, Question, Road
from retinue.predictions.tables import Prediction
from retinue.protocol.answering import request_to_keep
from retinue.protocol.asking import Asked
from retinue.vision.tensors import Inferred

SOURCE: Source = "protocol"
AT_ONCE = 8  # files being written; enough for a disk, few enough for a store behind a network


@dataclass(frozen=True, slots=True)
class Work:
    """What is answered and paid for. `questions`: the pictures, where pictures came; `price`: of one element."""

    serving: Serving
    asked: Asked
    questions: list[Question]
    price: int


async def keep(road: Road, work: Work) -> list[Kept]:
    """Files that no row names yet: each picture's own, or one for all arrays."""
    if not work.questions:
        return [await _keep_arrays(road, work.asked)]
    places = asyncio.Semaphore(AT_ONCE)

    async def keep_one(question: Question) -> Kept:
        async with places:
            return await one_road.keep_original(road, question, road.clock.now())

    return await asyncio.gather(*(keep_one(question) for question in work.questions))


def remember(
    now: Transaction,
    work: Work,
    inferred: Inferred,
    looks: list[Look],
    kept: list[Kept],
    *,
    user_id: str,
    hold_id: str | None,
) -> None:
    same: dict[str, Any] = {"user_id": user_id, "cost": work.price, "hold_id": hold_id}
    if looks:
        rows = [
            predictions.row_of(now, look, image_id=keeping.claim(now, user_id, picture), **same)
            for look, picture in zip(looks, kept, strict=True)
        ]
    else:
        shared = _row_of_arrays(work, inferred, keeping.claim(now, user_id, kept[0]), kept[0].sha256)
        rows = [{**shared, **same, **_of_element(now, number)} for number in range(work.asked.elements)]
    now.insert(Prediction, rows)
    predictions.count(now, user_id, len(rows))


async def _keep_arrays(road: Road, asked: Asked) -> Kept:
    content = await asyncio.to_thread(request_to_keep, asked)
    return await keep_file(
        road.storage,
        content,
        kind="tensors",
        at=road.clock.now(),
        filename="tensors.bin",
        mime_type="application/octet-stream",
        extension="bin",
        size=(0, 0),
    )


def _row_of_arrays(work: Work, inferred: Inferred, image_id: str, sha256: str) -> dict[str, Any]:
    """What all elements have in common. Arrays have no answer that a person reads: no label, no score."""
    serving = work.serving
    return {
        "image_id": image_id,
        "version_id": serving.version.id,
        "model": serving.model.name,
        "model_version": serving.version.label,
        "task": serving.package.task,
        "source": SOURCE,
        "label": None,
        "score": None,
        "result": {},
        "receipt": {
            "weights_sha256": serving.version.manifest["sha256"],
            "package": serving.package.key,
            "picture_sha256": sha256,
            "mask_sha256": None,
            "thresholds": {},
            "runtime": RUNTIME,
        },
        "timing": inferred.timing.as_json(),
        "cached": False,
        "annotated_id": None,
        "heat_map_id": None,
        "output_id": None,
    }


def _of_element(now: Transaction, number: int) -> dict[str, Any]:
    return {
        "id": new_id(now.time),
        "filename": f"tensors.bin[{number}]",
        "parameters": {"element": number},
        "created_at": now.time,
    }
