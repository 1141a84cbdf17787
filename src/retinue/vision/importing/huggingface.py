"""Hugging Face exports: `config.json` names the architecture and the classes, `preprocessor_config.json` the pixels."""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from pydantic import Field

from retinue.vision.errors import ModelRefused
from retinue.vision.importing.evidence import Evidence, Loose, both_sides
from retinue.vision.importing.labels import labels_of, numbered_twins
from retinue.vision.importing.told import NO_MEAN, NO_STD, PIXELS, ask_for
from retinue.vision.package import Frame, Manifest, Numbers

Filter: TypeAlias = Literal["nearest", "bilinear", "bicubic", "lanczos", "area"]

# Pillow's numbers for its filters, as `resample` holds them.
FILTERS: dict[int, Filter] = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "area"}

# Detectors that score each class by itself; DETR and YOLOS share one softmax with “no object”.
SIGMOID_DETECTORS = (
    "rt_detr",
    "d_fine",
    "deformable_detr",
    "conditional_detr",
    "dab_detr",
    "lw_detr",
    "rf_detr",
)

# Multiples to which the processors of some models round their sides down.
MULTIPLES = {"yolos": 16}


def is_huggingface(evidence: Evidence) -> bool:
    said = evidence.description("config.json")
    return "architectures" in said or "model_type" in said


def read_huggingface(evidence: Evidence) -> Manifest:
    config = evidence.description("config.json")
    kind = _kind(config, evidence)
    if kind is None:
        raise ModelRefused(
            "Of Hugging Face's models Retinue serves image classification, object detection and semantic segmentation."
        )
    labels = evidence.labels(_labels(config))
    if labels is None:
        raise ask_for("labels")
    return kind(
        evidence,
        labels=labels,
        source=f"Hugging Face {config.get('model_type', '')}".strip()[:200],
        licence=evidence.licence(config.get("license")),
    )


def _kind(config: dict[str, Any], evidence: Evidence) -> Callable[..., Manifest] | None:
    """By the architecture's name; where the description has none, by the outputs that only one kind has."""
    named = config.get("architectures")
    if isinstance(named, list) and named:
        return next((read for words, read in KINDS.items() if words in str(named[0])), None)
    logits = evidence.graph.output("logits")
    if logits is None:
        return None
    if evidence.graph.output("pred_boxes") is not None:
        return _detect
    return {2: _classify, 4: _segment}.get(logits.rank or 0)


def _classify(evidence: Evidence, *, labels: tuple[str, ...], **about: Any) -> Manifest:
    scores = evidence.graph.output("logits") or evidence.graph.outputs[0]
    if scores.side(1) not in (None, len(labels)):
        raise ModelRefused(f"The description names {len(labels)} classes, but the network scores {scores.side(1)}.")
    sigmoid = evidence.description("config.json").get("problem_type") == "multi_label_classification"
    return evidence.manifest(
        task="classify",
        head="classify",
        head_parameters={"outputs": [scores.name], "activation": "sigmoid" if sigmoid else "softmax"},
        labels=labels,
        **_pixels(evidence),
        **about,
    )


def _detect(evidence: Evidence, *, labels: tuple[str, ...], **about: Any) -> Manifest:
    scores, boxes = evidence.graph.output("logits"), evidence.graph.output("pred_boxes")
    if scores is None or boxes is None:
        raise ModelRefused("A detector of the DETR family answers with “logits” and “pred_boxes”; this graph does not.")
    model_type = str(evidence.description("config.json").get("model_type", ""))
    sigmoid = model_type.startswith(SIGMOID_DETECTORS)
    columns = len(labels) + (0 if sigmoid else 1)
    if scores.side(2) not in (None, columns):
        raise ModelRefused(f"The description names {len(labels)} classes; the network's scores do not fit them.")
    return evidence.manifest(
        task="detect",
        head="detr",
        head_parameters={"outputs": [scores.name, boxes.name], "activation": "sigmoid" if sigmoid else "softmax"},
        labels=labels,
        **_pixels(evidence),
        **about,
    )


def _segment(evidence: Evidence, *, labels: tuple[str, ...], **about: Any) -> Manifest:
    scores = evidence.graph.output("logits") or evidence.graph.outputs[0]
    if scores.rank not in (None, 4) or scores.side(1) not in (None, len(labels)):
        raise ModelRefused(f"The description names {len(labels)} classes; the network's maps do not fit them.")
    return evidence.manifest(
        task="segment",
        head="semantic",
        head_parameters={"outputs": [scores.name]},
        labels=labels,
        **_pixels(evidence),
        **about,
    )


KINDS = {"ForImageClassification": _classify, "ForObjectDetection": _detect, "ForSemanticSegmentation": _segment}


