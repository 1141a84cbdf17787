"""Photographs that everybody has: the ones that scikit-image carries."""

from functools import cache
from importlib.resources import files
from io import BytesIO

import numpy as np
from PIL import Image


@cache
def photograph(name: str, *, width: int | None = None) -> bytes:
    """`coffee`, `chelsea`, `astronaut` … as a JPEG."""
    folder = files("skimage") / "data"
    found = next(place for place in (folder / f"{name}.png", folder / f"{name}.jpg") if place.is_file())
    with found.open("rb") as stream, Image.open(stream) as opened:
        picture = opened.convert("RGB")
    if width:
        picture = picture.resize((width, picture.height * width // picture.width))
    return _jpeg(picture)


def drawn(seed: int, *, width: int = 64, height: int = 48) -> bytes:
    """A small picture unlike any other seed's."""
    blocks = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return _jpeg(Image.fromarray(blocks).resize((width, height), Image.Resampling.NEAREST))


def mask(width: int, height: int) -> bytes:
    """A white box in the middle, as a PNG."""
    grey = np.zeros((height, width), np.uint8)
    grey[height // 3 : height // 2, width // 3 : width // 2] = 255
    out = BytesIO()
    Image.fromarray(grey).save(out, "PNG")
    return out.getvalue()


def _jpeg(picture: Image.Image) -> bytes:
    out = BytesIO()
    picture.save(out, "JPEG", quality=92)
    return out.getvalue()
