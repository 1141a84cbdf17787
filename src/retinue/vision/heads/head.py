"""What a head is: it reads one picture's network outputs as an answer in that picture's pixels."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retinue.vision.asking import Asked
from retinue.vision.errors import ModelFailed
from retinue.vision.geometry import Fit
from retinue.vision.package import Manifest
from retinue.vision.results import Result

Outputs = dict[str, NDArray[np.generic]]


class Head(Protocol):
    """`has_batches` is False where the network answers for one picture without a batch dimension."""

    has_batches: bool

    def read(self, outputs: Outputs, fit: Fit, manifest: Manifest, asked: Asked) -> Result: ...


def numbers(outputs: Outputs, manifest: Manifest, place: int) -> NDArray[np.float32]:
    """The output that the manifest's head parameters name at this place, else the graph's own at this place.

    Whatever holds a NaN or an infinity is refused here: no score that is no number ever leaves a head.
    """
    names = named_outputs(manifest) or tuple(outputs)
    try:
        values = outputs[names[place]].astype(np.float32, copy=False)
    except (KeyError, IndexError) as cause:
        raise ModelFailed("The model did not give the output that its manifest names.") from cause
    if values.size and not (np.isfinite(values.min()) and np.isfinite(values.max())):
        raise ModelFailed("The model answered with values that are no numbers.")
    return values


def named_outputs(manifest: Manifest) -> tuple[str, ...]:
    """The outputs that the manifest names, in the head's order; none where the graph's own order is right."""
    return tuple(manifest.head_parameters.get("outputs", ()))


def label_of(class_id: int, manifest: Manifest) -> str:
    """A class without a name is shown by its number."""
    return manifest.labels[class_id] if 0 <= class_id < len(manifest.labels) else str(class_id)