def _labels(config: dict[str, Any]) -> tuple[str, ...] | None:
    said = config.get("id2label")
    if isinstance(said, dict) and said and all(str(number).isdigit() for number in said):
        # Some detectors leave numbers out (COCO's 91 with 80 names): the gaps get a name that says so.
        last = max(int(number) for number in said)
        if last < 4 * len(said) + 32:
            named = {int(number): name for number, name in said.items()}
            return labels_of(list(numbered_twins([named.get(at, f"(unused {at})") for at in range(last + 1)])))
    return labels_of(said)


class Sides(Loose):
    height: int | None = Field(default=None, gt=0)
    width: int | None = Field(default=None, gt=0)
    shortest_edge: int | None = Field(default=None, gt=0)
    longest_edge: int | None = Field(default=None, gt=0)

    @property
    def both(self) -> tuple[int, int] | None:
        return (self.width, self.height) if self.width and self.height else None


class Processor(Loose):
    """`preprocessor_config.json`, as far as pixels depend on it. A bare number as size is a short side where a crop
    follows, both sides where none does."""

    size: Sides | int | None = None
    crop_size: Sides | int | None = None
    do_center_crop: bool = False
    crop_pct: float | None = Field(default=None, gt=0.1, le=1)
    max_size: int | None = Field(default=None, gt=0)
    resample: int = 2
    do_rescale: bool = True
    rescale_factor: float = 1 / 255
    do_normalize: bool = True
    image_mean: list[float] | float | None = None
    image_std: list[float] | float | None = None

    @property
    def shortest(self) -> int | None:
        return self.size.shortest_edge if isinstance(self.size, Sides) else self.size

    @property
    def longest(self) -> int | None:
        return (self.size.longest_edge if isinstance(self.size, Sides) else None) or self.max_size

    @property
    def filter(self) -> Filter:
        if self.resample not in FILTERS:
            raise ModelRefused("The description names a filter (“resample”) that Retinue does not know.")
        return FILTERS[self.resample]


def _pixels(evidence: Evidence) -> dict[str, Any]:
    """Frame and numbers from the processor's description; asked for where the description is missing."""
    said = evidence.description("preprocessor_config.json")
    told = evidence.told
    size = evidence.size or told.size
    if said:
        processor = Processor.model_validate(said)
        return {"frame": _frame(evidence, processor), "numbers": _numbers(evidence, processor)}
    missing = [*([] if size else ["size"]), *([] if told.says_pixels else ["pixels"])]
    if missing or size is None:
        raise ask_for(*missing)
    scale, mean, std = PIXELS[told.pixels or "unit"]
    return {"frame": evidence.frame("stretch", size), "numbers": evidence.numbers(scale=scale, mean=mean, std=std)}


def _numbers(evidence: Evidence, said: Processor) -> Numbers:
    scale = said.rescale_factor if said.do_rescale else 1.0
    if not said.do_normalize:
        return evidence.numbers(scale=scale, mean=NO_MEAN, std=NO_STD)
    if said.image_mean is None or said.image_std is None:
        raise ask_for("pixels")
    return evidence.numbers(scale=scale, mean=said.image_mean, std=said.image_std)


def _frame(evidence: Evidence, said: Processor) -> Frame:
    graph_size = evidence.size or evidence.told.size
    crop = _both(said.crop_size) if said.do_center_crop else None
    if said.shortest and said.crop_pct and not crop:
        return _convnext(evidence, said.shortest, share=said.crop_pct, chosen=said.filter)
    if crop and said.shortest:
        size = graph_size or crop
        return evidence.frame("crop", size, short_side=said.shortest, filter=said.filter, crop_at="floor")
    if graph_size:
        # A graph of one size gets just that; a processor that keeps the picture's shape cannot feed it.
        return evidence.frame("stretch", graph_size, filter=said.filter)
    if said.shortest and said.longest:
        multiple = MULTIPLES.get(str(evidence.description("config.json").get("model_type")), 1)
        longest = (said.longest, said.longest)
        return evidence.frame("within", longest, short_side=said.shortest, filter=said.filter, multiple_of=multiple)
    sides = _both(said.size or said.crop_size)
    if sides is None:
        raise ask_for("size")
    return evidence.frame("stretch", sides, filter=said.filter)


def _convnext(evidence: Evidence, side: int, *, share: float, chosen: Filter) -> Frame:
    """ConvNeXt's and ResNet's processor: below 384 pixels a crop that keeps `crop_pct`, from there on a stretch."""
    size = evidence.size or (side, side)
    if side >= 384:
        return evidence.frame("stretch", size, filter=chosen)
    return evidence.frame("crop", size, short_side=int(side / share), filter=chosen, crop_at="floor")


def _both(sides: Sides | int | None) -> tuple[int, int] | None:
    return sides.both if isinstance(sides, Sides) else both_sides(sides)
