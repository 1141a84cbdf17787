"""What tools lie on: wood, foam, cloth, metal, concrete, paper, mats, pegboards and clutter."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import cv2
import numpy as np

from training.toolbox import grain
from training.toolbox.grain import Field
from training.toolbox.outlines.shapes import Dice
from training.toolbox.scene import Picture

Colour = tuple[float, float, float]


def background(dice: Dice, *, width: int, height: int) -> Picture:
    draw = dice.choice(len(SURFACES), p=np.array(WEIGHTS) / sum(WEIGHTS))
    return SURFACES[draw](dice, width, height)


def any_colour(
    dice: Dice, *, saturation: tuple[float, float] = (0.0, 1.0), value: tuple[float, float] = (0.1, 1.0)
) -> Colour:
    r, g, b = colorsys.hsv_to_rgb(dice.random(), dice.uniform(*saturation), dice.uniform(*value))
    return (r * 255, g * 255, b * 255)


def tinted(field: Field, low: Colour, high: Colour) -> Picture:
    """Field 0..1 becomes a mix of two colours, by a table: four times as fast as arithmetic on three channels."""
    index = np.clip(field * 255, 0, 255).astype(np.uint8)
    mix = np.linspace(0, 1, 256)[:, None]
    table = np.clip(np.array(low) * (1 - mix) + np.array(high) * mix, 0, 255).astype(np.uint8)
    return cv2.LUT(cv2.merge((index, index, index)), table[None])


def shade(colour: Colour, by: float) -> Colour:
    return (colour[0] * by, colour[1] * by, colour[2] * by)


def wood(dice: Dice, width: int, height: int) -> Picture:
    u = dice.uniform
    flip = dice.random() < 0.5
    if flip:
        width, height = height, width
    streak = grain.stretched(grain.fine(), dice, rows=height, columns=width, across=u(1.5, 4), along=u(40, 120))
    wave = grain.stretched(grain.cloudy(), dice, rows=height, columns=width, across=u(0.7, 1.5), along=u(3, 8))
    field = 0.5 + 0.09 * streak + 0.22 * np.sin(wave * u(5, 22))
    for y in np.arange(u(-100, 0), height, u(90, 260)) if dice.random() < 0.6 else ():
        top = max(int(y), 0)
        field[top:] += u(-0.15, 0.15)
        field[top : top + int(u(2, 5))] -= 0.6
    tone = np.array([u(0.5, 1.0) * 200, u(0.5, 0.75) * 190, u(0.25, 0.6) * 150]) * u(0.4, 1.15)
    tone = np.minimum(tone, [245, tone[0] * 0.85, tone[0] * 0.7])
    picture = tinted(field, tuple(tone * u(0.45, 0.8)), tuple(tone * 1.15))
    return np.ascontiguousarray(picture.transpose(1, 0, 2)) if flip else picture


def foam(dice: Dice, width: int, height: int) -> Picture:
    colour = any_colour(dice, saturation=(0, 0.9), value=(0.12, 0.75)) if dice.random() < 0.5 else (40.0, 40.0, 44.0)
    size = dice.uniform(1, 3.5)
    field = 0.5 + 0.16 * grain.stretched(grain.fine(), dice, rows=height, columns=width, across=size, along=size)
    return tinted(field, shade(colour, 0.65), shade(colour, 1.35))


def cloth(dice: Dice, width: int, height: int) -> Picture:
    u = dice.uniform
    colour = any_colour(dice, value=(0.2, 0.95))
    x = np.arange(width, dtype=np.float32)[None]
    y = np.arange(height, dtype=np.float32)[:, None]
    step = u(2.2, 9)
    weave = np.sin(x * (6.28 / step)) * np.sin(y * (6.28 / step)) * u(0.05, 0.25)
    folds = grain.stretched(grain.cloudy(), dice, rows=height, columns=width, across=u(0.8, 2), along=u(0.8, 2)) * u(
        0.05, 0.35
    )
    if dice.random() < 0.3:
        weave = weave + 0.25 * (np.sin((x if dice.random() < 0.5 else y) * 6.28 / u(20, 90)) > u(0.2, 0.9))
    return tinted(0.5 + weave + folds, shade(colour, 0.5), shade(colour, 1.35))


def metal(dice: Dice, width: int, height: int) -> Picture:
    u = dice.uniform
    tone = u(60, 215)
    flip = dice.random() < 0.5
    rows, columns = (width, height) if flip else (height, width)
    field = 0.5 + u(0.04, 0.2) * grain.stretched(
        grain.fine(), dice, rows=rows, columns=columns, across=1, along=u(20, 200)
    )
    field += u(0.05, 0.3) * np.sin(np.linspace(u(0, 6), u(6, 14), columns, dtype=np.float32))[None]
    if dice.random() < 0.25:
        field += 0.2 * (grain.stretched(grain.cloudy(), dice, rows=rows, columns=columns, across=0.8, along=0.8) > 0.45)
    low = (tone * 0.65, tone * 0.67, tone * 0.7)
    picture = tinted(field, low, (tone * 1.25, tone * 1.25, tone * 1.28))
    if dice.random() < 0.15:
        rivets(dice, picture)
    return np.ascontiguousarray(picture.transpose(1, 0, 2)) if flip else picture


def rivets(dice: Dice, picture: Picture) -> None:
    """Chequer plate: short raised bars in a lattice."""
    step = dice.uniform(28, 60)
    for row, y in enumerate(np.arange(0, picture.shape[0], step)):
        for column, x in enumerate(np.arange(0, picture.shape[1], step)):
            reach = step * 0.3
            dy = reach if (row + column) % 2 else -reach
            ends = (int(x - reach), int(y - dy)), (int(x + reach), int(y + dy))
            cv2.line(picture, *ends, (235, 235, 235), max(2, int(step * 0.12)), cv2.LINE_AA)


def concrete(dice: Dice, width: int, height: int) -> Picture:
    u = dice.uniform
    size = u(0.6, 3)
    field = 0.5 + u(0.1, 0.4) * grain.stretched(
        grain.cloudy(), dice, rows=height, columns=width, across=size, along=size
    )
    field += u(0.02, 0.12) * grain.stretched(grain.fine(), dice, rows=height, columns=width, across=1.2, along=1.2)
    colour = any_colour(dice, saturation=(0, 0.35), value=(0.25, 0.95))
    return tinted(field, shade(colour, 0.6), shade(colour, 1.25))


def paper(dice: Dice, width: int, height: int) -> Picture:
    tone = dice.uniform(215, 255)
    colour = (tone, tone * dice.uniform(0.94, 1.0), tone * dice.uniform(0.86, 1.0))
    return gradient_between(dice, width, height, colour, shade(colour, dice.uniform(0.85, 1.0)))


def gradient(dice: Dice, width: int, height: int) -> Picture:
    first = any_colour(dice)
    second = any_colour(dice) if dice.random() < 0.3 else shade(first, dice.uniform(0.5, 1.0))
    return gradient_between(dice, width, height, first, second)


def gradient_between(dice: Dice, width: int, height: int, first: Colour, second: Colour) -> Picture:
    a, b = dice.uniform(-1, 1, 2)
    field = np.linspace(0, a, width, dtype=np.float32)[None] + np.linspace(0, b, height, dtype=np.float32)[:, None]
    low, high = field.min(), field.max()
    return tinted((field - low) / max(high - low, 1e-6), first, second)


def plain(dice: Dice, width: int, height: int) -> Picture:
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = np.array(any_colour(dice), np.uint8)
    return picture


def ruled(dice: Dice, width: int, height: int) -> Picture:
    """A cutting mat, squared paper, a blueprint or tiles."""
    u = dice.uniform
    look = dice.integers(4)
    if look == 0:
        colour: Colour = (u(10, 40), u(50, 90), u(120, 190))
    elif look == 1:
        colour = (u(20, 60), u(90, 130), u(70, 100))
    else:
        colour = any_colour(dice, saturation=(0, 0.4), value=(0.5, 1.0))
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = np.array(colour, np.uint8)
    line = (
        shade(colour, u(0.6, 0.92))
        if dice.random() < 0.5
        else tuple(np.minimum(np.array(colour) * 1.15 + u(5, 60), 255))
    )
    step, thick = u(12, 90), int(dice.integers(1, 3 if look < 3 else 6))
    for x in np.arange(u(0, step), width, step):
        cv2.line(picture, (int(x), 0), (int(x), height), line, thick)
    for y in np.arange(u(0, step), height, step):
        cv2.line(picture, (0, int(y)), (width, int(y)), line, thick)
    return picture


def pegboard(dice: Dice, width: int, height: int) -> Picture:
    picture = (wood, plain, concrete)[dice.integers(3)](dice, width, height)
    step = dice.uniform(18, 60)
    radius = max(2, int(step * dice.uniform(0.08, 0.2)))
    for x in np.arange(step / 2, width, step):
        for y in np.arange(step / 2, height, step):
            cv2.circle(picture, (int(x), int(y)), radius, (25, 22, 20), -1, cv2.LINE_AA)
    return picture


def clutter(dice: Dice, width: int, height: int) -> Picture:
    """Overlapping patches and lines that mean nothing."""
    picture = SURFACES[dice.integers(len(SURFACES) - 1)](dice, width, height)
    for _ in range(int(dice.integers(6, 40))):
        colour = any_colour(dice, value=(0.05, 1.0))
        centre = dice.uniform((0, 0), (width, height))
        reach = dice.uniform(10, width * 0.22)
        look = dice.integers(4)
        if look == 0:
            corners = centre + dice.uniform(-reach, reach, (int(dice.integers(3, 8)), 2))
            cv2.fillPoly(picture, [corners.astype(np.int32)], colour, cv2.LINE_AA)
        elif look == 1:
            axes = (int(reach), int(reach * dice.uniform(0.2, 1)))
            thick = -1 if dice.random() < 0.6 else int(dice.integers(1, 9))
            cv2.ellipse(
                picture, centre.astype(int).tolist(), axes, dice.uniform(0, 180), 0, 360, colour, thick, cv2.LINE_AA
            )
        elif look == 2:
            end = centre + dice.uniform(-reach, reach, 2) * 2
            cv2.line(
                picture,
                centre.astype(int).tolist(),
                end.astype(int).tolist(),
                colour,
                int(dice.integers(1, 14)),
                cv2.LINE_AA,
            )
        else:
            quad = cv2.boxPoints((centre.tolist(), (reach, reach * dice.uniform(0.1, 1)), dice.uniform(0, 180)))
            cv2.fillPoly(picture, [quad.astype(np.int32)], colour, cv2.LINE_AA)
    if dice.random() < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), dice.uniform(0.8, 5))
    return picture


SURFACES: tuple[Callable[[Dice, int, int], Picture], ...] = (
    wood, foam, cloth, metal, concrete, paper, gradient, plain, ruled, pegboard, clutter,
)  # fmt: skip
WEIGHTS = (16, 9, 10, 11, 10, 10, 8, 8, 6, 4, 6)
