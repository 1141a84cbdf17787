"""Draws a whole scene from one seed: a ground, strangers and tools on it, and what the camera makes of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from training.toolbox.backgrounds import background
from training.toolbox.camera import Tilt, choose_tilt, photographed
from training.toolbox.materials import Layer, Look, choose_look, painted
from training.toolbox.outlines import TOOLS
from training.toolbox.outlines.shapes import Dice, Outline, normalised, scaled, warped
from training.toolbox.outlines.strangers import STRANGERS
from training.toolbox.scene import LABELS, Box, Kind, Picture, Scene

STRANGER = 250
NOBODY = 255
LEAST_CONTRAST = 30
BRACE = LABELS.index("hand drill brace")
OFFSET = LABELS.index("offset screwdriver")


def draw_scene(seed: int, *, width: int = 640, height: int = 640, kind: Kind = "tools") -> Scene:
    dice = np.random.default_rng((seed, ("tools", "distractors", "empty").index(kind)))
    table = Table(dice, width=width, height=height)
    if kind == "tools":
        for _ in range(int(dice.choice(4, p=[0.45, 0.3, 0.15, 0.1]))):
            table.lay_stranger()
        count = int(dice.integers(1, 8))
        large = dice.random() < 0.4 or count == 1
        for _ in range(count):
            table.lay_tool(large=large)
        if dice.random() < 0.25:
            table.lay_stranger()
    elif kind == "distractors":
        for _ in range(int(dice.integers(1, 10))):
            table.lay_stranger()
    return Scene(photographed(table.picture, dice), table.boxes())


@dataclass
class Laid:
    """A tool on the table: how many of its pixels there are at all, and the window that holds them."""

    label: int
    number: int
    area: int
    end_area: int
    end_window: tuple[slice, slice]


class Table:
    """The picture while things are laid on it; `owner` knows which thing each pixel shows."""

    def __init__(self, dice: Dice, *, width: int, height: int) -> None:
        self.dice = dice
        self.width, self.height = width, height
        self.picture = background(dice, width=width, height=height)
        self.ground = self.picture[::24, ::24].reshape(-1, 3).mean(0)
        self.owner = np.full((height, width), NOBODY, np.uint8)
        self.tilt: Tilt = choose_tilt(dice, width=width, height=height)
        self.look: Look = choose_look(dice)
        self.same_style = dice.random() < 0.7
        self.shadow = dice.uniform(0, 0.75) if dice.random() < 0.8 else 0.0
        self.shadow_shift = dice.uniform(-0.014, 0.014, 2) * width
        self.tidy = dice.random() < 0.5  # laid out side by side, as for a check
        self.laid: list[Laid] = []

    def lay_tool(self, *, large: bool) -> None:
        label = int(self.dice.integers(len(LABELS)))
        outline = TOOLS[label](self.dice)
        if self.dice.random() < 0.6:
            outline = warped(outline, self.dice)
        outline = normalised(outline)
        low, high = (0.45, 0.92) if large else (0.28, 0.65)
        if label in (BRACE, OFFSET):
            high *= 0.85
        look = self.next_look()
        for _ in range(5):
            size = self.dice.uniform(low, high) * min(self.width, self.height)
            if self.place(outline, look, size=size, label=label):
                return
            low, high = max(low * 0.85, 0.22), high * 0.85

    def lay_stranger(self) -> None:
        draw = STRANGERS[self.dice.integers(len(STRANGERS))]
        size = self.dice.uniform(0.06, 0.6) * min(self.width, self.height)
        self.place(normalised(draw(self.dice)), self.next_look(), size=size, label=None)

    def next_look(self) -> Look:
        """Dark steel on a dark bench may be hard to see, but somebody has to be able to see it."""
        for _ in range(5):
            look = choose_look(self.dice, style=self.look.style if self.same_style else None)
            tone = look.ink if look.see_through else look.colours["metal"]
            if np.abs(np.array(tone) - self.ground).mean() > LEAST_CONTRAST:
                break
        return look

    def place(self, outline: Outline, look: Look, *, size: float, label: int | None) -> bool:
        """False where it would hide a tool that lies there already, or too little of it would show."""
        u = self.dice.uniform
        stretch = u(0.75, 1.3)
        mirrored = -1.0 if self.dice.random() < 0.5 else 1.0
        margin = size * (0.42 if self.dice.random() < 0.8 else 0.2)
        margin = min(margin, self.width * 0.46, self.height * 0.46)
        centre = np.array([u(margin, self.width - margin), u(margin, self.height - margin)])
        angle = u(0, 2 * np.pi)
        spin = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) * size
        parts = [
            replace(part, points=self.tilt.seen(part.points @ spin + centre), width=part.width * size)
            for part in scaled(outline, 1.0, stretch * mirrored)
        ]
        layer = painted(parts, look, self.dice)
        window, inner = self.window(layer)
        cover = layer.cover[inner] > 100
        if cover.size == 0 or not cover.any():
            return False
        owner = self.owner[window].copy()
        number = STRANGER if label is None else len(self.laid)
        owner[cover] = number
        end = self.tilt.seen((np.array([[0.42, 0.0]]) @ spin) + centre)[0]
        if not self.is_fair(owner, window, cover, layer):
            return False
        self.owner[window] = owner
        if label is not None:
            self.remember(label, number, layer, end=end, size=size)
        self.compose(layer, window, inner)
        return True

    def window(self, layer: Layer) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        rows, columns = layer.alpha.shape
        top, left = max(layer.top, 0), max(layer.left, 0)
        bottom, right = min(layer.top + rows, self.height), min(layer.left + columns, self.width)
        inner = np.s_[top - layer.top : max(bottom, top) - layer.top, left - layer.left : max(right, left) - layer.left]
        return np.s_[top : max(bottom, top), left : max(right, left)], inner

    def is_fair(
        self, owner: npt.NDArray[np.uint8], window: tuple[slice, slice], cover: npt.NDArray[np.bool_], layer: Layer
    ) -> bool:
        if np.count_nonzero(cover) < 0.84 * np.count_nonzero(layer.cover > 100):
            return False
        touched = np.unique(self.owner[window][cover])
        if self.tidy and any(one.number in touched for one in self.laid):
            return False
        after = self.owner.copy()
        after[window] = owner
        for one in self.laid:
            if one.number not in touched:
                continue
            if np.count_nonzero(after == one.number) < 0.7 * one.area:
                return False
            if np.count_nonzero(after[one.end_window] == one.number) < 0.75 * one.end_area:
                return False
        return True

    def remember(self, label: int, number: int, layer: Layer, *, end: npt.NDArray[np.float64], size: float) -> None:
        """The working end tells slotted from Phillips, so it has to stay in sight."""
        reach = size * 0.1
        x, y = end
        near = np.s_[max(int(y - reach), 0) : max(int(y + reach), 1), max(int(x - reach), 0) : max(int(x + reach), 1)]
        area = int(np.count_nonzero(layer.cover > 100))
        self.laid.append(Laid(label, number, area, int(np.count_nonzero(self.owner[near] == number)), near))

    def compose(self, layer: Layer, window: tuple[slice, slice], inner: tuple[slice, slice]) -> None:
        if self.shadow:
            self.cast(layer)
        below = self.picture[window]
        alpha = layer.alpha[inner]
        three = cv2.merge((alpha, alpha, alpha))
        over = cv2.multiply(layer.colour[inner], three, scale=1 / 255)
        under = cv2.multiply(below, cv2.bitwise_not(three), scale=1 / 255)
        below[:] = cv2.add(over, under)

    def cast(self, layer: Layer) -> None:
        """A soft shadow, made at a quarter of the size: four times as fast, and as soft."""
        rows, columns = layer.alpha.shape
        pad = 16
        small = cv2.resize(layer.alpha, (max(columns // 4, 1), max(rows // 4, 1)), interpolation=cv2.INTER_AREA)
        small = cv2.copyMakeBorder(small, pad // 4, pad // 4, pad // 4, pad // 4, cv2.BORDER_CONSTANT, value=0)
        soft = cv2.GaussianBlur(small, (0, 0), 1.2)
        large = cv2.resize(soft, (columns + 2 * pad, rows + 2 * pad))
        dx, dy = self.shadow_shift.astype(int).tolist()
        ghost = Layer(layer.colour, large, large, layer.left - pad + dx, layer.top - pad + dy)
        window, inner = self.window(ghost)
        dim = cv2.convertScaleAbs(large[inner], alpha=-self.shadow, beta=255.0) if large[inner].size else None
        if dim is not None:
            dim = np.clip(255 - large[inner] * self.shadow, 0, 255).astype(np.uint8)
            self.picture[window] = cv2.multiply(self.picture[window], cv2.merge((dim, dim, dim)), scale=1 / 255)

    def boxes(self) -> list[Box]:
        found = []
        for one in self.laid:
            seen = (self.owner == one.number).view(np.uint8)
            x, y, width, height = cv2.boundingRect(seen)
            if width and height:
                found.append(Box(one.label, float(x), float(y), float(width), float(height)))
        return found


__all__ = ["Picture", "draw_scene"]
