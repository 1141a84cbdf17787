"""How a verdict is given: by the prediction's owner or an admin, one each, and the latest is what counts."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from retinue.base.database import Transaction
from retinue.base.errors import Invalid
from retinue.base.ids import new_id
from retinue.feedback.matching import KINDS, Thing
from retinue.feedback.tables import Verdict
from retinue.media.tables import Asset
from retinue.predictions import history
from retinue.predictions.history import NoSuchPrediction
from retinue.predictions.tables import Prediction

EDGE = 1.0  # pixels that a box may stand over the picture: ours are rounded outwards


class NothingToJudge(Invalid):
    code = "nothing-to-judge"
    title = "Bare arrays hold no answer that a person could judge"


class NothingToCorrect(Invalid):
    code = "nothing-to-correct"
    title = "A right answer takes no correction"


class NoPlaces(Invalid):
    code = "no-places"
    title = "Only detections and masks are corrected with boxes"


class NoLabel(Invalid):
    code = "no-label"
    title = "This answer names nothing that a label could correct"


class OutsideThePicture(Invalid):
    code = "box-outside"
    title = "A box lies outside the picture"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What somebody says of an answer. `things` are all that there are; none told is not the same as none there."""

    correct: bool
    label: str | None = None
    things: Sequence[Thing] | None = None
    comment: str = ""


def judge(now: Transaction, prediction_id: str, said: Judgement, *, by: str, is_admin: bool) -> tuple[Verdict, bool]:
    """The verdict as it stands now, and whether it is this person's first of this prediction."""
    prediction = history.prediction_of(now, prediction_id, user_id=None if is_admin else by)
    _check(now, prediction, said)
    seen = sa.update(Prediction).where(Prediction.id == prediction_id, Prediction.deleted_at.is_(None))
    # Locks the row, too: of two who judge at once the second finds the first one's verdict.
    if not now.changed(seen.values(feedback="right" if said.correct else "wrong")):
        raise NoSuchPrediction()
    own = sa.and_(Verdict.prediction_id == prediction_id, Verdict.user_id == by)
    told = {
        "correct": said.correct,
        "label": said.label,
        "boxes": None
        if said.things is None
        else [{"label": thing.label, "box": list(thing.box)} for thing in said.things],
        "comment": said.comment,
        "updated_at": now.time,
    }
    is_first = not now.changed(sa.update(Verdict).where(own).values(**told))
    if is_first:
        of = {
            "prediction_id": prediction_id,
            "owner_id": prediction.user_id,
            "version_id": prediction.version_id,
            "picture_sha256": prediction.receipt["picture_sha256"],
        }
        now.insert(Verdict, {"id": new_id(now.time), "user_id": by, **of, **told, "created_at": now.time})
    found = now.first(sa.select(Verdict).where(own))
    assert found is not None, "it was just written"
    return found, is_first


def _check(now: Transaction, prediction: Prediction, said: Judgement) -> None:
    if not prediction.result and prediction.task != "inpaint":
        raise NothingToJudge()
    if said.correct and (said.label is not None or said.things is not None):
        raise NothingToCorrect()
    if said.things is not None and prediction.task not in KINDS:
        raise NoPlaces(f"This is an answer of the task {prediction.task}")
    if said.label is not None and prediction.task == "inpaint":
        raise NoLabel()
    if said.things:
        picture = now.first(sa.select(Asset).where(Asset.id == prediction.image_id))
        assert picture is not None, "a prediction's picture has a row"
        for thing in said.things:
            left, top, width, height = thing.box
            beyond = max(-left, -top, left + width - picture.width, top + height - picture.height)
            if min(width, height) <= 0 or beyond > EDGE:
                raise OutsideThePicture(f"{list(thing.box)} in a picture of {picture.width} × {picture.height} pixels")
