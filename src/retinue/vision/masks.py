"""Which mask may stand beside a picture: black and white (after JPEG's noise), and exactly as large as the picture."""

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from retinue.vision.errors import BadMask
from retinue.vision.images import Limits, decode_grey, encode_png

# JPEG at quality 30 moves pure black and white by up to 60 near an edge and by less than 20 elsewhere.
NEARLY_BLACK, NEARLY_WHITE = 48, 207
EDGE_PIXELS = 8  # JPEG spreads an edge over its block of 8 × 8
# Grey away from every edge: the odd speck is noise, a surface is a meaning that a binary mask cannot keep.
MAX_GREY_SHARE = 0.001


def clean_mask(
    data: bytes, *, width: int, height: int, may_be_empty: bool = False, limits: Limits | None = None
) -> NDArray[np.bool_]:
    """Read a mask file for a picture of this size; True is what the mask marks. Raises BadMask with what was found."""
    grey = decode_grey(data, limits=limits or Limits())
    return clean_grey(grey, width=width, height=height, may_be_empty=may_be_empty)


def clean_grey(grey: NDArray[np.uint8], *, width: int, height: int, may_be_empty: bool = False) -> NDArray[np.bool_]:
    """The same for pixels that are decoded already, as those of a mask video are."""
    rows, columns = grey.shape
    if (columns, rows) != (width, height):
        raise BadMask(f"The mask is {columns} × {rows}, but its picture is {width} × {height}.")
    marked = _marked(grey)
    if marked.all():
        raise BadMask("The mask marks the whole picture, so nothing is left to go by.")
    if not may_be_empty and not marked.any():
        raise BadMask("The mask marks nothing: it is black everywhere.")
    return marked


def as_png(mask: NDArray[np.bool_]) -> bytes:
    """One bit per pixel, white where the mask marks."""
    return encode_png(np.asarray(mask, bool))


def as_rle(mask: NDArray[np.bool_]) -> tuple[tuple[int, int], str]:
    """Size (rows, columns) and COCO run lengths, as `results.Mask` holds them."""
    packed = coco.encode(np.asfortranarray(mask, np.uint8))
    return (mask.shape[0], mask.shape[1]), packed["counts"].decode("ascii")


def _marked(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    levels = np.flatnonzero(np.bincount(grey.ravel(), minlength=256))
    if len(levels) == 2 and levels[0] <= NEARLY_BLACK:
        return np.asarray(grey == levels[1])  # two values are binary whatever the second is: many tools write 0 and 1
    marked = grey >= 128
    between = (grey > NEARLY_BLACK) & (grey < NEARLY_WHITE)
    if between.any():
        _refuse_surfaces(grey, between & ~_near_edges(marked))
    return marked


def _near_edges(marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    around = np.ones((2 * EDGE_PIXELS + 1,) * 2, np.uint8)
    mask = marked.astype(np.uint8)
    return np.asarray(cv2.dilate(mask, around) != cv2.erode(mask, around))


def _refuse_surfaces(grey: NDArray[np.uint8], surface: NDArray[np.bool_]) -> None:
    share = float(surface.mean())
    if share > MAX_GREY_SHARE:
        darkest, lightest = int(grey[surface].min()), int(grey[surface].max())
        raise BadMask(
            f"A mask is black and white; {share:.1%} of this one is grey away from any edge, "
            f"with values from {darkest} to {lightest} of 255."
        )
