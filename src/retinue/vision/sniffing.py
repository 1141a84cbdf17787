"""Which kind of picture bytes are, told by the bytes alone, and how large a picture may be."""

from dataclasses import dataclass
from typing import NamedTuple

from retinue.vision.errors import BrokenPicture, NotAPicture, PictureTooBig


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a picture may be. Pillow only warns at 89 megapixels, and a 20 KB PNG can hold 169 of them."""

    max_bytes: int = 20 * 1024 * 1024
    max_pixels: int = 40_000_000
    max_side: int = 16_384

    def check(self, width: int, height: int) -> None:
        if width < 1 or height < 1:
            raise BrokenPicture("The picture says that it has no pixels.")
        if max(width, height) > self.max_side:
            raise PictureTooBig(f"The picture is {width} × {height}; the longest side may have {self.max_side} pixels.")
        if width * height > self.max_pixels:
            raise PictureTooBig(
                f"The picture has {width * height / 1e6:.1f} megapixels; the limit is {self.max_pixels / 1e6:g}."
            )


DEFAULT_LIMITS = Limits()


class Kind(NamedTuple):
    name: str
    mime_type: str
    extension: str


JPEG = Kind("jpeg", "image/jpeg", ".jpg")
PNG = Kind("png", "image/png", ".png")
WEBP = Kind("webp", "image/webp", ".webp")
GIF = Kind("gif", "image/gif", ".gif")
BMP = Kind("bmp", "image/bmp", ".bmp")
TIFF = Kind("tiff", "image/tiff", ".tif")

BMP_HEADER_SIZES = {12, 16, 40, 52, 56, 64, 108, 124}


def kind_of(data: bytes) -> Kind:
    """By content; file names and content types are never asked."""
    if not data:
        raise BrokenPicture("The picture is empty.")
    if data.startswith(b"\xff\xd8\xff"):
        return JPEG
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return WEBP
    if data.startswith((b"GIF87a", b"GIF89a")):
        return GIF
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return TIFF
    # Two letters also begin many texts, so the size of the second header has to be one that exists.
    if data.startswith(b"BM") and (len(data) < 18 or int.from_bytes(data[14:18], "little") in BMP_HEADER_SIZES):
        return BMP
    raise NotAPicture("Only JPEG, PNG, WebP, GIF, BMP and TIFF pictures are read, told by their content.")
