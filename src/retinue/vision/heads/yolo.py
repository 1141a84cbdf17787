"""Reads the YOLO family's detectors: one row or column per anchor (v5, v8, v11), or finished boxes (v10, v26)."""

from dataclasses import dataclass

import numpy as np

from retinue.vision.asking import Asked
from retinue.vision.errors import ModelFailed
from retinue.vision.geometry import Fit, Values
from retinue.vision.heads.detections import corners, detections
from retinue.vision.heads.head import Outputs, numbers
from retinue.vision.heads.suppression import Indices, lowest_floor
from retinue.vision.package import Manifest
from retinue.vision.results import Detections

DEFAULT_IOU = {"v8": 0.7, "v5": 0.45}  # what Ultralytics' and YOLOv5's own predictors use


@dataclass(frozen=True, slots=True)
class Candidates:
    """The anchors worth a look: boxes in the frame, the best class of each, and what else its row holds."""

    boxes: Values
    scores: Values
    class_ids: Indices
    rest: Values


class YoloRaw:
    """Parameters: `layout` v8 (default: [4 + classes, anchors]) or v5 ([anchors, 5 + classes], the fifth the chance of
    any thing), `normalised` (false: boxes are in pixels), `iou`, `agnostic` (false: only a class suppresses
    itself)."""

    has_batches = True

    def read(self, outputs: Outputs, fit: Fit, manifest: Manifest, asked: Asked) -> Detections:
        found = anchors(numbers(outputs, manifest, 0), fit, manifest, asked)
        return detections(
            found.boxes,
            found.scores,
            found.class_ids,
            fit=fit,
            manifest=manifest,
            asked=asked,
            default_iou=default_iou(manifest),
        )


class YoloEndToEnd:
    """[n, 6]: x0, y0, x1, y1, score, class; duplicates are already gone. Parameter: `normalised` (false)."""

    has_batches = True

    def read(self, outputs: Outputs, fit: Fit, manifest: Manifest, asked: Asked) -> Detections:
        found = finished(numbers(outputs, manifest, 0), fit, manifest)
        return detections(found.boxes, found.scores, found.class_ids, fit=fit, manifest=manifest, asked=asked)


def anchors(values: Values, fit: Fit, manifest: Manifest, asked: Asked, *, extra: int = 0) -> Candidates:
    """Anchors that could become an answer, out of [4 + classes + extra, anchors] or, for v5, [anchors, 5 + …].

    The threshold is applied before anything is copied: of 8,400 anchors usually fewer than 100 are left.
    """
    is_v5 = manifest.head_parameters.get("layout", "v8") == "v5"
    first_class = 5 if is_v5 else 4
    columns = values.T if is_v5 else values
    if values.ndim != 2 or len(columns) != first_class + (len(manifest.labels) or 1) + extra:
        raise ModelFailed("The detector's answer does not have the shape that its labels ask for.")
    past_classes = len(columns) - extra
    classes = columns[first_class:past_classes]
    best = classes.max(axis=0)
    if is_v5:
        best = best * columns[4]
    kept = np.flatnonzero(best >= lowest_floor(manifest.labels, manifest, asked) / 2)
    return Candidates(
        boxes=_in_frame(corners(np.ascontiguousarray(columns[:4, kept].T)), fit, manifest),
        scores=best[kept],
        class_ids=classes[:, kept].argmax(axis=0),
        rest=np.ascontiguousarray(columns[past_classes:, kept].T),
    )


def finished(values: Values, fit: Fit, manifest: Manifest) -> Candidates:
    if values.ndim != 2 or values.shape[1] < 6:
        raise ModelFailed("The detector's answer does not have six numbers for each box.")
    class_ids = np.rint(values[:, 5]).astype(np.intp)
    return Candidates(_in_frame(values[:, :4], fit, manifest), values[:, 4], class_ids, values[:, 6:])


def default_iou(manifest: Manifest) -> float:
    return DEFAULT_IOU["v5" if manifest.head_parameters.get("layout") == "v5" else "v8"]


def _in_frame(boxes: Values, fit: Fit, manifest: Manifest) -> Values:
    if not manifest.head_parameters.get("normalised"):
        return boxes
    return boxes * np.array([fit.frame_width, fit.frame_height] * 2, np.float32)
