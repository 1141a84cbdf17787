"""How an outline becomes paint: shaded steel and plastic, flat colour, cartoon, silhouette, line drawing, texture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from training.toolbox import grain
from training.toolbox.backgrounds import Colour, any_colour, shade
from training.toolbox.outlines.shapes import Dice, Outline, Part, Points, Role
from training.toolbox.scene import Picture

Style = Literal["shaded", "flat", "cartoon", "silhouette", "lines", "sketch", "textured", "ramp", "hatched"]
STYLES: tuple[Style, ...] = (
    "shaded",
    "flat",
    "cartoon",
    "silhouette",
    "lines",
    "sketch",
    "textured",
    "ramp",
    "hatched",
)
STYLE_WEIGHTS = (0.38, 0.12, 0.12, 0.08, 0.08, 0.05, 0.06, 0.07, 0.04)
SHIFT = 4  # polygons are given to OpenCV in sixteenths of a pixel


@dataclass(frozen=True)
class Look:
    """Everything that one specimen's paint depends on."""

    style: Style
    colours: dict[Role, Colour]
    ink: Colour
    line_px: int
    light: tuple[float, float]
    gloss: float
    relief: float
    texture: dict[Role, float] = field(default_factory=dict)
    wear: float = 0.0
    see_through: bool = False


@dataclass
class Layer:
    """A painted thing with its place in the picture; `cover` is the whole of it, `alpha` what hides the ground."""

    colour: Picture
    alpha: Picture
    cover: Picture
    left: int
    top: int


def choose_look(dice: Dice, *, style: Style | None = None) -> Look:
    style = style or STYLES[dice.choice(len(STYLES), p=STYLE_WEIGHTS)]
    steel = metal_colour(dice)
    handle = handle_colour(dice)
    accent = handle_colour(dice)
    if dice.random() < 0.12:
        handle = steel
    dark = shade(steel, dice.uniform(0.2, 0.5))
    facet = tuple(np.clip(np.array(steel) * dice.uniform(0.75, 1.3) + dice.uniform(-15, 30), 0, 255))
    ink = (15.0, 15.0, 18.0) if dice.random() < 0.7 else any_colour(dice, value=(0.0, 1.0))
    if style == "silhouette":
        one = ink if dice.random() < 0.5 else any_colour(dice)
        steel = handle = accent = dark = facet = one
    if style == "lines":
        paper = any_colour(dice, saturation=(0, 0.5), value=(0.6, 1.0))
        steel = handle = accent = facet = dark = paper
    angle = dice.uniform(0, 2 * np.pi)
    wooden = dice.random() < 0.2
    return Look(
        style=style,
        colours={
            "metal": steel,
            "handle": handle,
            "accent": accent,
            "dark": dark,
            "facet": facet,
            "groove": shade(steel, 0.45),
        },
        ink=ink,
        line_px=int(dice.integers(1, 5)),
        light=(float(np.cos(angle)), float(np.sin(angle))),
        gloss=dice.uniform(0, 130),
        relief=dice.uniform(0.15, 0.75),
        texture={"metal": dice.uniform(0, 14), "handle": dice.uniform(15, 40) if wooden else dice.uniform(0, 12)},
        wear=dice.uniform(0.1, 0.6) if dice.random() < 0.35 else 0.0,
        see_through=style in ("lines", "sketch") and dice.random() < 0.5,
    )


def metal_colour(dice: Dice) -> Colour:
    tone = dice.uniform(*((165, 235), (105, 170), (35, 85))[dice.choice(3, p=[0.4, 0.38, 0.22])])
    warm = dice.uniform(-0.06, 0.06) if dice.random() < 0.8 else dice.uniform(0.05, 0.3)
    return (min(255, tone * (1 + warm)), tone, max(0, tone * (1 - warm)))


def handle_colour(dice: Dice) -> Colour:
    kind = dice.choice(4, p=[0.52, 0.16, 0.2, 0.12])
    if kind == 0:
        return any_colour(dice, saturation=(0.55, 1.0), value=(0.4, 1.0))
    if kind == 1:
        tone = dice.uniform(18, 60)
        return (tone, tone, tone * 1.05)
    if kind == 2:
        tone = dice.uniform(95, 215)
        return (tone, tone * dice.uniform(0.55, 0.75), tone * dice.uniform(0.2, 0.5))
    return any_colour(dice)


def painted(parts: Outline, look: Look, dice: Dice) -> Layer:
    """`parts` are in picture pixels; the layer may reach over the picture's edge."""
    every = np.vstack([part.points for part in parts])
    low = np.floor(every.min(0)).astype(int) - 6
    high = np.ceil(every.max(0)).astype(int) + 7
    columns, rows = (high - low).tolist()
    base = np.zeros((rows, columns, 3), np.uint8)
    base[:] = np.array(look.colours["metal"], np.uint8)
    layer = Layer(
        base, np.zeros((rows, columns), np.uint8), np.zeros((rows, columns), np.uint8), int(low[0]), int(low[1])
    )
    for part in parts:
        points = part.points - low
        if look.style == "sketch":
            points = points + dice.normal(0, 0.8, points.shape)
        paint(layer, part, points, look, dice)
    if look.wear:
        scratch(layer, look.wear, dice)
    return layer


