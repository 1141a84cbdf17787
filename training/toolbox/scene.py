"""What a drawn scene is: a picture, and a box around the visible part of every tool in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy.typing as npt

LABELS = (
    "slotted screwdriver",
    "phillips screwdriver",
    "offset screwdriver",
    "hand drill brace",
    "safety-wire pliers",
    "pliers",
    "shears",
    "adjustable wrench",
    "can opener",
    "combination wrench",
    "side cutters",
)

Kind = Literal["tools", "distractors", "empty"]
Picture = npt.NDArray[Any]  # of uint8; OpenCV's own types do not say so
Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class Box:
    """`label` indexes `LABELS`; the rest is in pixels of the visible extent."""

    label: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Scene:
    """`picture` is height x width x 3, RGB."""

    picture: Picture
    boxes: list[Box]
