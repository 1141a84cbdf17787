"""Reads semantic segmenters: one map per class, or one map that already names the class of each cell."""

import numpy as np
from numpy.typing import NDArray

from retinue.vision.asking import Asked
from retinue.vision.errors import ModelFailed
from retinue.vision.geometry import Fit, Values
from retinue.vision.heads.classify import softmax
from retinue.vision.heads.head import Outputs, label_of, numbers
from retinue.vision.heads.run_length import run_lengths
from retinue.vision.package import Manifest
from retinue.vision.results import Mask, Masks

NOT_SEEN = -1


class Semantic:
    """Output: [classes, rows, columns] logits, or [rows, columns] class numbers.

    Parameters: `ignore` (labels that get no mask; default: background). A mask's score is the mean chance of its cells.
    The threshold does not apply: every pixel has one class.
    """

    has_batches = True

    def read(self, outputs: Outputs, fit: Fit, manifest: Manifest, asked: Asked) -> Masks:
        values = numbers(outputs, manifest, 0)
        if values.ndim == 3 and len(values) == 1 and len(manifest.labels) != 1:
            values = values[0]
        if values.ndim not in {2, 3} or not values.size:
            raise ModelFailed("The segmenter's answer is no map.")
        winners, chances = (values, None) if values.ndim == 2 else _coarse(values)
        present = [int(one) for one in np.unique(winners)]
        classes = _class_of_each_pixel(values, present, fit)
        ignored = set(manifest.head_parameters.get("ignore", ("background",)))
        items = [
            _mask(classes == one, one, 1.0 if chances is None else float(chances[winners == one].mean()), fit, manifest)
            for one in present
            if label_of(one, manifest) not in ignored
        ]
        items = [item for item in items if item.box[2]]
        return Masks(tuple(sorted(items, key=lambda item: -item.score)))


def _coarse(logits: Values) -> tuple[NDArray[np.intp], Values]:
    return logits.argmax(axis=0), softmax(logits, axis=0).max(axis=0)


def _class_of_each_pixel(values: Values, present: list[int], fit: Fit) -> NDArray[np.int32]:
    """Logits are enlarged smoothly and then compared, as their makers do; one class at a time, for the memory's sake.

    A class that wins no cell of the coarse map is left out: enlarged, it could only win slivers between two others.
    """
    if values.ndim == 2:
        return fit.mask_back(values, smooth=False, outside=NOT_SEEN).astype(np.int32)
    best = np.full((fit.height, fit.width), -np.inf, np.float32)
    classes = np.full((fit.height, fit.width), NOT_SEEN, np.int32)
    for one in present:
        enlarged = fit.mask_back(np.ascontiguousarray(values[one]), outside=-np.inf)
        better = enlarged > best
        best[better], classes[better] = enlarged[better], one
    return classes


def _mask(pixels: NDArray[np.bool_], class_id: int, score: float, fit: Fit, manifest: Manifest) -> Mask:
    size = (fit.height, fit.width)
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    if not rows.size:
        return Mask(label_of(class_id, manifest), class_id, score, (0.0, 0.0, 0.0, 0.0), size, "")
    x0, y0, x1, y1 = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    counts = run_lengths(pixels[y0:y1, x0:x1], at=(x0, y0), size=size)
    box = (float(x0), float(y0), float(x1 - x0), float(y1 - y0))
    return Mask(label_of(class_id, manifest), class_id, score, box, size, counts)
