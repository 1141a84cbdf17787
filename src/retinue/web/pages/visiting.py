"""Who looks at a page: signed in, or sent to sign in first; and how a page refuses.

routes = page_routes()
@routes.get("/models")
async def models(visit: SignedIn) -> Response:
    return await visit.show("models.html", models=...)
"""

import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

import structlog
from fastapi import APIRouter, Depends
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from retinue.accounts import browsers
from retinue.accounts.access import Identity
from retinue.accounts.opening import Accounts
from retinue.base.database import Database
from retinue.base.errors import Forbidden, NotSignedIn, RetinueError
from retinue.base.paging import Asked
from retinue.base.parts import Parts
from retinue.vision.errors import VisionError
from retinue.web.pages.drawing import Face, frame_of, place_of
from retinue.web.problems import of_the_framework, status_of

T = TypeVar("T")
LONGEST_PLACE = 1000
# One of our own paths: a slash, and then neither a second one nor a backslash, which browsers read as one.
_PLACE = re.compile(r"/(?![/\\])[!-~]*")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody signed in, looking at a page."""

    request: Request
    identity: Identity
    parts: Parts

    def __getitem__(self, kind: type[T]) -> T:
        """A part of the house, as a route of the API would ask for it."""
        return self.parts[kind]

    async def show(self, template: str, *, status: int = 200, **facts: Any) -> Response:
        frame = await self[Database].read(lambda now: frame_of(now, self.identity))
        face = self[Face]
        assert self.identity.session_id is not None, "browsers have sessions"
        token = face.form_token(self.identity.session_id)
        return face.draw(
            self.request, template, status=status, me=self.identity, frame=frame, form_token=token, **facts
        )


async def _visit(request: Request) -> Visit:
    parts: Parts = request.app.state.parts
    cookie = browsers.cookie_in(request.scope)
    if cookie is None:
        raise NotSignedIn()
    identity = await parts[Accounts].recognition.recognise_browser(cookie)
    request.scope["user_id"] = identity.user_id
    return Visit(request, identity, parts)


SignedIn = Annotated[Visit, Depends(_visit)]


async def _admin_visit(visit: SignedIn) -> Visit:
    if not visit.identity.is_admin:
        raise Forbidden("This page is for admins")
    return visit


AsAdmin = Annotated[Visit, Depends(_admin_visit)]


class PageRoute(APIRoute):
    """Refusals of a page are pages too, and who is not signed in may do that and come back."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except NotSignedIn:
                return to_sign_in(request)
            except (RetinueError, VisionError) as refusal:
                return refuse(request, refusal)
            except RequestValidationError as wrong:
                told = "; ".join(str(one["msg"]) for one in wrong.errors())
                return _face(request).draw(request, "refusal.html", status=422, title=told, detail="", code="invalid")

        return answer


def page_routes() -> APIRouter:
    return APIRouter(route_class=PageRoute, include_in_schema=False)


def to_sign_in(request: Request) -> Response:
    place = place_of(request)
    wanted = f"?next={quote(place)}" if request.method == "GET" and place != "/" else ""
    return RedirectResponse(f"/login{wanted}", 303)


def place_to_go(told: str) -> str:
    """Where a person wanted to be, if that is a page of ours."""
    return told if len(told) <= LONGEST_PLACE and _PLACE.fullmatch(told) else "/"


def refuse(request: Request, refusal: RetinueError | VisionError) -> Response:
    status = status_of(refusal)
    if status >= 500:
        _log.error("page failed", code=refusal.code, exc_info=refusal)
    return _face(request).draw(
        request, "refusal.html", status=status, title=refusal.title, detail=refusal.detail, code=refusal.code
    )


async def lost(request: Request, error: Exception) -> Response:
    """An address that is nothing: people with a browser get a page, programs a problem document."""
    is_page = not request.url.path.startswith(("/api/", "/v2/")) and request.method in {"GET", "HEAD"}
    if not is_page or "text/html" not in request.headers.get("accept", ""):
        return await of_the_framework(request, error)
    return _face(request).draw(request, "lost.html", status=404)


def first(limit: int, cursor: str | None = None) -> Asked:
    """A page of a list, as the API's routes are asked for one."""
    return Asked(limit, cursor)


def _face(request: Request) -> Face:
    face: Face = request.app.state.parts[Face]
    return face
