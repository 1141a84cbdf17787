"""What may be given as a picture, and what a picture that comes back can be turned into.

numpy and Pillow are used where they are installed; nothing here needs them before it is asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from mimetypes import guess_type
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from retinue.client.asking import File

PictureLike: TypeAlias = str | Path | bytes | BinaryIO | Any  # Any: a Pillow image or an array
UNKNOWN = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture: a JPEG or PNG as the server sent it."""

    data: bytes = field(repr=False)
    media_type: str

    def save(self, file: str | Path) -> Path:
        place = Path(file)
        place.write_bytes(self.data)
        return place

    def as_pil(self) -> Any:
        """As a Pillow image."""
        image = _pillow()
        opened = image.open(BytesIO(self.data))
        opened.load()
        return opened

    def as_numpy(self) -> Any:
        """Height × width × RGB."""
        import numpy

        return numpy.asarray(self.as_pil().convert("RGB"))


def file_of(picture: PictureLike, *, name: str | None = None) -> File:
    """Read or encode it. Pillow images and arrays become PNGs, so that the server sees the very same pixels."""
    if isinstance(picture, str | Path):
        path = Path(picture)
        return name or path.name, path.read_bytes(), guess_type(path.name)[0] or UNKNOWN
    if isinstance(picture, bytes | bytearray | memoryview):
        return name or "picture", bytes(picture), UNKNOWN
    if hasattr(picture, "read"):
        found = Path(str(getattr(picture, "name", "picture"))).name
        return name or found, picture.read(), guess_type(found)[0] or UNKNOWN
    return name or "picture.png", _as_png(picture), "image/png"


def decode_mask(size: Sequence[int], counts: str) -> Any:
    """COCO's compressed run lengths as an array of bool, height × width."""
    from pycocotools import mask

    decoded = mask.decode({"size": [size[0], size[1]], "counts": counts.encode()})
    return decoded.astype(bool)


def _as_png(picture: Any) -> bytes:
    image = picture if hasattr(picture, "save") else _pillow().fromarray(picture)
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _pillow() -> Any:
    from PIL import Image

    return Image
