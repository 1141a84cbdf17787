"""How kept bytes go out: one range at most, and headers that keep a hostile file from acting in a browser."""

import re
from collections.abc import Mapping
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from retinue.base.errors import RetinueError
from retinue.base.storage import Storage
from retinue.media.links import Disposition
from retinue.media.tables import Asset

RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
SAFE_INLINE = {"image/jpeg", "image/png", "image/webp"}
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-site",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Accept-Ranges": "bytes",
}


class RangeRefused(RetinueError):
    code = "range-not-satisfiable"
    title = "This range of bytes cannot be served"


def respond(
    storage: Storage, asset: Asset, request: Request, *, disposition: Disposition, seconds_left: int
) -> Response:
    headers = {
        **HEADERS,
        "ETag": f'"{asset.sha256}"',
        "Cache-Control": f"private, max-age={max(0, seconds_left)}",
        "Content-Disposition": content_disposition(asset, disposition),
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    start, end = _asked_range(request.headers.get("range"), asset.size_bytes)
    headers["Content-Length"] = str(end - start)
    is_part = (start, end) != (0, asset.size_bytes)
    if is_part:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{asset.size_bytes}"
    status = 206 if is_part else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=asset.mime_type)
    body = storage.stream(asset.key, start, end)
    return StreamingResponse(body, status, headers, media_type=asset.mime_type)


def content_disposition(asset: Asset, disposition: Disposition) -> str:
    """Only pictures that browsers draw and never run are shown in place; names are quoted for old and new clients."""
    is_shown = disposition == "inline" and asset.mime_type in SAFE_INLINE
    plain = re.sub(r'[^ -~]|["\\;%]', "_", asset.filename)
    way = "inline" if is_shown else "attachment"
    return f"{way}; filename=\"{plain}\"; filename*=UTF-8''{quote(asset.filename, safe='')}"


def _asked_range(header: str | None, size: int) -> tuple[int, int]:
    """One range or none: a list of ten thousand ranges costs a server seconds and no honest client sends one."""
    if header is None:
        return 0, size
    match = RANGE.fullmatch(header.strip())
    if match is None or match.groups() == ("", ""):
        raise RangeRefused("Ask for one range: bytes=first-last")
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1 if last else size)
    if start >= end:
        raise RangeRefused(f"The file has {size} bytes")
    return start, end
