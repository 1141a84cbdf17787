"""A stored answer drawn on its picture."""

from typing import Any

from retinue.vision.drawing import draw
from retinue.vision.images import decode, encode_jpeg
from retinue.vision.results import result_from_json


def draw_answer(picture: bytes, answer: dict[str, Any]) -> bytes:
    """A JPEG without the original's EXIF: a marked-up picture may be passed on, places may not."""
    pixels = decode(picture).pixels
    result = result_from_json(answer)
    return encode_jpeg(pixels if result is None else draw(pixels, result))
