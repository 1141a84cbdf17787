"""What the eye answers: classes, detections, masks or a picture, and how each is written as JSON.

A box is x, y, width, height in pixels of the picture as a person sees it (its EXIF orientation applied).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

Json: TypeAlias = dict[str, Any]
Box: TypeAlias = tuple[float, float, float, float]


def overlap(one: Box, other: Box) -> float:
    """Intersection over union: 0 apart, 1 the same."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


@dataclass(frozen=True, slots=True)
class Score:
    """One class and how sure the model is of it."""

    label: str
    class_id: int
    score: float

    def as_json(self) -> Json:
        return {"label": self.label, "class_id": self.class_id, "score": round(self.score, 6)}


@dataclass(frozen=True, slots=True)
class Detection(Score):
    box: Box

    def as_json(self) -> Json:
        return {**Score.as_json(self), "box": [round(side, 2) for side in self.box]}


@dataclass(frozen=True, slots=True)
class Mask(Detection):
    """The pixels of one thing (or of one class), run-length encoded as COCO does."""

    size: tuple[int, int]
    counts: str

    def as_json(self) -> Json:
        return {**Detection.as_json(self), "rle": {"size": list(self.size), "counts": self.counts}}

    def as_array(self) -> NDArray[np.bool_]:
        from retinue.vision.heads.run_length import pixels_of

        return pixels_of(self.counts, size=self.size)


@dataclass(frozen=True, slots=True)
class Classes:
    """The answer of a classifier: the best classes, the surest first."""

    key: ClassVar[str] = "classes"
    items: Sequence[Score]

    def top(self) -> Score | None:
        return self.items[0] if self.items else None

    def as_json(self) -> Json:
        return {self.key: [item.as_json() for item in self.items]}


@dataclass(frozen=True, slots=True)
class Detections:
    """The answer of a detector: things and where they are, the surest first.

    `unsure` holds what lies between half its class threshold and the threshold: no detection, but worth a look.
    """

    key: ClassVar[str] = "detections"
    items: Sequence[Detection]
    unsure: Sequence[Detection] = ()

    def top(self) -> Score | None:
        return self.items[0] if self.items else None

    def as_json(self) -> Json:
        return {
            self.key: [item.as_json() for item in self.items],
            "unsure": [item.as_json() for item in self.unsure],
        }


@dataclass(frozen=True, slots=True)
class Masks:
    """The answer of a segmenter: one mask per thing (instance) or per class (semantic)."""

    key: ClassVar[str] = "masks"
    items: Sequence[Mask]

    def top(self) -> Score | None:
        return self.items[0] if self.items else None

    def as_json(self) -> Json:
        return {self.key: [item.as_json() for item in self.items]}


@dataclass(frozen=True, slots=True)
class Picture:
    """The answer of an inpainter: the picture itself, RGB."""

    pixels: NDArray[np.uint8]

    def top(self) -> Score | None:
        return None

    def as_json(self) -> Json:
        return {"width": int(self.pixels.shape[1]), "height": int(self.pixels.shape[0])}


Result: TypeAlias = Classes | Detections | Masks | Picture


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Where the model looked for one class: values 0–1 over the picture's own frame, coarse (as the network has it)."""

    label: str
    class_id: int
    method: str
    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds spent on one picture, by stage."""

    decode_ms: float
    queue_ms: float
    model_ms: float
    total_ms: float

    def as_json(self) -> Json:
        return {
            "decode": round(self.decode_ms, 3),
            "queue": round(self.queue_ms, 3),
            "model": round(self.model_ms, 3),
            "total": round(self.total_ms, 3),
        }


@dataclass(frozen=True, slots=True)
class Seen:
    """One picture looked at: the answer, the picture's size as a person sees it, and where the time went."""

    result: Result
    width: int
    height: int
    timing: Timing
    heat_map: HeatMap | None = None


def result_from_json(told: Json) -> Result | None:
    """The answer that was written as this JSON; None for a picture, whose pixels are elsewhere."""
    if Classes.key in told:
        return Classes([Score(one["label"], one["class_id"], one["score"]) for one in told[Classes.key]])
    if Detections.key in told:
        return Detections(_detections_from_json(told[Detections.key]), _detections_from_json(told.get("unsure", ())))
    if Masks.key in told:
        return Masks([_mask_from_json(one) for one in told[Masks.key]])
    return None


def _mask_from_json(one: Json) -> Mask:
    height, width = one["rle"]["size"]
    return Mask(
        one["label"],
        one["class_id"],
        one["score"],
        tuple(one["box"]),
        size=(height, width),
        counts=one["rle"]["counts"],
    )


def _detections_from_json(items: Sequence[Json]) -> list[Detection]:
    return [Detection(one["label"], one["class_id"], one["score"], tuple(one["box"])) for one in items]
