"""Small pictures for lists, and large ones that any browser can show: decoded, turned upright and shrunk here."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from retinue.base.database import Database
from retinue.media.darkroom import Darkroom
from retinue.media.keeping import original_of
from retinue.vision.images import decode, encode_jpeg
from retinue.web.pages.visiting import SignedIn, page_routes

pages = page_routes()
SIDE, LARGE_SIDE = 400, 1600


@pages.get("/thumbs/{image_id}")
async def show_small(visit: SignedIn, image_id: str, large: Annotated[bool, Query()] = False) -> Response:
    """An asset never changes, so a browser may keep what it has seen for a day."""
    whose = None if visit.identity.is_admin else visit.identity.user_id
    asset = await visit[Database].read(lambda now: original_of(now, image_id, owner_id=whose))
    side = LARGE_SIDE if large else SIDE
    small = await visit[Darkroom].print(asset, lambda picture: _shrunk(picture, side))
    return Response(small, 200, {"Cache-Control": "private, max-age=86400"}, media_type="image/jpeg")


def _shrunk(data: bytes, side: int) -> bytes:
    import numpy as np
    from PIL import Image

    raster = Image.fromarray(decode(data, short_side=side).pixels)
    raster.thumbnail((side, side))
    return encode_jpeg(np.asarray(raster), quality=82)
