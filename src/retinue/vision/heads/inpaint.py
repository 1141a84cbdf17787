"""Reads inpainting networks, whose output is a picture."""

import numpy as np
from numpy.typing import NDArray

from retinue.vision.asking import Asked
from retinue.vision.errors import ModelFailed
from retinue.vision.geometry import Fit
from retinue.vision.heads.head import Outputs, numbers
from retinue.vision.package import Manifest
from retinue.vision.results import Picture


class Inpaint:
    """Output: [3, rows, columns] or [rows, columns, 3], over the frame.

    Parameters: `top` (1.0; 255 where the graph already gives bytes) and `bottom` (0.0; −1 where it ends in tanh).
    """

    has_batches = True

    def read(self, outputs: Outputs, fit: Fit, manifest: Manifest, asked: Asked) -> Picture:
        values = numbers(outputs, manifest, 0)
        if values.ndim != 3 or 3 not in {values.shape[0], values.shape[2]}:
            raise ModelFailed("The network did not answer with a picture.")
        picture = values.transpose(1, 2, 0) if values.shape[0] == 3 else values
        top, bottom = (
            float(manifest.head_parameters.get(key, default)) for key, default in (("top", 1), ("bottom", 0))
        )
        shown = (picture - np.float32(bottom)) * np.float32(255 / (top - bottom))
        if manifest.numbers is not None and manifest.numbers.channels == "bgr":
            shown = shown[:, :, ::-1]
        back = fit.mask_back(np.ascontiguousarray(shown))
        return Picture(np.clip(back + np.float32(0.5), 0, 255).astype(np.uint8))


def painted_into(pixels: NDArray[np.uint8], mask: NDArray[np.bool_], filled: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The filled picture under the mask, the original bytes everywhere else."""
    if filled.shape != pixels.shape:
        raise ModelFailed("The network's picture is not as large as the one it was given.")
    return np.where(mask[:, :, None], filled, pixels)
