"""A part of a kept picture, cut out when somebody opens a link to it."""

from collections.abc import Sequence

from starlette.responses import Response

from retinue.media.darkroom import Darkroom
from retinue.media.serving import HEADERS
from retinue.media.tables import Asset
from retinue.vision.images import decode, encode_jpeg

AROUND = 0.08  # of the longer side: a tool is told by its outline, and a tight box cuts it


async def cropped(darkroom: Darkroom, asset: Asset, box: Sequence[int], *, seconds_left: int) -> Response:
    """`box` is x, y, width, height in the upright picture."""
    cut = await darkroom.print(asset, lambda picture: _cut(picture, box))
    headers = {**HEADERS, "Accept-Ranges": "none", "Cache-Control": f"private, max-age={max(0, seconds_left)}"}
    return Response(cut, 200, headers, media_type="image/jpeg")


def _cut(picture: bytes, box: Sequence[int]) -> bytes:
    pixels = decode(picture).pixels
    x, y, width, height = box
    margin = round(AROUND * max(width, height))
    rows = _within(y - margin, y + height + margin, pixels.shape[0])
    columns = _within(x - margin, x + width + margin, pixels.shape[1])
    return encode_jpeg(pixels[rows, columns].copy())


def _within(start: int, end: int, size: int) -> slice:
    """At least one pixel, all of them inside the picture."""
    first = min(max(start, 0), size - 1)
    return slice(first, min(max(end, first + 1), size))
