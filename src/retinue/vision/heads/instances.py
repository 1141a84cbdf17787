"""Reads YOLO segmenters: detections whose masks are mixtures of the prototypes in a second output."""

import numpy as np
from numpy.typing import NDArray

from retinue.vision.asking import Asked
from retinue.vision.errors import ModelFailed
from retinue.vision.geometry import Fit, Values
from retinue.vision.heads.detections import boxes_in_picture
from retinue.vision.heads.head import Outputs, label_of, numbers
from retinue.vision.heads.run_length import run_lengths
from retinue.vision.heads.suppression import suppress
from retinue.vision.heads.yolo import anchors, default_iou, finished
from retinue.vision.package import Manifest
from retinue.vision.results import Box, Mask, Masks

Region = tuple[int, int, int, int]


class YoloSegment:
    """Outputs: the detector's, then the prototypes [k, rows, columns]. Parameters: those of `yolo-raw`, and a `layout`
    of its own, end2end: rows of box, score, class and k weights, without duplicates."""

    has_batches = True

    def read(self, outputs: Outputs, fit: Fit, manifest: Manifest, asked: Asked) -> Masks:
        told, prototypes = numbers(outputs, manifest, 0), numbers(outputs, manifest, 1)
        if prototypes.ndim != 3:
            raise ModelFailed("The segmenter's prototypes are no stack of pictures.")
        end_to_end = manifest.head_parameters.get("layout") == "end2end"
        found = (
            finished(told, fit, manifest) if end_to_end else anchors(told, fit, manifest, asked, extra=len(prototypes))
        )
        if found.rest.shape[1] != len(prototypes):
            raise ModelFailed("The segmenter does not give one weight for each prototype.")
        kept = suppress(
            found.boxes,
            found.scores,
            found.class_ids,
            manifest=manifest,
            asked=asked,
            default_iou=None if end_to_end else default_iou(manifest),
        ).sure
        maps = np.tensordot(found.rest[kept], prototypes, axes=1)
        items = []
        for i, box, logits in zip(kept, boxes_in_picture(found.boxes[kept], fit), maps, strict=True):
            class_id = int(found.class_ids[i])
            part, corner = mask_in_box(logits, box, fit)
            size = (fit.height, fit.width)
            counts = run_lengths(part, at=corner, size=size)
            items.append(Mask(label_of(class_id, manifest), class_id, float(found.scores[i]), box, size, counts))
        return Masks(tuple(items))


def mask_in_box(logits: Values, box: Box, fit: Fit) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """The pixels inside the box where the smoothly enlarged map is above zero: a chance above one half."""
    x0, y0, x1, y1 = _pixels_inside(box, fit)
    if x1 <= x0 or y1 <= y0:
        return np.zeros((0, 0), np.bool_), (0, 0)
    return fit.mask_back(np.ascontiguousarray(logits), region=(x0, y0, x1, y1), outside=-1) > 0, (x0, y0)


def _pixels_inside(box: Box, fit: Fit) -> Region:
    """Pixels whose centres lie in the box."""
    x, y, width, height = box
    x0, y0 = int(np.ceil(x - 0.5)), int(np.ceil(y - 0.5))
    return (
        max(x0, 0),
        max(y0, 0),
        min(int(np.ceil(x + width - 0.5)), fit.width),
        min(int(np.ceil(y + height - 0.5)), fit.height),
    )
