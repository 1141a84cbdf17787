"""Fills holes in pictures and films: OpenCV's two methods as models with a model's verbs, and frames one by one.

Pixels outside the mask stay byte for byte what they were; only a box around the mask is worked on.
"""

from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from retinue.vision.asking import Asked
from retinue.vision.errors import BadMask, MaskNeeded, ModelFailed, NoTensors
from retinue.vision.geometry import Fit
from retinue.vision.heads import Outputs
from retinue.vision.images import Image
from retinue.vision.masks import clean_grey
from retinue.vision.model import Mask, Model, Prepared
from retinue.vision.package import Package
from retinue.vision.results import Picture
from retinue.vision.tensors import Signature, Tensors
from retinue.vision.video import Sample

METHODS = {"telea": cv2.INPAINT_TELEA, "navier-stokes": cv2.INPAINT_NS}
MAX_RADIUS = 100.0  # OpenCV itself goes no further


class Inpainter:
    """One of OpenCV's methods, dressed as a model without weights. `read` does the work: it knows the radius."""

    def __init__(self, package: Package) -> None:
        self.package = package
        self._method = package.manifest.head

    @property
    def max_batch(self) -> int | None:
        return None

    def prepare(self, image: Image, mask: Mask | None = None) -> Prepared:
        if mask is None:
            raise MaskNeeded()
        hole = np.asarray(mask) != 0
        if hole.shape != (image.height, image.width):
            rows, columns = hole.shape[:2]
            raise BadMask(f"The mask is {columns} × {rows}, but its picture is {image.width} × {image.height}.")
        whole = Fit(image.width, image.height, image.width, image.height)
        return Prepared((), whole, image=image, mask=hole)

    def forward(self, batch: Sequence[Prepared], *, extra: Sequence[str] = ()) -> list[Outputs]:
        return [{} for _ in batch]

    def read(self, outputs: Outputs, prepared: Prepared, asked: Asked) -> Picture:
        assert prepared.image is not None
        assert prepared.mask is not None
        hole = np.asarray(prepared.mask, bool)
        return Picture(fill(prepared.image.pixels, hole, method=self._method, radius=asked.radius))

    def signature(self) -> Signature:
        raise NoTensors(f"{self.package.name} is no network; it takes pictures with masks only.")

    def tensors_of(self, prepared: Prepared) -> Tensors:
        raise NoTensors()

    def run(self, tensors: Tensors, outputs: Sequence[str]) -> Tensors:
        raise NoTensors()

    def close(self) -> None:
        """Nothing is held."""


def fill(pixels: NDArray[np.uint8], hole: NDArray[np.bool_], *, method: str, radius: float = 3.0) -> NDArray[np.uint8]:
    """A copy of the picture with the hole filled, each pixel from its surroundings up to `radius` away (1 to 100)."""
    radius = min(max(radius, 1.0), MAX_RADIUS)
    filled = pixels.copy()
    if not hole.any():
        return filled
    if hole.all():
        raise BadMask("The mask marks the whole picture, so nothing is left to go by.")
    rows, columns = _box_around(hole, margin=2 * round(radius) + 2)
    part, inside = pixels[rows, columns], hole[rows, columns]
    try:
        painted = cv2.inpaint(np.ascontiguousarray(part), inside.astype(np.uint8), radius, METHODS[method])
    except cv2.error as failure:
        raise ModelFailed() from failure
    filled[rows, columns][inside] = painted[inside]
    return filled


def fill_frames(
    samples: Iterable[Sample], masks: NDArray[np.bool_] | Iterable[Sample], model: Model, *, asked: Asked | None = None
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """A film's frames with their holes filled, each with its time: ready for `encode_video`.

    `masks` is one mask for all frames or the frames of a mask video taken at the same rate; where that ends first, its
    last frame stays. Any inpainting model will do.
    """
    asked = asked or Asked()
    paired = _repeated(samples, masks) if isinstance(masks, np.ndarray) else _side_by_side(samples, masks)
    for sample, hole in paired:
        prepared = model.prepare(Image.of(sample.pixels), hole)
        (outputs,) = model.forward([prepared])
        answer = model.read(outputs, prepared, asked)
        if not isinstance(answer, Picture):
            raise ModelFailed("Only an inpainting model gives pictures.")
        yield sample.time_s, answer.pixels


def _box_around(hole: NDArray[np.bool_], *, margin: int) -> tuple[slice, slice]:
    """With this margin the two methods give the same pixels as on the whole picture."""
    x, y, width, height = cv2.boundingRect(hole.astype(np.uint8))
    return (
        slice(max(y - margin, 0), min(y + height + margin, hole.shape[0])),
        slice(max(x - margin, 0), min(x + width + margin, hole.shape[1])),
    )


def _repeated(samples: Iterable[Sample], mask: NDArray[np.bool_]) -> Iterator[tuple[Sample, NDArray[np.bool_]]]:
    for sample in samples:
        yield sample, mask


def _side_by_side(samples: Iterable[Sample], masks: Iterable[Sample]) -> Iterator[tuple[Sample, NDArray[np.bool_]]]:
    several = iter(masks)
    hole: NDArray[np.bool_] | None = None
    for sample in samples:
        height, width, _ = sample.pixels.shape
        if (shown := next(several, None)) is not None:
            grey = cv2.cvtColor(shown.pixels, cv2.COLOR_RGB2GRAY).astype(np.uint8)
            hole = clean_grey(grey, width=width, height=height, may_be_empty=True)
        if hole is None:
            raise BadMask("The mask video has no frames.")
        yield sample, hole
