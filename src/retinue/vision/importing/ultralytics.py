"""Ultralytics exports (YOLOv5, v8, 11, 26): the file carries its class names, size, task and licence as metadata."""

from typing import Any

from retinue.vision.errors import ModelRefused
from retinue.vision.importing.evidence import Evidence, both_sides
from retinue.vision.importing.graph import Output
from retinue.vision.importing.labels import labels_of
from retinue.vision.importing.told import IMAGENET_MEAN, IMAGENET_STD, NO_MEAN, NO_STD, ask_for
from retinue.vision.package import Frame, Manifest

V5_IOU = 0.45  # what YOLOv5 itself predicts with; from v8 on it is 0.7
END_TO_END_COLUMNS = 6  # x1 y1 x2 y2 score class


def is_ultralytics(evidence: Evidence) -> bool:
    said = evidence.graph.metadata
    return "names" in said and ("stride" in said or "task" in said)


def read_ultralytics(evidence: Evidence) -> Manifest:
    said = evidence.graph.metadata
    readers = {"detect": _detect, "segment": _segment, "classify": _classify}
    read = readers.get(str(said.get("task") or _task_of_v5(evidence)))
    if read is None or said.get("head") == "RTDETRDecoder":
        raise ModelRefused("Of Ultralytics' models Retinue serves the YOLO detectors, segmenters and classifiers.")
    labels = evidence.labels(labels_of(said["names"]))
    if labels is None:
        raise ask_for("labels")
    return read(
        evidence,
        labels=labels,
        source=f"Ultralytics {said.get('version', '') or 'YOLOv5'}".strip()[:200],
        licence=evidence.licence(said.get("license")),
        description=str(said.get("description", ""))[:500],
    )


def _detect(evidence: Evidence, *, labels: tuple[str, ...], **about: Any) -> Manifest:
    boxes = evidence.graph.outputs[0]
    if _is_end_to_end(evidence, boxes, columns=END_TO_END_COLUMNS):
        head, parameters = "yolo-end2end", dict[str, Any]()
    else:
        head, parameters = "yolo-raw", _raw_layout(evidence, boxes, classes=len(labels), masks=0)
    return evidence.manifest(
        task="detect",
        head=head,
        head_parameters={"outputs": [boxes.name], **parameters},
        labels=labels,
        frame=_letterbox(evidence),
        numbers=evidence.numbers(scale=1 / 255, mean=NO_MEAN, std=NO_STD),
        **about,
    )


def _segment(evidence: Evidence, *, labels: tuple[str, ...], **about: Any) -> Manifest:
    outputs = evidence.graph.outputs
    prototypes = next((output for output in outputs if output.rank == 4), None)
    boxes = next((output for output in outputs if output.rank == 3), None)
    if prototypes is None or boxes is None:
        raise ModelRefused("A YOLO segmenter has two outputs, boxes and mask prototypes; this graph has not.")
    masks = prototypes.side(1) or 32
    if _is_end_to_end(evidence, boxes, columns=END_TO_END_COLUMNS + masks):
        parameters: dict[str, Any] = {"layout": "end2end"}
    else:
        parameters = _raw_layout(evidence, boxes, classes=len(labels), masks=masks)
    return evidence.manifest(
        task="segment",
        head="yolo-segment",
        head_parameters={"outputs": [boxes.name, prototypes.name], **parameters},
        labels=labels,
        frame=_letterbox(evidence),
        numbers=evidence.numbers(scale=1 / 255, mean=NO_MEAN, std=NO_STD),
        **about,
    )


def _classify(evidence: Evidence, *, labels: tuple[str, ...], **about: Any) -> Manifest:
    scores = evidence.graph.outputs[0]
    if scores.side(1) not in (None, len(labels)):
        raise ModelRefused(f"The file names {len(labels)} classes, but the network scores {scores.side(1)}.")
    size = _size(evidence)
    # YOLOv5's classifier was trained on ImageNet's colours and gives raw scores; from v8 on neither holds.
    is_v5 = not _names_task(evidence)
    return evidence.manifest(
        task="classify",
        head="classify",
        head_parameters={"outputs": [scores.name], "activation": "none" if scores.made_by == "Softmax" else "softmax"},
        labels=labels,
        frame=evidence.frame("crop", size, short_side=min(size), filter="bilinear")
        if size[0] == size[1]
        else evidence.frame("stretch", size, filter="bilinear"),
        numbers=evidence.numbers(
            scale=1 / 255, mean=IMAGENET_MEAN if is_v5 else NO_MEAN, std=IMAGENET_STD if is_v5 else NO_STD
        ),
        **about,
    )


def _task_of_v5(evidence: Evidence) -> str:
    """YOLOv5's own exporter does not name the task; the shapes of the answers do."""
    ranks = [output.rank for output in evidence.graph.outputs]
    if ranks[0] == 2:
        return "classify"
    return "segment" if 4 in ranks and 3 in ranks else "detect"


def _is_end_to_end(evidence: Evidence, boxes: Output, *, columns: int) -> bool:
    said = evidence.graph.metadata
    arguments = said.get("args")
    with_nms = isinstance(arguments, dict) and arguments.get("nms") is True
    return bool(said.get("end2end") is True or with_nms) and boxes.side(2) in (None, columns)


def _raw_layout(evidence: Evidence, boxes: Output, *, classes: int, masks: int) -> dict[str, Any]:
    """v8 and later: [4 + classes, anchors]; v5: [anchors, 5 + classes], the fifth how sure it is of any thing.

    Where a flexible export leaves both sides open, only v5's own exporter does not name the task."""
    columns = 4 + classes + masks
    if boxes.side(1) == columns or (boxes.side(1) is None and boxes.side(2) is None and _names_task(evidence)):
        return {}
    if boxes.side(2) == columns + 1 or (boxes.side(1) is None and boxes.side(2) is None):
        return {"layout": "v5", "iou": V5_IOU}
    raise ModelRefused(f"The network's answer does not have the form that YOLO gives {classes} classes.")


def _names_task(evidence: Evidence) -> bool:
    return "task" in evidence.graph.metadata


def _letterbox(evidence: Evidence) -> Frame:
    return evidence.frame(
        "letterbox", _size(evidence), library="opencv", filter="bilinear", antialias=False, pad_value=114
    )


def _size(evidence: Evidence) -> tuple[int, int]:
    size = evidence.size or evidence.told.size or both_sides(evidence.graph.metadata.get("imgsz"))
    if size is None:
        raise ask_for("size")
    return size
