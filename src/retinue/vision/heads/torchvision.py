"""Reads torchvision's detectors, whose graphs end in finished boxes in pixels of the frame."""

import numpy as np

from retinue.vision.asking import Asked
from retinue.vision.errors import ModelFailed
from retinue.vision.geometry import Fit
from retinue.vision.heads.detections import detections
from retinue.vision.heads.head import Outputs, named_outputs, numbers
from retinue.vision.package import Manifest
from retinue.vision.results import Detections


class TorchvisionDetect:
    """Outputs: boxes [n, 4], labels [n], scores [n], for one picture.

    Parameter: `first_label` (1: torchvision keeps 0 for the background, so the first name belongs to 1).
    """

    has_batches = False

    def read(self, outputs: Outputs, fit: Fit, manifest: Manifest, asked: Asked) -> Detections:
        named = not named_outputs(manifest) and {"boxes", "labels", "scores"} <= outputs.keys()
        chosen = {name: outputs[name] for name in ("boxes", "labels", "scores")} if named else outputs
        boxes, labels, scores = (numbers(chosen, manifest, place) for place in range(3))
        labels, scores = labels.ravel(), scores.ravel()  # some exports keep a batch dimension of one
        if boxes.shape[-1:] != (4,) or boxes.size != 4 * len(scores) or labels.shape != scores.shape:
            raise ModelFailed("The detector does not give one label and one score for each box.")
        class_ids = np.rint(labels).astype(np.intp) - int(manifest.head_parameters.get("first_label", 1))
        known, boxes = np.flatnonzero(class_ids >= 0), boxes.reshape(-1, 4)
        return detections(boxes[known], scores[known], class_ids[known], fit=fit, manifest=manifest, asked=asked)
