"""Reads a classifier: one number per class, as logits or already as probabilities."""

import numpy as np

from retinue.vision.asking import Asked
from retinue.vision.geometry import Fit, Values
from retinue.vision.heads.head import Outputs, label_of, numbers
from retinue.vision.package import Manifest
from retinue.vision.results import Classes, Score


class Classify:
    """Parameters: `activation` softmax (default), sigmoid (each class for itself) or none (already probabilities)."""

    has_batches = True

    def read(self, outputs: Outputs, fit: Fit, manifest: Manifest, asked: Asked) -> Classes:
        values = numbers(outputs, manifest, 0).ravel()
        scores = ACTIVATIONS[manifest.head_parameters.get("activation", "softmax")](values)
        # A stable order, so that equal scores always come out the same way.
        best = np.argsort(-scores, kind="stable")[: max(asked.top_k, 0)]
        return Classes(tuple(Score(label_of(int(i), manifest), int(i), float(scores[i])) for i in best))


def softmax(values: Values, axis: int = -1) -> Values:
    if not values.size:
        return values
    raised = np.exp(values - values.max(axis=axis, keepdims=True))
    return np.asarray(raised / raised.sum(axis=axis, keepdims=True), np.float32)


def sigmoid(values: Values) -> Values:
    # Written with tanh, because exp overflows for the large negative logits of a sure network.
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)), np.float32)


def as_they_are(values: Values) -> Values:
    return values


ACTIVATIONS = {"softmax": softmax, "sigmoid": sigmoid, "none": as_they_are}
