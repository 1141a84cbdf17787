"""Verdicts: whether an answer was right, and what it really is."""

from collections.abc import Sequence
from datetime import datetime

from retinue.client.asking import Pages, Plan, Request, given, place
from retinue.client.rooms import Room, S, Told, listing, operation

Box = tuple[str, tuple[float, float, float, float]]  # its label, and x, y, width, height in pixels


class BoxTold(Told):
    label: str
    box: tuple[float, float, float, float]


class Feedback(Told):
    id: str
    prediction_id: str
    user_id: str
    model: str
    model_version: str
    filename: str
    predicted_class: str | None
    correct: bool
    label: str | None
    boxes: list[BoxTold] | None
    comment: str
    created_at: datetime
    updated_at: datetime


class Verdicts(Room[S]):
    @operation
    def give(
        self,
        prediction_id: str,
        *,
        correct: bool,
        label: str | None = None,
        boxes: Sequence[Box] | None = None,
        comment: str | None = None,
    ) -> Plan[Feedback]:
        """`boxes` are all things that are in the picture. Given again it replaces what you said before."""
        told = given(correct=correct, label=label, comment=comment)
        if boxes is not None:
            told["boxes"] = [{"label": name, "box": [*box]} for name, box in boxes]
        path = place("/predictions/{}/feedback", prediction_id)
        return (yield from self._ask(Request("POST", path, json=told, may_repeat=True), Feedback))

    @listing
    def list(
        self,
        *,
        prediction_id: str | None = None,
        model: str | None = None,
        version: str | None = None,
        correct: bool | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        user_id: str | None = None,
    ) -> Pages[Feedback]:
        """The newest first."""
        query = given(prediction_id=prediction_id, model=model, version=version, user_id=user_id)
        query |= given(correct=None if correct is None else str(correct).lower())
        query |= given(**{"from": since and since.isoformat(), "to": until and until.isoformat()})
        return self._pages(place("/feedback"), Feedback, **query)
