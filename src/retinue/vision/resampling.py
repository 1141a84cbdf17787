"""Part of an antialiased resize, as two matrix products: Pillow's bytes in half of its time.

Each new pixel is a weighted sum of the old ones near it. Eight new pixels in a row share one window of the old ones, so
an axis is a stack of small products, which processors do ten times as fast as sums written one after the other. It goes
across first and is rounded to bytes between the two, as every Pillow did that today's models were trained with (since
version 13 the order depends on the sizes); what differs is the rounding of the weights, by 1 of 255 at one value in ten
thousand.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from retinue.vision.package import Filter

Pixels = NDArray[np.uint8]
Values = NDArray[np.float32]
Weights = NDArray[np.float64]

TOGETHER = 8  # new pixels of one product; few enough that its sums stay in the thread that asked for them
PIXELS_AT_ONCE = 1 << 17  # of the picture as it came, 1.5 MiB as numbers: 40 megapixels would take half a gigabyte


def _box(x: Weights) -> Weights:
    return ((x > -0.5) & (x <= 0.5)).astype(np.float64)


def _triangle(x: Weights) -> Weights:
    weights: Weights = np.maximum(1 - np.abs(x), 0)
    return weights


def _cubic(x: Weights) -> Weights:
    """Of Keys, with a = −½."""
    x = np.abs(x)
    weights: Weights = np.where(
        x < 1, (1.5 * x - 2.5) * x * x + 1, np.where(x < 2, ((-0.5 * x + 2.5) * x - 4) * x + 2, 0)
    )
    return weights


def _lanczos(x: Weights) -> Weights:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


# Each filter and how far it looks, in pixels of the smaller picture.
_FILTERS: dict[Filter, tuple[Callable[[Weights], Weights], float]] = {
    "area": (_box, 0.5),
    "bilinear": (_triangle, 1),
    "bicubic": (_cubic, 2),
    "lanczos": (_lanczos, 3),
}


@dataclass(frozen=True, slots=True)
class Axis:
    """Pixels `start` to `stop` of an axis that goes from `size` to `new_size` pixels."""

    size: int
    new_size: int
    start: int
    stop: int
    filter: Filter


@dataclass(frozen=True, slots=True)
class _Plan:
    """Window n begins at `first` + n × `step`, before or behind the picture's edge where the weights are 0."""

    weights: Values  # windows × new pixels × old pixels
    first: int
    step: int

    @property
    def end(self) -> int:
        windows, length = len(self.weights), int(self.weights.shape[2])
        return self.first + self.step * (windows - 1) + length


def resampled(pixels: Pixels, width: int, height: int, part: tuple[int, int, int, int], name: Filter) -> Pixels:
    """Of the picture at width × height the pixels x0, y0 to x1, y1: nothing else of it is made."""
    x0, y0, x1, y1 = part
    if name == "nearest":
        nearest = _nearest(pixels.shape[0], height, y0, y1)[:, None], _nearest(pixels.shape[1], width, x0, x1)
        return np.ascontiguousarray(pixels[nearest])
    across = Axis(pixels.shape[1], width, x0, x1, name)
    down = Axis(pixels.shape[0], height, y0, y1, name)
    plan = _plan(down)
    top, bottom = max(plan.first, 0), min(plan.end, pixels.shape[0])
    narrow = np.empty((bottom - top, x1 - x0, 3), np.uint8)
    at_once = max(PIXELS_AT_ONCE // pixels.shape[1], 1)
    for rows in range(top, bottom, at_once):
        strip = np.ascontiguousarray(pixels[rows : min(rows + at_once, bottom)])
        turned = np.asarray(cv2.transpose(strip), np.uint8)
        cv2.transpose(_along(turned, across), narrow[rows - top : rows - top + len(strip)])
    return _along(narrow, down, begins_at=top)


def _nearest(size: int, new_size: int, start: int, stop: int) -> NDArray[np.intp]:
    return ((np.arange(start, stop) + 0.5) * (size / new_size)).astype(np.intp)


def _along(pixels: Pixels, axis: Axis, *, begins_at: int = 0) -> Pixels:
    """Along the first axis of these pixels, which begin at that place of the picture's."""
    plan = _plan(axis)
    values = _framed(pixels, plan.first - begins_at, plan.end - begins_at)
    down, beside = values.strides
    shape = (len(plan.weights), plan.weights.shape[2], values.shape[1])
    windows = as_strided(values, shape, (plan.step * down, down, beside), writeable=False)
    sums = np.matmul(plan.weights, windows).reshape(-1, values.shape[1])[: axis.stop - axis.start]
    sums += 0.5
    np.clip(sums, 0, 255, out=sums)
    along: Pixels = sums.astype(np.uint8).reshape(-1, *pixels.shape[1:])
    return along


def _framed(pixels: Pixels, first: int, end: int) -> Values:
    """Rows `first` to `end` as numbers, with nothing where the picture has none."""
    flat = pixels.reshape(len(pixels), -1)
    values = np.empty((end - first, flat.shape[1]), np.float32)
    above, below = max(-first, 0), max(end - len(flat), 0)
    values[:above] = 0
    values[above : len(values) - below] = flat[max(first, 0) : min(end, len(flat))]
    values[len(values) - below :] = 0
    return values


@lru_cache(256)
def _plan(axis: Axis) -> _Plan:
    weigh, reach = _FILTERS[axis.filter]
    scale = axis.size / axis.new_size
    wide = max(scale, 1.0)
    count = -(-(axis.stop - axis.start) // TOGETHER)
    wanted = np.minimum(np.arange(count * TOGETHER) + axis.start, axis.stop - 1).reshape(count, TOGETHER)
    centres = (wanted + 0.5) * scale
    begins = np.maximum((centres - reach * wide + 0.5).astype(int), 0)
    ends = np.minimum((centres + reach * wide + 0.5).astype(int), axis.size)
    step = round(TOGETHER * scale)
    steps = np.arange(count) * step
    first = int((begins.min(axis=1) - steps).min())
    length = int((ends.max(axis=1) - steps).max()) - first
    places = (first + steps[:, None] + np.arange(length))[:, None, :]
    weights = weigh((places - centres[:, :, None] + 0.5) / wide)
    weights *= (places >= begins[:, :, None]) & (places < ends[:, :, None])
    weights /= weights.sum(axis=2, keepdims=True)
    return _Plan(weights.astype(np.float32), first, step)
