"""What the held-out tools lie on, and what the lamp and the camera then do to the picture."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from training.toolbox.heldout_finish import Canvas
from training.toolbox.scene import Numbers, Picture

Rng = np.random.Generator


def lay_ground(rng: Rng, name: str, *, width: int, height: int, pale: bool) -> Canvas:
    """`pale` keeps the ground light enough for a black silhouette to be seen."""
    ground = GROUNDS[name](rng, width, height)
    level = float(ground.mean())
    return ground + np.float32(130 - level) if pale and level < 130 else ground


def photograph(canvas: Canvas, rng: Rng) -> Picture:
    """Uneven light, exposure and white balance, then lens, sensor and JPEG."""
    height, width = canvas.shape[:2]
    lamp = _clouds(rng, width, height, cells=2) * rng.uniform(0.0, 0.5) + rng.uniform(0.55, 0.8)
    gain = rng.uniform(0.55, 1.35) * rng.uniform(0.92, 1.08, size=3)
    # The camera's own exposure: below a mean of about 40 even a careful person cannot name the tools.
    gain *= max(1.0, 40 / max(float(canvas.mean() * lamp.mean() * gain.mean()), 1.0))
    # Joining planes in cv2 takes 0.3 ms, stretching one plane over three in numpy 3.3 ms.
    picture: Numbers = cv2.multiply(canvas, cv2.merge([lamp * np.float32(share) for share in gain]))
    lens = rng.random()
    if lens < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.6))
    elif lens < 0.6:
        picture = cv2.filter2D(picture, -1, _shake(rng))
    if rng.random() < 0.75:
        grain = rng.standard_normal((height, width), dtype=np.float32) * np.float32(rng.uniform(1, 11))
        picture = cv2.add(picture, cv2.merge([grain, grain, grain]))
    return _stored_as_jpeg(np.clip(picture, 0, 255).astype(np.uint8), quality=int(rng.integers(32, 96)))


def _stored_as_jpeg(picture: Picture, *, quality: int) -> Picture:
    stored = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    read = cv2.imdecode(stored, cv2.IMREAD_COLOR)
    if read is None:
        raise RuntimeError("OpenCV could not read the JPEG that it has just written.")
    return np.asarray(cv2.cvtColor(read, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _wood(rng: Rng, width: int, height: int) -> Canvas:
    """Planks, each with its own tone, with a grain that is stretched noise under wavy rings."""
    tone = np.asarray(
        rng.choice([(176, 130, 84), (128, 86, 52), (206, 172, 126), (92, 68, 52), (160, 148, 132)]), np.float32
    )
    long, short = max(width, height), min(width, height)
    long = short = max(long, short)
    grain = cv2.resize(rng.random((short // 3, 9), dtype=np.float32), (long, short), interpolation=cv2.INTER_CUBIC)
    wave = _clouds(rng, long, short, cells=3) * rng.uniform(3, 9)
    rings = np.sin(wave * 6 + np.arange(short, dtype=np.float32)[:, None] / rng.uniform(5, 14))
    level = 0.8 + 0.28 * grain + 0.07 * rings
    plank = int(rng.integers(90, 260))
    for top in range(int(rng.integers(-plank, 0)), short, plank):
        level[max(top, 0) : top + plank] *= rng.uniform(0.82, 1.12)
        level[max(top, 0) : max(top + int(rng.integers(1, 4)), 0)] *= 0.45
    if rng.random() < 0.5:
        level = level.T
    return _tinted(level[:height, :width], tone)


def _foam(rng: Rng, width: int, height: int) -> Canvas:
    """Fine pores and a few empty finger pockets."""
    tone = np.asarray(
        rng.choice([(52, 54, 58), (40, 62, 104), (120, 120, 118), (30, 30, 32), (150, 60, 48)]), np.float32
    )
    level = 0.85 + 0.3 * rng.random((height, width), dtype=np.float32)
    for _ in range(int(rng.integers(0, 4))):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        cv2.circle(level, (x, y), int(rng.integers(18, 45)), float(rng.uniform(0.55, 0.75)), -1, cv2.LINE_AA)
    return _tinted(level, tone)


def _cloth(rng: Rng, width: int, height: int) -> Canvas:
    """A weave under soft folds, sometimes checked."""
    tone = rng.uniform(50, 215, size=3).astype(np.float32) * 0.5 + rng.uniform(30, 110)
    columns, rows = np.arange(width, dtype=np.float32)[None, :], np.arange(height, dtype=np.float32)[:, None]
    pitch = rng.uniform(2.2, 6)
    level = 0.85 + 0.09 * np.sin(columns * 6.28 / pitch) * np.sin(rows * 6.28 / pitch)
    level = level + 0.35 * (_clouds(rng, width, height, cells=5) - 0.5)
    if rng.random() < 0.3:
        check = rng.uniform(40, 110)
        level = level * (1 - 0.16 * (columns % check < check / 2) - 0.16 * (rows % check < check / 2))
    return _tinted(level, tone.astype(np.float32))


def _metal(rng: Rng, width: int, height: int) -> Canvas:
    """A brushed sheet, or a tread plate."""
    tone = np.asarray(rng.choice([(150, 154, 158), (96, 100, 106), (190, 190, 186), (70, 82, 78)]), np.float32)
    streaks = cv2.resize(rng.random((height, 6), dtype=np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    level = 0.8 + 0.16 * streaks + 0.3 * _clouds(rng, width, height, cells=2)
    if rng.random() < 0.35:
        step = int(rng.integers(44, 80))
        for row, y in enumerate(range(0, height + step, step)):
            for column, x in enumerate(range(0, width + step, step)):
                lean = 45 if (row + column) % 2 else -45
                cv2.ellipse(level, (x, y), (step // 3, step // 11), lean, 0, 360, 1.22, -1, cv2.LINE_AA)
                cv2.ellipse(level, (x, y + 1), (step // 3, step // 11), lean, 0, 180, 0.6, 1, cv2.LINE_AA)
    return _tinted(level if rng.random() < 0.5 else level[::-1], tone)


def _plain(rng: Rng, width: int, height: int) -> Canvas:
    near, far = rng.uniform(25, 250), rng.uniform(-40, 40)
    level = near + far * _clouds(rng, width, height, cells=2)
    return _tinted(level / 255, (255 * rng.uniform(0.85, 1.0, size=3)).astype(np.float32))


def _cutting_mat(rng: Rng, width: int, height: int) -> Canvas:
    tone = np.asarray(rng.choice([(36, 96, 76), (44, 62, 110), (70, 70, 74), (224, 222, 212)]), np.float32)
    level = 0.95 + 0.1 * rng.random((height, width), dtype=np.float32)
    step, bright = int(rng.integers(26, 64)), rng.uniform(1.2, 1.5) if tone.mean() < 180 else 0.8
    level[int(rng.integers(step)) :: step] *= bright
    level[:, int(rng.integers(step)) :: step] *= bright
    return _tinted(level, tone)


def _pegboard(rng: Rng, width: int, height: int) -> Canvas:
    tone = np.asarray(rng.choice([(196, 160, 112), (210, 212, 214), (92, 110, 132)]), np.float32)
    level = 0.9 + 0.12 * _clouds(rng, width, height, cells=4)
    step, radius = int(rng.integers(34, 64)), int(rng.integers(3, 6))
    for y in range(int(rng.integers(step)), height, step):
        for x in range(int(rng.integers(step)), width, step):
            cv2.circle(level, (x, y), radius, 0.22, -1, cv2.LINE_AA)
    return _tinted(level, tone)


GROUNDS: dict[str, Callable[[Rng, int, int], Canvas]] = {
    "wood": _wood,
    "foam": _foam,
    "cloth": _cloth,
    "metal": _metal,
    "plain": _plain,
    "cutting mat": _cutting_mat,
    "pegboard": _pegboard,
}


def _tinted(level: Canvas, tone: Canvas) -> Canvas:
    plane = level.astype(np.float32)
    return cv2.merge([plane * np.float32(share) for share in tone])


def _clouds(rng: Rng, width: int, height: int, *, cells: int) -> Canvas:
    seeds = rng.random((cells + 1, cells + 1), dtype=np.float32)
    return np.asarray(cv2.resize(seeds, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def _shake(rng: Rng) -> Canvas:
    kernel = np.zeros((9, 9), np.float32)
    angle, reach = rng.uniform(0, np.pi), rng.uniform(1.5, 4)
    across, down = round(float(np.cos(angle) * reach)), round(float(np.sin(angle) * reach))
    cv2.line(kernel, (4 - across, 4 - down), (4 + across, 4 + down), 1.0, 1)
    return np.asarray(kernel / kernel.sum())
