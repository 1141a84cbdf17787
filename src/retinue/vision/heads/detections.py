"""How candidates in the network's frame become detections in the picture: the last step that all detectors share."""

import numpy as np

from retinue.vision.asking import Asked
from retinue.vision.geometry import Fit, Values
from retinue.vision.heads.head import label_of
from retinue.vision.heads.suppression import Indices, Kept, suppress
from retinue.vision.package import Manifest
from retinue.vision.results import Box, Detection, Detections


def detections(
    boxes: Values,
    scores: Values,
    class_ids: Indices,
    *,
    fit: Fit,
    manifest: Manifest,
    asked: Asked,
    default_iou: float | None = None,
) -> Detections:
    """`boxes` are x0, y0, x1, y1 in pixels of the frame."""
    kept = suppress(boxes, scores, class_ids, manifest=manifest, asked=asked, default_iou=default_iou)
    return as_detections(kept, boxes, scores, class_ids, fit=fit, manifest=manifest)


def as_detections(
    kept: Kept, boxes: Values, scores: Values, class_ids: Indices, *, fit: Fit, manifest: Manifest
) -> Detections:
    def told(indices: Indices) -> tuple[Detection, ...]:
        return tuple(
            Detection(label_of(int(class_ids[i]), manifest), int(class_ids[i]), float(scores[i]), box)
            for i, box in zip(indices, boxes_in_picture(boxes[indices], fit), strict=True)
        )

    return Detections(told(kept.sure), told(kept.unsure))


def boxes_in_picture(boxes: Values, fit: Fit) -> list[Box]:
    """x, y, width, height in the picture."""
    back = fit.boxes_back(boxes)
    return [(x0, y0, max(x1 - x0, 0.0), max(y1 - y0, 0.0)) for x0, y0, x1, y1 in back.tolist()]


def corners(centred: Values) -> Values:
    """Centre x, centre y, width, height → x0, y0, x1, y1."""
    half = centred[:, 2:4] / 2
    return np.concatenate([centred[:, :2] - half, centred[:, :2] + half], axis=1)
