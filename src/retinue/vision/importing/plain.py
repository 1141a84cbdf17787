"""Exports that say nothing of themselves (torchvision, Keras, LaMa): shapes tell the head, a person tells the rest."""

from typing import Any

from retinue.vision.errors import ModelRefused
from retinue.vision.importing.evidence import Evidence
from retinue.vision.importing.graph import Output, Tensor
from retinue.vision.importing.told import PIXELS, Pixels, ask_for
from retinue.vision.package import Frame, Manifest, Task

# torchvision's own recipe for a classifier at 224: short side 256, centre 224.
TORCHVISION_CROP = 224 / 256


def is_plain(evidence: Evidence) -> bool:
    return True


def read_plain(evidence: Evidence) -> Manifest:
    task = evidence.told.task or task_by_shape(evidence)
    if task is None:
        raise ask_for("task", *_missing(evidence, labels=evidence.labels(None)))
    return READERS[task](evidence)


def task_by_shape(evidence: Evidence) -> Task | None:
    """The task, where the shapes allow only one; a flat row of numbers needs class names to be a classifier."""
    if _mask_input(evidence) is not None:
        return "inpaint"
    if _boxes_labels_scores(evidence) is not None:
        return "detect"
    labels, first = evidence.labels(None), evidence.graph.outputs[0]
    if labels is not None and len(evidence.graph.outputs) == 1:
        if first.rank == 2 and first.side(1) == len(labels):
            return "classify"
        if first.rank == 4 and first.side(1) == len(labels):
            return "segment"
    return None


def _classify(evidence: Evidence) -> Manifest:
    labels, size = _labels_and_size(evidence)
    scores = evidence.graph.outputs[0]
    if scores.rank not in (None, 2) or scores.side(1) not in (None, len(labels)):
        raise ModelRefused(f"There are {len(labels)} class names, but the network does not give one score for each.")
    frame = _classifier_frame(evidence, size)
    return evidence.manifest(
        task="classify",
        head="classify",
        head_parameters={
            "outputs": [scores.name],
            "activation": "none" if scores.made_by in ("Softmax", "Sigmoid") else "softmax",
        },
        labels=labels,
        frame=frame,
        **_colours(evidence, frame),
    )


def _detect(evidence: Evidence) -> Manifest:
    labels, size = _labels_and_size(evidence)
    named = _boxes_labels_scores(evidence)
    if named is None:
        raise ModelRefused("A plain detector answers with boxes, labels and scores, as torchvision's do.")
    frame = evidence.frame("stretch", size)
    return evidence.manifest(
        task="detect",
        head="torchvision-detect",
        head_parameters={"outputs": [output.name for output in named], "first_label": _first_label(labels)},
        labels=labels,
        frame=frame,
        # torchvision's detectors normalise inside the graph.
        **_colours(evidence, frame, otherwise="unit"),
    )


def _segment(evidence: Evidence) -> Manifest:
    labels, size = _labels_and_size(evidence)
    scores = evidence.graph.output("out") or evidence.graph.outputs[0]
    if scores.rank not in (None, 3, 4) or (scores.rank == 4 and scores.side(1) not in (None, len(labels))):
        raise ModelRefused(f"There are {len(labels)} class names, but the network does not give one map for each.")
    frame = evidence.frame("stretch", size)
    return evidence.manifest(
        task="segment",
        head="semantic",
        head_parameters={"outputs": [scores.name]},
        labels=labels,
        frame=frame,
        **_colours(evidence, frame),
    )


def _inpaint(evidence: Evidence) -> Manifest:
    mask, size = _mask_input(evidence), evidence.size or evidence.told.size
    if mask is None:
        raise ModelRefused("An inpainter takes a picture with three colours and a mask with one; this graph does not.")
    if size is None:
        raise ask_for("size")
    picture = evidence.graph.outputs[0]
    frame = evidence.frame("stretch", size)
    return evidence.manifest(
        task="inpaint",
        head="inpaint",
        inputs=(evidence.picture.name, mask.name),
        head_parameters={"outputs": [picture.name], "top": 255.0 if _gives_bytes(picture) else 1.0},
        frame=frame,
        **_colours(evidence, frame, otherwise="unit"),
    )


