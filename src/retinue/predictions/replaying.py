"""The same question asked again of the same version, and how far the answers lie apart."""

from typing import Any, Literal

import orjson

from retinue.accounts.access import Identity
from retinue.base.database import Transaction
from retinue.base.errors import Invalid
from retinue.credits.idempotency import Once
from retinue.media.keeping import original_of
from retinue.media.links import Links
from retinue.predictions import history
from retinue.predictions.asking import Ask, Parameters
from retinue.predictions.live import predict_image
from retinue.predictions.originals import picture_of
from retinue.predictions.road import Road
from retinue.predictions.tables import Prediction

TOLERANCE = 0.001  # of a score; float32 sums in another order differ by less than a tenth of that
BOX_TOLERANCE = 1.0  # pixels

Verdict = Literal["equal", "within tolerance", "different"]


class CannotReplay(Invalid):
    code = "cannot-replay"
    title = "This prediction cannot be repeated"


async def replay(
    road: Road, links: Links, prediction_id: str, caller: Identity, *, once: Once | None
) -> tuple[dict[str, Any], bool]:
    def find(now: Transaction) -> tuple[Prediction, str]:
        row = history.prediction_of(now, prediction_id, user_id=caller.user_id)
        return row, original_of(now, row.image_id, owner_id=caller.user_id).key

    row, key = await road.database.read(find)
    if row.task == "inpaint":
        raise CannotReplay("The mask of an inpainting is not kept")
    ask = Ask(
        picture=await picture_of(road.storage, key, row.result),
        filename=row.filename,
        model=row.model,
        version=row.model_version,
        parameters=Parameters.model_validate(row.parameters),
        use_cache=False,
        source="replay",
        thresholds=row.receipt["thresholds"],
    )
    answer = await predict_image(road, links, ask, caller, once=once)
    again = orjson.loads(answer.body)
    verdict, difference = compare(row.result, again)
    return {"verdict": verdict, "largest_difference": difference, "prediction": again}, answer.replayed


def compare(before: dict[str, Any], after: dict[str, Any]) -> tuple[Verdict, float | None]:
    """The largest difference of a score between answers that name the same things in the same order."""
    largest = 0.0
    is_near = True
    for kind in ("classes", "detections", "masks"):
        old, new = before.get(kind) or [], after.get(kind) or []
        if [item["label"] for item in old] != [item["label"] for item in new]:
            return "different", None
        for one, other in zip(old, new, strict=True):
            largest = max(largest, abs(one["score"] - other["score"]))
            apart = max((abs(a - b) for a, b in zip(one.get("box", ()), other.get("box", ()), strict=True)), default=0)
            is_near = is_near and apart <= BOX_TOLERANCE and one.get("rle") == other.get("rle")
    if largest == 0 and is_near:
        return "equal", 0.0
    return ("within tolerance" if largest <= TOLERANCE and is_near else "different"), largest
