"""timm exports: `config.json` with a `pretrained_cfg` that names size, crop, filter and colours of a classifier."""

import math

from pydantic import Field

from retinue.vision.errors import ModelRefused
from retinue.vision.importing.evidence import Evidence, Loose
from retinue.vision.importing.labels import check_labels, numbered_twins
from retinue.vision.importing.told import ask_for
from retinue.vision.package import Frame, Manifest

FILTERS = {"bilinear": "bilinear", "bicubic": "bicubic", "lanczos": "lanczos", "nearest": "nearest", "box": "area"}


def is_timm(evidence: Evidence) -> bool:
    return isinstance(evidence.description("config.json").get("pretrained_cfg"), dict)


class Pretrained(Loose):
    """`pretrained_cfg`, as far as we read it."""

    input_size: tuple[int, int, int] | None = None
    interpolation: str = ""
    crop_pct: float = Field(default=1.0, ge=0.1, le=1)
    crop_mode: str = "center"
    mean: list[float] | float | None = None
    std: list[float] | float | None = None
    label_names: list[str] | None = None
    label_descriptions: dict[str, str] | None = None
    architecture: str = ""
    license: str = ""
    description: str = ""


def read_timm(evidence: Evidence) -> Manifest:
    config = evidence.description("config.json")
    # Labels stand beside `pretrained_cfg` or inside it, the name of the architecture too.
    beside = {key: config[key] for key in ("label_names", "label_descriptions", "architecture") if config.get(key)}
    said = Pretrained.model_validate({**config["pretrained_cfg"], **beside})
    scores = evidence.graph.outputs[0]
    labels = evidence.labels(_labels(said))
    if labels is None:
        raise ask_for("labels")
    if scores.side(1) not in (None, len(labels)):
        raise ModelRefused(f"There are {len(labels)} class names, but the network scores {scores.side(1)} classes.")
    return evidence.manifest(
        task="classify",
        head="classify",
        head_parameters={
            "outputs": [scores.name],
            "activation": "none" if scores.made_by in ("Softmax", "Sigmoid") else "softmax",
        },
        labels=labels,
        frame=_frame(evidence, said),
        numbers=evidence.numbers(scale=1 / 255, mean=said.mean, std=said.std),
        source=f"timm {said.architecture}".strip()[:200],
        licence=evidence.licence(said.license),
        description=said.description[:500],
    )


def _labels(said: Pretrained) -> tuple[str, ...] | None:
    """The readable names, where the file has them: `label_names` may be WordNet numbers with descriptions beside."""
    if not said.label_names:
        return None
    readable = said.label_descriptions or {}
    return check_labels(numbered_twins(readable.get(name) or name for name in said.label_names))


def _frame(evidence: Evidence, said: Pretrained) -> Frame:
    by_file = (said.input_size[2], said.input_size[1]) if said.input_size else None
    size = evidence.size or evidence.told.size or by_file
    if size is None:
        raise ask_for("size")
    chosen = FILTERS.get(said.interpolation)
    if chosen is None:
        raise ModelRefused("The description names an “interpolation” that Retinue does not know.")
    if said.crop_mode == "squash" and said.crop_pct == 1:
        return evidence.frame("stretch", size, filter=chosen)
    if said.crop_mode != "center":
        raise ModelRefused(f"Pictures cropped by “{said.crop_mode[:20]}” at {said.crop_pct:g} are not served.")
    return evidence.frame("crop", size, short_side=math.floor(min(size) / said.crop_pct), filter=chosen)
