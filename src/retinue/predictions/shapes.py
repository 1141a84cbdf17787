"""The answers of this room as the OpenAPI document describes them."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field


class ClassScore(BaseModel):
    label: str
    class_id: int
    score: float


class Detected(ClassScore):
    box: list[float] = Field(description="x, y, width, height in pixels of the picture as a person sees it")


class RunLengths(BaseModel):
    size: list[int] = Field(description="height, width")
    counts: str


class Masked(Detected):
    rle: RunLengths = Field(description="COCO's compressed run lengths")


class Timing(BaseModel):
    decode: float
    queue: float
    model: float
    total: float


class HeatMapTold(BaseModel):
    label: str
    class_id: int
    method: str


class KitLine(BaseModel):
    """One single thing. A missing one has a box where it was perhaps seen."""

    tool_id: str | None = Field(description="null: a thing that does not belong to the kit")
    name: str
    serial_number: str | None
    label: str | None
    score: float | None
    box: list[float] | None
    crop_url: str | None


class ToolkitAnswer(BaseModel):
    toolkit_id: str
    complete: bool
    present: list[KitLine]
    missing: list[KitLine]
    extra: list[KitLine]
    unsure: list[KitLine] = Field(description="those of the missing that were perhaps seen; a person decides")


class FrameTold(BaseModel):
    """Of a video: the number among the frames taken, its time, the rate (none: every frame)."""

    number: int
    time_s: float
    fps: float | None


class PredictionAnswer(BaseModel):
    prediction_id: str
    image_id: str
    filename: str
    model: str
    model_version: str
    task: str
    predicted_class: str | None
    confidence_score: float | None
    classes: list[ClassScore] | None = None
    detections: list[Detected] | None = None
    unsure: list[Detected] | None = Field(
        default=None, description="between half the class threshold and the threshold: worth a second look"
    )
    masks: list[Masked] | None = None
    toolkit: ToolkitAnswer | None = Field(default=None, description="with `toolkit_id`: what the kit lacks")
    width: int | None = None
    height: int | None = None
    heat_map: HeatMapTold | None = None
    frame: FrameTold | None = None
    output_url: str | None = None
    annotated_url: str | None = None
    heatmap_url: str | None = None
    prediction_time_ms: float
    timing: Timing
    cost: float
    cached: bool
    source: str
    parameters: dict[str, Any]
    feedback: str | None = Field(default=None, description="right or wrong: the latest verdict, where there is one")
    created_at: datetime


class Refused(BaseModel):
    code: str
    title: str
    detail: str


class BatchResult(BaseModel):
    filename: str
    ok: bool
    prediction: PredictionAnswer | None = None
    error: Refused | None = None


class BatchAnswer(BaseModel):
    results: list[BatchResult]
    cost: float


class Receipt(BaseModel):
    """What made the answer."""

    weights_sha256: str
    package: str
    picture_sha256: str
    mask_sha256: str | None
    thresholds: dict[str, float]
    runtime: dict[str, str]


class RememberedAnswer(PredictionAnswer):
    user_id: str
    image_url: str
    receipt: Receipt


class History(BaseModel):
    predictions: list[PredictionAnswer]
    total: int
    total_capped: bool = Field(description="a filtered total stops counting at 10,000")
    page: int | None
    limit: int
    next_cursor: str | None
