"""The row of a prediction, and the answer that is read from it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from retinue.base.database import Transaction
from retinue.base.ids import new_id
from retinue.base.prepared import Prepared
from retinue.credits.shapes import as_credits
from retinue.media import keeping
from retinue.media.keeping import Kept
from retinue.media.links import AssetAddress, Links
from retinue.predictions.comparing import with_crops
from retinue.predictions.road import Look, receipt_of
from retinue.predictions.tables import Prediction, PredictionCount


def remember(
    now: Transaction,
    look: Look,
    *,
    user_id: str,
    image: str | Kept,
    cost: int,
    hold_id: str | None,
    prediction_id: str | None = None,
) -> dict[str, Any]:
    """One row, its files and the count. `image` is the original's id, or the file that becomes it."""
    image_id = keeping.use_again(now, image) if isinstance(image, str) else keeping.claim(now, user_id, image)
    row = row_of(now, look, user_id=user_id, image_id=image_id, cost=cost, hold_id=hold_id, as_id=prediction_id)
    now.insert(Prediction, row)
    count(now, user_id, 1)
    return row


def remember_many(
    now: Transaction, looks: Sequence[tuple[Look, str, int]], *, user_id: str, hold_id: str
) -> list[dict[str, Any]]:
    """The same for each of many looks, the id of its original and what it costs, in one statement: a chunk of a job has
    a thousand."""
    rows = [
        row_of(now, look, user_id=user_id, image_id=image_id, cost=cost, hold_id=hold_id)
        for look, image_id, cost in looks
    ]
    if rows:
        now.insert(Prediction, rows)
        count(now, user_id, len(rows))
    return rows


def row_of(
    now: Transaction,
    look: Look,
    *,
    user_id: str,
    image_id: str,
    cost: int,
    hold_id: str | None,
    as_id: str | None = None,
) -> dict[str, Any]:
    """What will be kept; its files are claimed already."""
    question = look.question
    for kept in look.files:
        keeping.claim(now, user_id, kept)
    return {
        "id": as_id or new_id(now.time),
        "user_id": user_id,
        "image_id": image_id,
        "version_id": question.serving.version.id,
        "model": question.serving.model.name,
        "model_version": question.serving.version.label,
        "task": question.serving.package.task,
        "source": question.ask.source,
        "filename": question.ask.filename,
        "label": look.label,
        "score": look.score,
        "result": _compared(look),
        "parameters": question.ask.parameters.as_json(),
        "receipt": receipt_of(question),
        "timing": look.timing,
        "cost": cost,
        "cached": look.cached,
        "annotated_id": look.annotated.id if look.annotated else None,
        "heat_map_id": look.heat_map.id if look.heat_map else None,
        "output_id": look.output.id if look.output else None,
        "hold_id": hold_id,
        "created_at": now.time,
    }


def _compared(look: Look) -> dict[str, Any]:
    """What the model said, and what that means for the kit it was asked about; only the former is ever cached."""
    kit = look.question.ask.kit
    return look.result if kit is None else {**look.result, "toolkit": kit.compare(look.result)}


def count(now: Transaction, user_id: str, by: int) -> None:
    counted = now.changed(_COUNT, {"user": user_id, "by": by})
    if counted == 0:
        now.insert(PredictionCount, {"user_id": user_id, "total": by})


_COUNT = Prepared(
    sa.update(PredictionCount)
    .where(PredictionCount.user_id == sa.bindparam("user"))
    .values(total=PredictionCount.total + sa.bindparam("by"))
)


def answer_of(row: Mapping[str, Any], links: Links) -> dict[str, Any]:
    """What the caller reads, from a row's values; its links open for ten minutes."""
    link = {
        name: links.to(AssetAddress(row[name], row["user_id"]))
        for name in ("annotated_id", "heat_map_id", "output_id")
        if row[name]
    }
    answer = {
        "prediction_id": row["id"],
        "image_id": row["image_id"],
        "filename": row["filename"],
        "model": row["model"],
        "model_version": row["model_version"],
        "task": row["task"],
        "predicted_class": row["label"],
        "confidence_score": row["score"],
        **row["result"],
        "prediction_time_ms": row["timing"]["total"],
        "timing": row["timing"],
        "cost": as_credits(row["cost"]),
        "cached": row["cached"],
        "source": row["source"],
        "parameters": row["parameters"],
        "created_at": _moment(row["created_at"]),
    }
    if row.get("feedback"):
        answer["feedback"] = row["feedback"]
    if "toolkit" in row["result"]:
        answer["toolkit"] = with_crops(row["result"]["toolkit"], row, links)
    if "annotated_id" in link:
        answer["annotated_url"] = link["annotated_id"]
    if "heat_map_id" in link:
        answer["heatmap_url"] = link["heat_map_id"]
    if "output_id" in link:
        answer["output_url"] = link["output_id"]
    return answer


def _moment(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
