"""The few shapes that every outline is made of, in a frame where a tool is one unit long and lies along x."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Role = Literal["metal", "handle", "accent", "dark", "facet", "hole", "groove"]
Dice = np.random.Generator


@dataclass(frozen=True)
class Part:
    """A filled polygon; a groove is an open line of the given width instead, a hole lets the background through."""

    role: Role
    points: Points
    width: float = 0.0


Outline = list[Part]


def array(points: Sequence[Sequence[float]] | Points) -> Points:
    return np.asarray(points, dtype=np.float64)


def curve(points: Sequence[Sequence[float]] | Points, *, steps: int = 8) -> Points:
    """A Catmull-Rom curve through the points."""
    p = array(points)
    if len(p) < 3:
        return p
    p = np.vstack((2 * p[0] - p[1], p, 2 * p[-1] - p[-2]))
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(p[:-3], p[1:-2], p[2:-1], p[3:], strict=True):
        pieces.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    return np.vstack((*pieces, p[-2:-1]))


def strip(
    line: Sequence[Sequence[float]] | Points, widths: float | Sequence[float], *, round_end: bool = False
) -> Points:
    """A bar of changing width along a line."""
    p = array(line)
    along = np.gradient(p, axis=0)
    along /= np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)[:, None]
    normal = np.stack((-along[:, 1], along[:, 0]), 1)
    given = np.atleast_1d(np.asarray(widths, dtype=np.float64))
    half = np.interp(np.linspace(0, 1, len(p)), np.linspace(0, 1, len(given)), given)[:, None] / 2
    left, right = p + normal * half, p - normal * half
    if not round_end:
        return np.vstack((left, right[::-1]))
    turn = np.linspace(0, np.pi, 9)[1:-1, None]
    cap = p[-1] + half[-1] * (normal[-1] * np.cos(turn) + along[-1] * np.sin(turn))
    back = p[0] + half[0] * (-normal[0] * np.cos(turn) - along[0] * np.sin(turn))
    return np.vstack((left, cap, right[::-1], back))


def profile(stations: Sequence[tuple[float, float]], *, smooth: bool = False) -> Points:
    """A body of revolution seen from the side: (x, half width) stations."""
    upper = curve(stations) if smooth else array(stations)
    upper[:, 1] = np.maximum(upper[:, 1], 0.002)
    return np.vstack((upper, upper[::-1] * (1, -1)))


def disc(x: float, y: float, radius: float, *, squash: float = 1.0, corners: int = 26, turn: float = 0.0) -> Points:
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False) + turn
    return np.stack((x + radius * np.cos(angle), y + radius * squash * np.sin(angle)), 1)


def star(x: float, y: float, radius: float, *, teeth: int, depth: float, turn: float = 0.0) -> Points:
    angle = np.linspace(0, 2 * np.pi, teeth * 2, endpoint=False) + turn
    reach = np.where(np.arange(teeth * 2) % 2, radius * (1 - depth), radius)
    return np.stack((x + reach * np.cos(angle), y + reach * np.sin(angle)), 1)


def box(left: float, top: float, right: float, bottom: float, *, corner: float = 0.0) -> Points:
    if corner <= 0:
        return array([(left, top), (right, top), (right, bottom), (left, bottom)])
    corner = min(corner, (right - left) / 2, (bottom - top) / 2)
    turn = np.linspace(0, np.pi / 2, 5)
    pieces = []
    for x, y, start in (
        (right - corner, bottom - corner, 0.0),
        (left + corner, bottom - corner, np.pi / 2),
        (left + corner, top + corner, np.pi),
        (right - corner, top + corner, np.pi * 1.5),
    ):
        pieces.append(np.stack((x + corner * np.cos(turn + start), y + corner * np.sin(turn + start)), 1))
    return np.vstack(pieces)


def arc(x: float, y: float, radius: float, start: float, stop: float, *, steps: int = 20) -> Points:
    angle = np.linspace(start, stop, steps)
    return np.stack((x + radius * np.cos(angle), y + radius * np.sin(angle)), 1)


def turned(parts: Outline, angle: float, *, about: tuple[float, float] = (0.0, 0.0)) -> Outline:
    c, s = np.cos(angle), np.sin(angle)
    spin = np.array([[c, s], [-s, c]])
    return [replace(part, points=(part.points - about) @ spin + about) for part in parts]


def moved(parts: Outline, x: float, y: float) -> Outline:
    return [replace(part, points=part.points + np.array((x, y))) for part in parts]


def scaled(parts: Outline, x: float, y: float) -> Outline:
    return [replace(part, points=part.points * (x, y), width=part.width * abs(y)) for part in parts]


def upside_down(parts: Outline) -> Outline:
    return scaled(parts, 1.0, -1.0)


def normalised(parts: Outline) -> Outline:
    """Centred, with the longer side of its extent one unit long."""
    every = np.vstack([part.points for part in parts])
    low, high = every.min(0), every.max(0)
    size = float((high - low).max())
    middle = (low + high) / 2
    return [replace(part, points=(part.points - middle) / size, width=part.width / size) for part in parts]


def warped(parts: Outline, dice: Dice) -> Outline:
    """No two makers agree: one soft wave through the whole tool, and a little slant."""
    amount, slant = dice.uniform(0, 0.022, 2), dice.uniform(-0.12, 0.12)
    waves, phases = dice.uniform(3, 9, 2), dice.uniform(0, 6.28, 2)
    out = []
    for part in parts:
        x, y = part.points[:, 0], part.points[:, 1]
        moved_x = x + y * slant + amount[0] * np.sin(y * waves[0] + phases[0])
        out.append(replace(part, points=np.stack((moved_x, y + amount[1] * np.sin(x * waves[1] + phases[1])), 1)))
    return out


def grooves(lines: Sequence[Points], width: float) -> Outline:
    return [Part("groove", line, width) for line in lines]


def cross_lines(left: float, right: float, half: float, count: int) -> list[Points]:
    return [array([(x, -half), (x, half)]) for x in np.linspace(left, right, count)]


def long_lines(left: float, right: float, half: float, count: int) -> list[Points]:
    return [array([(left, y), (right, y)]) for y in np.linspace(-half, half, count)]