def paint(layer: Layer, part: Part, points: Points, look: Look, dice: Dice) -> None:
    fixed = np.round(points * (1 << SHIFT)).astype(np.int32)
    if part.role == "groove":
        if look.style != "silhouette":
            draw_line(layer, fixed, look, thick=max(1, round(part.width)), closed=False)
        return
    left, top = np.maximum(np.floor(points.min(0)).astype(int) - 2, 0).tolist()
    right, bottom = (np.ceil(points.max(0)).astype(int) + 3).tolist()
    window = np.s_[top:bottom, left:right]
    cover = layer.cover[window]
    mask = np.zeros(cover.shape, np.uint8)
    if not mask.size:
        return
    cv2.fillPoly(mask, [fixed - np.array([left, top], np.int32) * (1 << SHIFT)], 255, cv2.LINE_AA, SHIFT)
    if part.role == "hole":
        keep = cv2.bitwise_not(mask)
        layer.alpha[window] = cv2.min(layer.alpha[window], keep)
        layer.cover[window] = cv2.min(cover, keep)
    else:
        layer.cover[window] = cv2.max(cover, mask)
        if not look.see_through:
            layer.alpha[window] = cv2.max(layer.alpha[window], mask)
            fill(layer.colour[window], mask, part.role, points, look, dice)
    if look.style in ("cartoon", "lines", "sketch", "hatched"):
        draw_line(layer, fixed, look, thick=look.line_px, closed=True)
        if look.style == "sketch":
            draw_line(layer, fixed + dice.integers(-24, 24, fixed.shape), look, thick=1, closed=True)


def fill(colour: Picture, mask: Picture, role: Role, points: Points, look: Look, dice: Dice) -> None:
    tone = np.array(look.colours[role], np.float32)
    weight = mask.astype(np.float32)[..., None] * (1 / 255)
    if look.style in ("shaded", "textured"):
        light = relief(mask, points, look)
        if look.style == "textured" or look.texture.get(role, 0) > 4:
            amount = look.texture.get(role, 6.0) * (2.0 if look.style == "textured" else 1.0) / 255
            rows, columns = mask.shape
            along, across = (1.0, 12.0) if columns < rows else (12.0, 1.0)
            light = light + amount * grain.stretched(
                grain.fine(), dice, rows=rows, columns=columns, across=across, along=along
            )
        shine = look.gloss * (1.0 if role in ("metal", "facet") else 0.6)
        tones = light[..., None] * tone + (np.maximum(light - 1.12, 0) * (shine * 4))[..., None]
        blended = colour + (tones - colour) * weight
    elif look.style in ("ramp", "hatched"):
        light = ramp(mask.shape, look) if look.style == "ramp" else hatching(mask.shape, look)
        blended = colour + (light[..., None] * tone - colour) * weight
    else:
        blended = colour + (tone - colour) * weight
    np.clip(blended, 0, 255, out=blended)
    colour[:] = blended.astype(np.uint8)


def ramp(shape: tuple[int, ...], look: Look) -> grain.Field:
    """Light that fades evenly over each part, or steps once, as drawing programs paint it."""
    y, x = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None], np.linspace(-1, 1, shape[1], dtype=np.float32)[None]
    across = x * look.light[0] + y * look.light[1]
    if look.line_px % 2:
        across = np.sign(across)
    return np.asarray(1 + look.relief * 0.7 * across, np.float32)


def hatching(shape: tuple[int, ...], look: Look) -> grain.Field:
    y, x = np.arange(shape[0], dtype=np.float32)[:, None], np.arange(shape[1], dtype=np.float32)[None]
    across = x * look.light[0] + y * look.light[1]
    return np.where(
        np.sin(across * (6.28 / (2 + 2 * look.line_px))) > 0.3, np.float32(1 - look.relief), np.float32(1.1)
    )


def relief(mask: Picture, points: Points, look: Look) -> grain.Field:
    """Light on a rounded body, about 1: the slope of the blurred mask stands for the slope of its surface."""
    hull = points.astype(np.float32)
    thick = 2 * cv2.contourArea(hull) / max(cv2.arcLength(hull, True), 1.0)
    sigma = float(np.clip(thick * 0.5, 0.8, 9.0))
    side = int(sigma * 2.2) * 2 + 1
    soft = cv2.stackBlur(mask, (side, side)).astype(
        np.float32
    )  # a Gaussian of this width took a third of the whole scene
    x, y = look.light
    kernel = np.array([[-x - y, -y * 2, x - y], [-x * 2, 0, x * 2], [-x + y, y * 2, x + y]], np.float32)
    slope = cv2.filter2D(soft, -1, kernel * (sigma * 0.3 / 255))
    return np.asarray(1 + look.relief * slope, np.float32)


def draw_line(layer: Layer, fixed: npt.NDArray[np.int32], look: Look, *, thick: int, closed: bool) -> None:
    ink = look.ink if look.style in ("cartoon", "lines", "sketch", "hatched") else look.colours["groove"]
    cv2.polylines(layer.colour, [fixed], closed, ink, thick, cv2.LINE_AA, SHIFT)
    if closed or look.see_through:
        cv2.polylines(layer.alpha, [fixed], closed, 255, thick, cv2.LINE_AA, SHIFT)
        cv2.polylines(layer.cover, [fixed], closed, 255, thick, cv2.LINE_AA, SHIFT)


def scratch(layer: Layer, amount: float, dice: Dice) -> None:
    """Rust, dirt and rubbed-off paint, in clouds."""
    rows, columns = layer.alpha.shape
    size = dice.uniform(0.3, 1.2)
    cloud = grain.stretched(grain.cloudy(), dice, rows=rows, columns=columns, across=size, along=size)
    spot = np.clip((cloud - dice.uniform(-0.2, 0.4)) * 4, 0, 1)[..., None] * amount
    rust = np.array((120, 70, 35) if dice.random() < 0.5 else any_colour(dice, saturation=(0, 0.3)), np.float32)
    layer.colour[:] = (layer.colour * (1 - spot) + rust * spot).astype(np.uint8)
