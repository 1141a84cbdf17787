"""What people see of models and versions, and what admins may say about them."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from retinue.base.shapes import Strict
from retinue.catalog.tables import Model, Version
from retinue.credits.prices import Prices
from retinue.credits.shapes import CreditsField, PriceGiven
from retinue.vision.engine import Engine
from retinue.vision.package import Task

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class InputFrame(BaseModel):
    width: int | None
    height: int | None
    channels: int = 3


class VersionShown(BaseModel):
    version: str
    state: str = Field(description="active, ready or retired")
    input: InputFrame
    labels: list[str]
    thresholds: dict[str, float]
    source: str
    licence: str
    description: str
    quality: str = Field(description="measured quality, with its origin")
    sha256: str
    size_bytes: int
    intake: dict[str, Any] = Field(description="what the intake test saw")
    created_at: datetime
    activated_at: datetime | None


class ModelShown(BaseModel):
    name: str
    task: Task
    enabled: bool
    price: CreditsField = Field(description="credits per picture")
    active_version: str | None
    labels_count: int
    input: InputFrame
    licence: str
    quality: str
    description: str
    ms_per_picture: float | None = Field(description="measured here: at intake, and then by the work itself")
    loaded: bool
    created_at: datetime


class ShadowSet(Strict):
    """A version that also answers so many of a hundred live pictures: free, unseen, and when there is time for it."""

    version: str = Field(min_length=1, max_length=20)
    percent: int = Field(ge=1, le=100)


class ModelWhole(ModelShown):
    shadow: ShadowSet | None
    versions: list[VersionShown]


class ModelChange(Strict):
    price: PriceGiven | None = None
    thresholds: dict[str, Share] = Field(default_factory=dict)
    enabled: bool = Field(default_factory=bool)
    shadow: ShadowSet | None = Field(default=None, description="null ends it")


class TakenIn(BaseModel):
    model: str
    version: str
    intake: dict[str, Any]


def speeds(eye: Engine) -> dict[str, float]:
    """Milliseconds per picture of the models that are loaded, by package."""
    return {one["key"]: one.get("ms_per_picture") or 0.0 for one in eye.state()["models"]}


def model_shown(model: Model, active: Version | None, prices: Prices, speeds: dict[str, float]) -> ModelShown:
    manifest = active.manifest if active else {}
    measured = speeds.get(active.package_key) if active else None
    return ModelShown(
        name=model.name,
        task=model.task,  # type: ignore[arg-type]
        enabled=model.enabled,
        price=prices.inference_image if model.price is None else model.price,
        active_version=active.label if active else None,
        labels_count=len(manifest.get("labels", ())),
        input=_frame(manifest),
        licence=manifest.get("licence", ""),
        quality=manifest.get("quality", ""),
        description=manifest.get("description", ""),
        ms_per_picture=measured or (active.intake.get("ms_per_picture") if active else None),
        loaded=measured is not None,
        created_at=model.created_at,
    )


def shadow_shown(model: Model) -> ShadowSet | None:
    if model.shadow_version is None:
        return None
    return ShadowSet(version=model.shadow_version, percent=model.shadow_percent)


def version_shown(version: Version, model: Model) -> VersionShown:
    manifest = version.manifest
    return VersionShown(
        version=version.label,
        state="active" if version.id == model.active_version_id else version.state,
        input=_frame(manifest),
        labels=manifest["labels"],
        thresholds={**manifest["thresholds"], **model.thresholds},
        source=manifest["source"],
        licence=manifest["licence"],
        description=manifest["description"],
        quality=manifest["quality"],
        sha256=manifest["sha256"],
        size_bytes=version.size_bytes,
        intake=version.intake,
        created_at=version.created_at,
        activated_at=version.activated_at,
    )


def _frame(manifest: dict[str, Any]) -> InputFrame:
    frame = manifest.get("frame") or {}
    return InputFrame(width=frame.get("width"), height=frame.get("height"))
