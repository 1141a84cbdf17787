"""Which language the pages speak to this browser, chosen by a person.

It is kept in a cookie and not with the account, because the page of signing in speaks too. What the API refuses stays
English everywhere: programs, logs and searches rely on its sentences.
"""

from typing import Annotated

from fastapi import Form, Request
from starlette.responses import RedirectResponse, Response

from retinue.accounts import same_origin
from retinue.web.pages import wording
from retinue.web.pages.drawing import Face
from retinue.web.pages.visiting import page_routes, place_to_go

pages = page_routes()
KEPT_S = 365 * 24 * 3600


@pages.post("/language")
async def choose(
    request: Request,
    language: Annotated[str, Form(max_length=20)],
    next: Annotated[str, Form(max_length=1000)] = "/",  # noqa: A002 its name in the form
) -> Response:
    """Nobody's but the browser's own: there is no session to protect, only other sites to refuse."""
    face: Face = request.app.state.parts[Face]
    same_origin.check_form(request.scope, public_url=face.settings.public_url)
    answer = RedirectResponse(place_to_go(next), 303)
    if language in wording.languages():
        answer.set_cookie(
            wording.COOKIE,
            language,
            max_age=KEPT_S,
            path="/",
            httponly=True,
            samesite="lax",
            secure=request.scope["scheme"] == "https",
        )
    return answer
