"""Which of many overlapping boxes stay: the surest of each class first, until enough are found."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retinue.vision.asking import Asked
from retinue.vision.geometry import Values
from retinue.vision.heads.head import label_of
from retinue.vision.package import Manifest

Indices = NDArray[np.intp]
BLOCK = 2048


@dataclass(frozen=True, slots=True)
class Kept:
    """Indices of the candidates that are answers, and of those that are only worth a look, the surest first."""

    sure: Indices
    unsure: Indices


def suppress(
    boxes: Values, scores: Values, class_ids: Indices, *, manifest: Manifest, asked: Asked, default_iou: float | None
) -> Kept:
    """Keeps the best `asked.max_detections` of each sort. `default_iou` None: the network has no duplicates to remove.

    What is sure is decided without what is unsure, so a low threshold for one class never hides another class.
    """
    sure, unsure = split_by_threshold(scores, class_ids, manifest, asked)
    most = max(asked.max_detections, 0)
    iou = asked.iou if asked.iou is not None else manifest.head_parameters.get("iou", default_iou)
    if iou is None:
        return Kept(sure[:most], unsure[:most])
    groups = None if manifest.head_parameters.get("agnostic") else class_ids
    kept = _greedy(boxes, sure, groups, iou=iou, most=most)
    # The sure ones come first, so they also remove their unsure shadows.
    both = _greedy(boxes, np.concatenate([kept, unsure]), groups, iou=iou, most=len(kept) + most)
    return Kept(kept, both[len(kept) :])


def split_by_threshold(scores: Values, class_ids: Indices, manifest: Manifest, asked: Asked) -> tuple[Indices, Indices]:
    """Indices at or above their class's threshold, and those between half of it and it; both the surest first."""
    floors = _floors(class_ids, manifest, asked)
    order = np.argsort(-scores, kind="stable")
    sure = scores[order] >= floors[order]
    return order[sure], order[~sure & (scores[order] >= floors[order] / 2)]


def lowest_floor(labels: Sequence[str], manifest: Manifest, asked: Asked) -> float:
    """No candidate under half of this can become an answer of any sort."""
    return min((asked.floor(label, manifest.thresholds) for label in labels or ("",)), default=0.5)


def _floors(class_ids: Indices, manifest: Manifest, asked: Asked) -> Values:
    found, places = np.unique(class_ids, return_inverse=True)
    told = [asked.floor(label_of(int(one), manifest), manifest.thresholds) for one in found]
    return np.array(told, np.float32)[places]


def _greedy(boxes: Values, order: Indices, groups: Indices | None, *, iou: float, most: int) -> Indices:
    """Each kept box removes what overlaps it, block by block: of 25,200 noisy boxes most are never looked at."""
    x0, y0, x1, y1 = boxes.T
    areas = (x1 - x0) * (y1 - y0)

    def apart(best: int, others: Indices) -> Indices:
        across = np.minimum(x1[best], x1[others]) - np.maximum(x0[best], x0[others])
        down = np.minimum(y1[best], y1[others]) - np.maximum(y0[best], y0[others])
        shared = np.maximum(across, 0) * np.maximum(down, 0)
        overlapping = shared > iou * (areas[best] + areas[others] - shared)
        if groups is not None:
            overlapping &= groups[others] == groups[best]
        left: Indices = others[~overlapping]
        return left

    kept: list[int] = []
    for start in range(0, len(order), BLOCK):
        block = order[start : start + BLOCK]
        for one in kept:
            block = apart(one, block)
        while block.size and len(kept) < most:
            kept.append(int(block[0]))
            block = apart(kept[-1], block[1:])
        if len(kept) >= most:
            break
    return np.array(kept, np.intp)
