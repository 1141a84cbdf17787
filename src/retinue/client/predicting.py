"""Asking about pictures: one, several, or a ZIP of them; and what is answered."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from json import dumps
from pathlib import Path
from typing import Any, TypedDict, Unpack

from retinue.client.asking import Plan, Request, Work, place
from retinue.client.pictures import PictureLike, decode_mask, file_of
from retinue.client.rooms import Room, S, Told, once, operation

LOOK_S = 60.0  # the server gives up on a picture after 30 s
MANY_S = 600.0


class Score(Told):
    label: str
    class_id: int
    score: float


class Detection(Score):
    """`box` is x, y, width, height in pixels of the picture as a person sees it."""

    box: tuple[float, float, float, float]


class RunLengths(Told):
    size: tuple[int, int]
    counts: str


class Mask(Detection):
    rle: RunLengths

    def as_numpy(self) -> Any:
        """Height × width of bool. Needs numpy and pycocotools."""
        return decode_mask(self.rle.size, self.rle.counts)


class Timing(Told):
    """Milliseconds."""

    decode: float
    queue: float
    model: float
    total: float


class HeatMap(Told):
    label: str
    class_id: int
    method: str


class VideoFrame(Told):
    """Of a prediction about a frame of a video: which one."""

    number: int
    time_s: float
    fps: float | None


class KitLine(Told):
    """One piece: a tool of the kit, or a thing that does not belong to it."""

    tool_id: str | None
    name: str
    serial_number: str | None
    label: str | None
    score: float | None
    box: tuple[float, float, float, float] | None
    crop_url: str | None


class KitCompared(Told):
    toolkit_id: str
    complete: bool
    present: list[KitLine]
    missing: list[KitLine]
    extra: list[KitLine]
    unsure: list[KitLine]


class Prediction(Told):
    prediction_id: str
    image_id: str
    filename: str
    model: str
    model_version: str
    task: str
    predicted_class: str | None
    confidence_score: float | None
    classes: list[Score] | None = None
    detections: list[Detection] | None = None
    unsure: list[Detection] | None = None
    masks: list[Mask] | None = None
    toolkit: KitCompared | None = None
    width: int | None = None
    height: int | None = None
    heat_map: HeatMap | None = None
    frame: VideoFrame | None = None
    output_url: str | None = None
    annotated_url: str | None = None
    heatmap_url: str | None = None
    prediction_time_ms: float
    timing: Timing
    cost: float
    cached: bool
    source: str
    parameters: dict[str, Any]
    feedback: str | None = None
    created_at: datetime

    @property
    def things(self) -> Sequence[Detection]:
        """What was found and where: detections, or masks with their boxes."""
        return [*(self.detections or ()), *(self.masks or ())]

    def boxes(self) -> Any:
        """As an array of n × 4: left, top, right, bottom. Needs numpy."""
        import numpy

        corners = [(x, y, x + width, y + height) for x, y, width, height in (one.box for one in self.things)]
        return numpy.array(corners, numpy.float32).reshape(-1, 4)

    def scores(self) -> Any:
        """As an array of n; of a classifier its classes'. Needs numpy."""
        import numpy

        return numpy.array([one.score for one in (self.classes or self.things)], numpy.float32)


class Refusal(Told):
    code: str
    title: str
    detail: str


class BatchResult(Told):
    filename: str
    ok: bool
    prediction: Prediction | None = None
    error: Refusal | None = None


class Batch(Told):
    results: list[BatchResult]
    cost: float


class How(TypedDict, total=False):
    """How to look; what is not said is as the server has it."""

    model: str
    version: str
    confidence: float  # a floor for every class; unset: the model's own thresholds
    top_k: int  # classes a classifier answers with
    iou: float  # overlap above which two boxes are one thing
    radius: float  # reach of inpainting in pixels
    annotate: bool  # also draw the answer on the picture
    explain: (
        bool | dict[str, Any]
    )  # also show where the model looked: {"class": …, "method": …, "opacity": …, "ramp": …}
    toolkit_id: str  # also say what of this kit is there
    cache: bool  # False: look again, whatever was answered before


class Asking(Room[S]):
    """What a client does without naming a resource first."""

    @operation
    def predict(
        self,
        picture: PictureLike,
        *,
        mask: PictureLike | None = None,
        name: str | None = None,
        idempotency_key: str | None = None,
        **how: Unpack[How],
    ) -> Plan[Prediction]:
        """Look at one picture; `mask` says what to fill, for inpainting."""
        files = [("file", (yield Work(partial(file_of, picture, name=name))))]
        if mask is not None:
            files.append(("mask", (yield Work(partial(file_of, mask, name="mask.png")))))
        request = Request("POST", place("/predict"), form=_form(how), files=files, timeout_s=LOOK_S)
        return (yield from self._ask(once(request, idempotency_key), Prediction))

    @operation
    def predict_batch(
        self, pictures: Sequence[PictureLike], *, idempotency_key: str | None = None, **how: Unpack[How]
    ) -> Plan[Batch]:
        """Look at up to 64 pictures in one request; one bad picture never fails the rest."""
        files = []
        for picture in pictures:
            files.append(("files", (yield Work(partial(file_of, picture)))))
        request = Request("POST", place("/predict/batch"), form=_form(how), files=files, timeout_s=MANY_S)
        return (yield from self._ask(once(request, idempotency_key), Batch))

    @operation
    def predict_zip(
        self, archive: str | Path | bytes, *, idempotency_key: str | None = None, **how: Unpack[How]
    ) -> Plan[Batch]:
        """Look at the pictures of a ZIP, up to 64."""
        files = [("file", (yield Work(partial(file_of, archive))))]
        request = Request("POST", place("/predict/zip"), form=_form(how), files=files, timeout_s=MANY_S)
        return (yield from self._ask(once(request, idempotency_key), Batch))


def _form(how: How) -> dict[str, str]:
    return {name: _as_text(value) for name, value in how.items() if value is not None}


def _as_text(value: Any) -> str:
    """As a form says it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return dumps(value) if isinstance(value, dict) else str(value)
