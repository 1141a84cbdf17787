"""How a held-out outline becomes paint: soft metal, catalogue print, dark silhouette, or a worn surface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from training.toolbox.heldout_strokes import Part, Points
from training.toolbox.scene import Numbers

Rng = np.random.Generator
Canvas = Numbers  # float32, RGB or one channel
Mask = Numbers  # uint8, 255 where covered
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Look:
    """How one thing is painted. The light points towards the lamp, y downwards, and has length one."""

    style: str
    light: tuple[float, float, float]
    colours: dict[str, Colour]
    line_px: int
    axis: tuple[float, float]
    phase: float


@dataclass(frozen=True)
class Surface:
    """What a style may know about every pixel of a part: distance from the rim in pixels, slope, and light met."""

    depth: Canvas
    tilt_x: Canvas
    tilt_y: Canvas
    lit: Canvas
    along: Canvas


def choose_look(rng: Rng, style: str, *, light: tuple[float, float, float], size_px: float) -> Look:
    return Look(
        style=style,
        light=light,
        colours=_silhouette_colours(rng) if style == "silhouette" else _colours(rng, vivid=style == "catalogue"),
        line_px=max(1, round(size_px * rng.uniform(0.003, 0.008))),
        axis=(1.0, 0.0),
        phase=float(rng.uniform(0, 6.28)),
    )


def paint(canvas: Canvas, parts: Sequence[Part], look: Look, *, rng: Rng) -> None:
    for part in parts:
        cut = stencil([part], canvas.shape)
        if cut is None:
            continue
        (x, y), mask = cut
        region = canvas[y : y + mask.shape[0], x : x + mask.shape[1]]
        surface = _surface(mask, part, look)
        colour = np.asarray(look.colours[part.material], dtype=np.float32)
        metal = part.material in ("steel", "bright", "black", "rivet", "panel")
        shade = STYLES[look.style](surface, colour, metal, look, rng)
        if part.lines:
            _engrave(shade, part.lines, corner=(x, y), look=look)
        alpha = (mask.astype(np.float32) / 255)[:, :, None]
        region += (shade - region) * alpha


def stencil(parts: Sequence[Part], shape: tuple[int, ...]) -> tuple[tuple[int, int], Mask] | None:
    """Where the parts cover the picture: the upper left corner of the covered window, and its coverage."""
    points = np.concatenate([fill for part in parts for fill in part.fills])
    left, top = np.maximum(np.floor(points.min(axis=0)).astype(int) - 1, 0)
    right = min(int(points[:, 0].max()) + 3, shape[1])
    bottom = min(int(points[:, 1].max()) + 3, shape[0])
    if right - left < 2 or bottom - top < 2:
        return None
    whole = np.zeros((bottom - top, right - left), np.uint8)
    for part in parts:
        mask = np.zeros_like(whole) if part.cuts and len(parts) > 1 else whole
        for fill in part.fills:
            cv2.fillPoly(mask, [_fixed(fill, left, top)], 255, cv2.LINE_AA, _SHIFT)
        for cut in part.cuts:
            cv2.fillPoly(mask, [_fixed(cut, left, top)], 0, cv2.LINE_AA, _SHIFT)
        if mask is not whole:
            np.maximum(whole, mask, out=whole)
    return (int(left), int(top)), whole


_SHIFT = 4
_BLACK_LINE: Colour = (24, 24, 30)


def _fixed(outline: Points, left: int, top: int) -> npt.NDArray[np.int32]:
    return np.round((outline - (left, top)) * (1 << _SHIFT)).astype(np.int32)


def _surface(mask: Mask, part: Part, look: Look) -> Surface:
    solid = np.where(mask > 127, np.uint8(255), np.uint8(0))
    depth = cv2.distanceTransform(solid, cv2.DIST_L2, 3)
    rim = max(1.5, part.relief * float(depth.max()))
    rise = 1 - np.minimum(depth / rim, 1)
    height = cv2.blur(np.sqrt(1 - rise * rise) * rim, (3, 3))
    slope_x, slope_y = (
        cv2.Scharr(height, cv2.CV_32F, 1, 0, scale=1 / 32),
        cv2.Scharr(height, cv2.CV_32F, 0, 1, scale=1 / 32),
    )
    steep = 1 / np.sqrt(slope_x * slope_x + slope_y * slope_y + 1)
    tilt_x, tilt_y = -slope_x * steep, -slope_y * steep
    lit = tilt_x * look.light[0] + tilt_y * look.light[1] + steep * look.light[2]
    rows, columns = mask.shape
    across = np.arange(columns, dtype=np.float32)[None, :] * np.float32(look.axis[0])
    along = across + np.arange(rows, dtype=np.float32)[:, None] * np.float32(look.axis[1])
    return Surface(depth, tilt_x, tilt_y, lit, along)


def _soft(surface: Surface, colour: Canvas, metal: bool, look: Look, rng: Rng) -> Canvas:
    """Rounded by light; metal also mirrors a banded room across it and a slow gradient along it."""
    lit = np.clip(surface.lit, 0, 1)
    tone = 0.3 + 0.8 * lit
    if metal:
        across = surface.tilt_x * -look.axis[1] + surface.tilt_y * look.axis[0]
        tone *= 0.85 + 0.3 * np.sin(5 * across + look.phase) + 0.12 * np.sin(surface.along / 45 + look.phase)
    gloss = lit ** (22 if metal else 40) * (70 if metal else 110)
    return np.asarray(tone[:, :, None] * colour + gloss[:, :, None], dtype=np.float32)


def _catalogue(surface: Surface, colour: Canvas, metal: bool, look: Look, rng: Rng) -> Canvas:
    """Three flat tones and a contour, as a printed page has them."""
    tone = np.where(surface.lit < 0.5, np.float32(0.7), np.float32(1))
    tone = np.where(surface.lit > 0.95, np.float32(1.22 if metal else 1.12), tone)
    shade = np.asarray(tone[:, :, None] * colour, dtype=np.float32)
    shade[surface.depth < look.line_px + 0.3] = _BLACK_LINE
    return shade


def _silhouette(surface: Surface, colour: Canvas, metal: bool, look: Look, rng: Rng) -> Canvas:
    """Against the light: nearly black, with a bright rim towards the lamp."""
    sky = np.clip(surface.tilt_x * look.light[0] + surface.tilt_y * look.light[1] - 0.25, 0, 1)
    glow = sky * np.exp(-surface.depth / (2.5 * look.line_px)) * (330 if metal else 170)
    seam = np.where(surface.depth < 1.2, np.float32(14), np.float32(0))
    return np.asarray(colour + (glow + seam)[:, :, None], dtype=np.float32)


def _worn(surface: Surface, colour: Canvas, metal: bool, look: Look, rng: Rng) -> Canvas:
    """Matt, blotched and scratched; metal has begun to rust."""
    rows, columns = surface.depth.shape
    blotch = cv2.resize(rng.random((7, 7), dtype=np.float32), (columns, rows), interpolation=cv2.INTER_CUBIC)
    grain = cv2.resize(rng.random((rows // 2 + 1, columns // 2 + 1), dtype=np.float32), (columns, rows))
    tone = (0.45 + 0.55 * np.clip(surface.lit, 0, 1)) * (0.72 + 0.3 * blotch + 0.25 * grain)
    shade = np.asarray(tone[:, :, None] * colour, dtype=np.float32)
    if metal:
        rust = np.clip((blotch + 0.4 * grain - 0.75) * 2.2, 0, 0.75)[:, :, None]
        shade += rust * (np.asarray((112, 66, 38), np.float32) * tone[:, :, None] - shade)
    return shade


STYLES: dict[str, Callable[[Surface, Canvas, bool, Look, Rng], Canvas]] = {
    "soft": _soft,
    "catalogue": _catalogue,
    "silhouette": _silhouette,
    "worn": _worn,
}


def _engrave(shade: Canvas, lines: Sequence[Points], *, corner: tuple[int, int], look: Look) -> None:
    ink = np.zeros(shade.shape[:2], np.uint8)
    cv2.polylines(ink, [_fixed(line, *corner) for line in lines], False, 255, look.line_px, cv2.LINE_AA, _SHIFT)
    share = (ink.astype(np.float32) * (0.7 / 255))[:, :, None]
    target: Canvas | float = shade + 60 if look.style == "silhouette" else shade * np.float32(0.3)
    shade += (target - shade) * share


def _colours(rng: Rng, *, vivid: bool) -> dict[str, Colour]:
    grip = _hue(rng, strong=1.0 if vivid else rng.uniform(0.45, 1.0), bright=rng.uniform(0.25, 0.95))
    accent = _hue(rng, strong=0.9, bright=rng.uniform(0.6, 1)) if rng.random() < 0.6 else _grey(rng, 25, 70)
    steel = _grey(rng, 110, 205)
    brown = rng.uniform(0.55, 1.15)
    return {
        "steel": steel,
        "bright": _scaled(steel, 1.2),
        "panel": _scaled(steel, rng.uniform(0.72, 0.9)) if rng.random() < 0.8 else grip,
        "rivet": _scaled(steel, rng.uniform(0.7, 1.15)),
        "black": _grey(rng, 40, 75),
        "gap": _grey(rng, 12, 40),
        "grip": _grey(rng, 30, 80) if rng.random() < 0.2 else grip,
        "accent": accent,
        "wood": (172 * brown, 112 * brown, 62 * brown) if rng.random() < 0.7 else grip,
    }


def _silhouette_colours(rng: Rng) -> dict[str, Colour]:
    dark = _grey(rng, 12, 38)
    return {
        "steel": dark,
        "bright": _scaled(dark, 1.7),
        "panel": _scaled(dark, 1.35),
        "rivet": _scaled(dark, 2.0),
        "black": _scaled(dark, 0.8),
        "gap": _scaled(dark, 2.4),
        "grip": _scaled(dark, rng.uniform(0.7, 1.5)),
        "accent": _scaled(dark, 1.6),
        "wood": _scaled(dark, 1.2),
    }


def _hue(rng: Rng, *, strong: float, bright: float) -> Colour:
    angle = rng.uniform(0, 6)
    ramp = [min(1.0, max(0.0, abs((angle + shift) % 6 - 3) - 1)) for shift in (0, 4, 2)]
    red, green, blue = (255 * bright * (1 - strong + strong * level) for level in ramp)
    return red, green, blue


def _grey(rng: Rng, low: float, high: float) -> Colour:
    level, warmth = rng.uniform(low, high), rng.uniform(-0.06, 0.06)
    return level * (1 + warmth), level, level * (1 - warmth)


def _scaled(colour: Colour, factor: float) -> Colour:
    return colour[0] * factor, colour[1] * factor, colour[2] * factor
