"""What the camera does to a finished drawing: tilt, light, focus, noise and compression."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from training.toolbox import grain
from training.toolbox.outlines.shapes import Dice, Points
from training.toolbox.scene import Picture


@dataclass(frozen=True)
class Tilt:
    """A plane seen at an angle: what lies in the direction (x, y) is further away."""

    centre: tuple[float, float]
    x: float
    y: float

    def seen(self, points: Points) -> Points:
        away = points - self.centre
        return np.asarray(self.centre + away / (1 + away @ np.array([self.x, self.y]))[:, None])


def choose_tilt(dice: Dice, *, width: int, height: int) -> Tilt:
    strength = dice.uniform(0, 0.55) / max(width, height) if dice.random() < 0.6 else 0.0
    angle = dice.uniform(0, 2 * np.pi)
    return Tilt((width / 2, height / 2), float(strength * np.cos(angle)), float(strength * np.sin(angle)))


def photographed(picture: Picture, dice: Dice) -> Picture:
    if dice.random() < 0.75:
        picture = lit(picture, dice)
    picture = graded(picture, dice)
    if dice.random() < 0.4:
        picture = cv2.GaussianBlur(picture, (0, 0), dice.uniform(0.4, 1.5))
    elif dice.random() < 0.08:
        picture = shaken(picture, dice)
    if dice.random() < 0.6:
        picture = noisy(picture, dice)
    if dice.random() < 0.6:
        picture = compressed(picture, int(dice.integers(25, 95)))
    return picture


def lit(picture: Picture, dice: Dice) -> Picture:
    """A lamp on one side, or a spot."""
    y, x = np.mgrid[0:16, 0:16].astype(np.float32) / 15 - 0.5
    angle = dice.uniform(0, 2 * np.pi)
    field = (x * np.cos(angle) + y * np.sin(angle)) * dice.uniform(0, 0.9)
    if dice.random() < 0.4:
        distance = np.hypot(x - dice.uniform(-0.5, 0.5), y - dice.uniform(-0.5, 0.5))
        field = field + 0.25 - distance * dice.uniform(0.2, 1.0)
    if dice.random() < 0.2:  # the edge of a shadow falls across
        field = field - 0.4 * (x * np.sin(angle) + y * np.cos(angle) > dice.uniform(-0.3, 0.4))
    level = np.clip(1 + field, 0.4, 1.5) * 128
    large = cv2.resize(level.astype(np.uint8), (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_CUBIC)
    return cv2.multiply(picture, cv2.merge((large, large, large)), scale=1 / 128)


def graded(picture: Picture, dice: Dice) -> Picture:
    """Exposure, contrast and white balance in one table."""
    ramp = np.linspace(0, 1, 256)[:, None]
    gain = dice.uniform(0.8, 1.25) if dice.random() < 0.85 else dice.uniform(0.5, 0.8)
    balance = dice.uniform(0.88, 1.1, 3) if dice.random() < 0.6 else np.ones(3)
    contrast = dice.uniform(0.65, 1.2)
    table = ((ramp ** dice.uniform(0.75, 1.3) - 0.5) * contrast + 0.5) * gain * balance
    return cv2.LUT(picture, np.clip(table * 255, 0, 255).astype(np.uint8)[None])


def shaken(picture: Picture, dice: Dice) -> Picture:
    length = int(dice.integers(3, 9))
    kernel = np.zeros((length, length), np.float32)
    end = int(dice.integers(0, length))
    cv2.line(kernel, (0, end), (length - 1, length - 1 - end), 1.0, 1)
    return cv2.filter2D(picture, -1, kernel / kernel.sum())


def noisy(picture: Picture, dice: Dice) -> Picture:
    rows, columns = picture.shape[:2]
    speck = cv2.resize(np.ascontiguousarray(grain.cut(grain.fine(), dice, rows=rows, columns=columns)), (columns, rows))
    amount = np.clip(speck * dice.uniform(2, 10) + 128, 0, 255).astype(np.uint8)
    return cv2.addWeighted(picture, 1.0, cv2.merge((amount, amount, amount)), 1.0, -128)


def compressed(picture: Picture, quality: int) -> Picture:
    ok, data = cv2.imencode(".jpg", picture[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, quality))
    assert ok
    back = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert back is not None
    return np.ascontiguousarray(back[..., ::-1])
