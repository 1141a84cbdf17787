"""Reads DETR-like detectors: a fixed number of queries, each with class logits and one box, no duplicates to remove."""

import numpy as np

from retinue.vision.asking import Asked
from retinue.vision.errors import ModelFailed
from retinue.vision.geometry import Fit
from retinue.vision.heads.classify import sigmoid, softmax
from retinue.vision.heads.detections import corners, detections
from retinue.vision.heads.head import Outputs, named_outputs, numbers
from retinue.vision.package import Manifest
from retinue.vision.results import Detections


class Detr:
    """Outputs: `logits` [queries, classes], then `pred_boxes` [queries, 4] as centre and size in parts of the frame.

    Parameters: `activation` softmax (default: DETR, YOLOS; the last class means "nothing here") or sigmoid (RT-DETR,
    Deformable DETR: a query may stand for several classes, and as many answers as queries are looked at).
    """

    has_batches = True

    def read(self, outputs: Outputs, fit: Fit, manifest: Manifest, asked: Asked) -> Detections:
        named = not named_outputs(manifest) and {"logits", "pred_boxes"} <= outputs.keys()
        chosen = {name: outputs[name] for name in ("logits", "pred_boxes")} if named else outputs
        logits, centred = numbers(chosen, manifest, 0), numbers(chosen, manifest, 1)
        if logits.ndim != 2 or centred.shape != (len(logits), 4):
            raise ModelFailed("The detector does not give one box for each query.")
        if manifest.head_parameters.get("activation", "softmax") == "sigmoid":
            flat = sigmoid(logits).ravel()
            best = np.argsort(-flat, kind="stable")[: len(logits)]
            queries, class_ids, scores = best // logits.shape[1], best % logits.shape[1], flat[best]
        else:
            chances = softmax(logits)[:, :-1]
            queries, class_ids, scores = np.arange(len(logits)), chances.argmax(axis=1), chances.max(axis=1)
        frame = np.array([fit.frame_width, fit.frame_height] * 2, np.float32)
        boxes = corners(centred[queries]) * frame
        return detections(boxes, scores, class_ids, fit=fit, manifest=manifest, asked=asked)
