"""Style sheet, scripts and pictures of the pages, under an address that changes when any of them does."""

import hashlib
from functools import cache
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent.parent / "static"


@cache
def address() -> str:
    digest = hashlib.sha256()
    for file in sorted(FOLDER.rglob("*")):
        if file.is_file():
            digest.update(file.name.encode() + b"\x00" + file.read_bytes())
    return f"/static/{digest.hexdigest()[:12]}"


class Static(StaticFiles):
    """Kept by browsers for a year: another content has another address."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER)

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        if answer.status_code < 400:
            answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return answer