READERS = {"classify": _classify, "detect": _detect, "segment": _segment, "inpaint": _inpaint}


def _labels_and_size(evidence: Evidence) -> tuple[tuple[str, ...], tuple[int, int]]:
    labels, size = evidence.labels(None), evidence.size or evidence.told.size
    if labels is None or size is None:
        raise ask_for(*_missing(evidence, labels=labels))
    return labels, size


def _missing(evidence: Evidence, *, labels: tuple[str, ...] | None) -> list[str]:
    return [
        *([] if labels is not None else ["labels"]),
        *([] if evidence.size or evidence.told.size else ["size"]),
    ]


def _classifier_frame(evidence: Evidence, size: tuple[int, int]) -> Frame:
    if evidence.layout == "nhwc" or size[0] != size[1]:
        return evidence.frame("stretch", size)
    return evidence.frame("crop", size, short_side=round(min(size) / TORCHVISION_CROP))


def _colours(evidence: Evidence, frame: Frame, *, otherwise: Pixels | None = None) -> dict[str, Any]:
    """How pixels become numbers, and a description that says aloud what was taken from custom and not from the file."""
    said: list[str] = []
    chosen = evidence.told.pixels
    if chosen is None and (evidence.picture.dtype == "uint8" or evidence.graph.scales_own_pixels):
        chosen = "raw"
    if chosen is None:
        chosen = otherwise or ("imagenet" if evidence.layout == "nchw" else "unit")
        if not evidence.told.says_pixels:
            said.append(f"colours as numbers: {chosen}")
    if evidence.told.fit is None:
        said.append(f"pictures fitted by: {frame.mode}")
    scale, mean, std = PIXELS[chosen]
    custom = "torchvision" if evidence.layout == "nchw" else "Keras"
    return {
        "numbers": evidence.numbers(scale=scale, mean=mean, std=std),
        "description": f"The file does not say, so by {custom}'s custom: {'; '.join(said)}." if said else "",
        "source": evidence.graph.producer,
    }


def _first_label(labels: tuple[str, ...]) -> int:
    """torchvision counts from 1; its own list of names starts with a word for the background."""
    return 0 if labels[0].strip("_").lower() == "background" else 1


def _gives_bytes(picture: Output) -> bool:
    """LaMa exports end by multiplying with 255, or already in whole numbers."""
    return picture.dtype == "uint8" or (picture.times or 0) > 100


def _mask_input(evidence: Evidence) -> Tensor | None:
    """The second input with one colour, as LaMa has it."""
    if len(evidence.graph.inputs) != 2:
        return None
    other = [one for one in evidence.graph.inputs if one.name != evidence.picture.name]
    return next((one for one in other if one.rank == 4 and 1 in (one.side(1), one.side(3))), None)


def _boxes_labels_scores(evidence: Evidence) -> tuple[Output, Output, Output] | None:
    """torchvision's three outputs, by name, else by their types and shapes."""
    outputs = evidence.graph.outputs
    by_name = {output.name.lower(): output for output in outputs}
    if {"boxes", "labels", "scores"} <= set(by_name):
        return by_name["boxes"], by_name["labels"], by_name["scores"]
    if len(outputs) != 3:
        return None
    boxes = [output for output in outputs if output.rank == 2 and output.side(1) == 4]
    labels = [output for output in outputs if output.rank == 1 and output.dtype == "int64"]
    scores = [output for output in outputs if output.rank == 1 and output.dtype.startswith("float")]
    return (boxes[0], labels[0], scores[0]) if boxes and labels and scores else None
