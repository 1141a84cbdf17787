"""How a held-out outline is built: turned profiles, ribbons of changing width, and filleted plates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Pairs = Sequence[tuple[float, float]] | Points


@dataclass(frozen=True)
class Part:
    """One piece of one material, in the thing's own coordinates: fills are joined, then cuts are taken away."""

    fills: tuple[Points, ...]
    material: str
    relief: float = 1.0  # 1 is round stock, 0.2 a flat plate with a bevelled rim
    cuts: tuple[Points, ...] = ()
    lines: tuple[Points, ...] = ()


def fillet(points: Pairs, radius: float) -> Points:
    """A closed polygon whose corners are rounded, never by more than half an edge."""
    corners = np.asarray(points, dtype=float)
    before, after = np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0)
    steps = np.linspace(0, 1, 5)[:, None]
    rounded = []
    for last, corner, following in zip(before, corners, after, strict=True):
        start = corner + _capped(last - corner, radius)
        stop = corner + _capped(following - corner, radius)
        rounded.append((1 - steps) ** 2 * start + 2 * steps * (1 - steps) * corner + steps**2 * stop)
    return np.concatenate(rounded)


def rounded_path(points: Pairs, radius: float) -> Points:
    """An open path with rounded bends, for `ribbon(..., smooth=False)`."""
    corners = np.asarray(points, dtype=float)
    return np.concatenate([corners[:1], fillet(corners, radius)[5:-5], corners[-1:]])


def turned(stations: Pairs, *, smooth: bool = False) -> Points:
    """What a lathe makes: (position along the axis, half width) mirrored about the axis."""
    edge = spline(stations) if smooth else np.asarray(stations, dtype=float)
    return np.concatenate([edge, edge[::-1] * (1, -1)])


def ribbon(
    path: Pairs, widths: Sequence[float], *, start: float = 0.0, stop: float = 1.0, smooth: bool = True
) -> Points:
    """A rounded strip along a path, between two shares of its length; the widths are spread evenly along it."""
    middle = _along(spline(path) if smooth else np.asarray(path, dtype=float), start, stop)
    shares = np.linspace(start, stop, len(middle))
    half = np.interp(shares, np.linspace(0, 1, len(widths)), widths)[:, None] / 2
    ahead = np.gradient(middle, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True) + 1e-12
    side = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)
    turns = np.linspace(np.pi / 2, -np.pi / 2, 7)[1:-1, None]
    far = middle[-1] + half[-1] * (np.sin(turns) * side[-1] + np.cos(turns) * ahead[-1])
    near = middle[0] - half[0] * (np.sin(turns) * side[0] + np.cos(turns) * ahead[0])
    return np.concatenate([middle + half * side, far, (middle - half * side)[::-1], near])


def arc(centre: tuple[float, float], radius: float, start: float = 0, stop: float = 360, *, count: int = 28) -> Points:
    angles = np.radians(np.linspace(start, stop, count, endpoint=stop - start < 360))
    return np.asarray(centre) + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def box(left: float, low: float, right: float, high: float, *, radius: float = 0.0) -> Points:
    return fillet([(left, low), (right, low), (right, high), (left, high)], radius)


def spline(points: Pairs, *, steps: int = 8) -> Points:
    """A Catmull-Rom curve through every point."""
    knots = np.asarray(points, dtype=float)
    knots = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    a, b, c, d = (knots[i : len(knots) - 3 + i, None] for i in range(4))
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return np.concatenate([curve.reshape(-1, 2), knots[-2:-1]])


def strokes(*lines: Pairs) -> tuple[Points, ...]:
    return tuple(np.asarray(line, dtype=float) for line in lines)


def turn(parts: Sequence[Part], degrees: float, *, about: tuple[float, float] = (0, 0)) -> list[Part]:
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return bend(parts, np.array([[cosine, -sine], [sine, cosine]]), about=about)


def flip(parts: Sequence[Part]) -> list[Part]:
    return bend(parts, np.diag([1.0, -1.0]))


def set_down(parts: Sequence[Part], *, at: Points, along: Points) -> list[Part]:
    """Moves the origin to `at` and the x axis onto `along`."""
    cosine, sine = along / np.hypot(*along)
    turned_parts = bend(parts, np.array([[cosine, -sine], [sine, cosine]]))

    def moved(outlines: tuple[Points, ...]) -> tuple[Points, ...]:
        return tuple(outline + at for outline in outlines)

    return [replace(p, fills=moved(p.fills), cuts=moved(p.cuts), lines=moved(p.lines)) for p in turned_parts]


def bend(parts: Sequence[Part], matrix: Points, *, about: tuple[float, float] = (0, 0)) -> list[Part]:
    centre = np.asarray(about, dtype=float)

    def moved(outlines: tuple[Points, ...]) -> tuple[Points, ...]:
        return tuple((outline - centre) @ matrix.T + centre for outline in outlines)

    return [replace(p, fills=moved(p.fills), cuts=moved(p.cuts), lines=moved(p.lines)) for p in parts]


def _capped(edge: Points, radius: float) -> Points:
    length = float(np.hypot(*edge)) + 1e-12
    return edge * (min(radius, length / 2) / length)


def _along(curve: Points, start: float, stop: float) -> Points:
    lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    wanted = np.linspace(start, stop, 32) * lengths[-1]
    return np.stack([np.interp(wanted, lengths, curve[:, i]) for i in range(2)], axis=1)
