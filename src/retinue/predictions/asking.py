"""What a person may ask of a picture, and when two questions are the same one."""

import hashlib
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from retinue.predictions.comparing import Kit
from retinue.vision.asking import Asked, Explain
from retinue.vision.saliency import Ramp

Source = Literal["api", "ui", "job", "check", "replay", "protocol"]
FLOOR = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Explaining(BaseModel):
    """A heat map of where the model looked for a class; without one, for its top answer."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    label: str | None = Field(default=None, alias="class", max_length=1000)
    method: Literal["cam", "occlusion"] | None = None
    opacity: FLOOR = 0.5
    ramp: Ramp = Field(default="inferno", description="From little to much.")


class Parameters(BaseModel):
    """How to look. Kept with every prediction, so that it can be asked again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    confidence: FLOOR | None = Field(
        default=None,
        description="Floor for every class; unset: the model's thresholds, else 0.5. Never filters classes.",
    )
    top_k: int = Field(default=5, ge=1, le=1000, description="How many classes a classifier answers with.")
    iou: FLOOR | None = Field(default=None, description="Overlap above which two boxes are one thing.")
    radius: float = Field(default=3.0, gt=0, le=100, allow_inf_nan=False, description="Reach of inpainting in pixels.")
    annotate: bool = Field(default=False, description="Also draw the answer on the picture.")
    explain: Explaining | None = Field(default=None, description="Also show where the model looked.")

    def asked(self, thresholds: dict[str, float]) -> Asked:
        """The same in the eye's words."""
        explain = None
        if self.explain is not None:
            explain = Explain(self.explain.label, self.explain.method, self.explain.opacity)
        return Asked(
            confidence=self.confidence,
            top_k=self.top_k,
            iou=self.iou,
            radius=self.radius,
            explain=explain,
            thresholds=thresholds,
        )

    def as_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


@dataclass(frozen=True, slots=True)
class Frame:
    """Which frame of a video a picture is: its number among those taken, its time, the rate (None: each of them)."""

    number: int
    time_s: float
    fps: float | None


@dataclass(frozen=True, slots=True)
class Ask:
    """One picture and what to do with it."""

    picture: bytes = field(repr=False)
    filename: str
    model: str
    version: str | None = None
    mask: bytes | None = field(default=None, repr=False)
    parameters: Parameters = field(default_factory=Parameters)
    use_cache: bool = True
    source: Source = "api"
    kit: Kit | None = None
    frame: Frame | None = None
    thresholds: dict[str, float] | None = None  # of an earlier day, to ask the very same again

    def picture_sha256(self) -> str:
        return hashlib.sha256(self.picture).hexdigest()

    def mask_sha256(self) -> str | None:
        return None if self.mask is None else hashlib.sha256(self.mask).hexdigest()


# What a task's answer depends on, beside the picture.
COUNTS: dict[str, set[str]] = {"classify": {"top_k"}, "detect": {"confidence", "iou"}, "segment": {"confidence", "iou"}}


def cache_key(owner_id: str, version_id: str, changes: int, sha256: str, parameters: Parameters, *, task: str) -> str:
    """The same picture, version, thresholds and parameters give the same answer. To the same person: that somebody
    else asked about a picture is nobody's business."""
    told = parameters.model_dump(mode="json", include=COUNTS.get(task, set()))
    return hashlib.sha256(orjson.dumps([owner_id, version_id, changes, sha256, told])).hexdigest()
