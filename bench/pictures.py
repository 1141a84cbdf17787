"""Photographs to measure with: distinct JPEGs of one size, cut from scikit-image's pictures, always the same."""

import io
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg", "retina.jpg")


def jpegs(count: int, *, width: int, height: int) -> list[bytes]:
    chance = np.random.default_rng(7)
    folder = Path(skimage.data.__file__).parent
    opened = [Image.open(folder / name).convert("RGB") for name in PHOTOGRAPHS]
    return [_cut(opened[n % len(opened)], chance, width=width, height=height) for n in range(count)]


def _cut(photograph: Image.Image, chance: np.random.Generator, *, width: int, height: int) -> bytes:
    """A random part of at least half the photograph, so that no two pictures are the same bytes."""
    share = chance.uniform(0.6, 1.0) * min(photograph.width / width, photograph.height / height)
    across, down = width * share, height * share
    left, top = chance.uniform(0, photograph.width - across), chance.uniform(0, photograph.height - down)
    box = (left, top, left + across, top + down)
    part = photograph.resize((width, height), Image.Resampling.BICUBIC, box=box)
    stream = io.BytesIO()
    part.save(stream, format="JPEG", quality=90)
    return stream.getvalue()
