"""Two tiles of noise, made once, from which every surface cuts its piece: new noise costs 4 ms a picture."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from training.toolbox.outlines.shapes import Dice

Field = npt.NDArray[Any]  # of float32; OpenCV's own types do not say so
SIDE = 1024


@cache
def fine() -> Field:
    return np.random.default_rng(11).standard_normal((SIDE, SIDE), dtype=np.float32)


@cache
def cloudy() -> Field:
    """Five octaves, about -1 to 1."""
    dice = np.random.default_rng(12)
    total: Field = np.zeros((SIDE, SIDE), np.float32)
    for octave in range(5):
        small = dice.standard_normal((4 << octave, 4 << octave), dtype=np.float32)
        total += cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) / 1.7**octave
    return np.asarray(total / np.abs(total).max() * 1.6)


def cut(tile: Field, dice: Dice, *, rows: int, columns: int) -> Field:
    rows, columns = min(rows, SIDE), min(columns, SIDE)
    top, left = dice.integers(0, SIDE - rows + 1), dice.integers(0, SIDE - columns + 1)
    piece = tile[top : top + rows, left : left + columns]
    if dice.random() < 0.5:
        piece = piece[::-1]
    return piece


def stretched(tile: Field, dice: Dice, *, rows: int, columns: int, across: float, along: float) -> Field:
    """A small piece blown up: `across` and `along` say how many times, so that streaks run along the columns."""
    piece = cut(tile, dice, rows=max(2, int(rows / across)), columns=max(2, int(columns / along)))
    return cv2.resize(np.ascontiguousarray(piece), (columns, rows), interpolation=cv2.INTER_LINEAR)
