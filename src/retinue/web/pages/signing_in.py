"""Coming and going: sign in, make an account, set up the first admin, prove it is still you, sign out."""

import secrets
from typing import Annotated, Any

import structlog
from fastapi import Form, Request
from pydantic import SecretStr, ValidationError
from starlette.responses import RedirectResponse, Response

from retinue.accounts import browsers, gate, people, routes, same_origin, sessions, setup, signing_in
from retinue.accounts.browsers import Opened
from retinue.accounts.credentials import LONGEST
from retinue.accounts.gate import address_of
from retinue.accounts.opening import Accounts
from retinue.accounts.routes import Registration
from retinue.accounts.session_routes import agent_of
from retinue.accounts.tables import User
from retinue.base.database import Transaction
from retinue.base.errors import Invalid, RetinueError
from retinue.web.pages.drawing import Face
from retinue.web.pages.visiting import SignedIn, page_routes, place_to_go
from retinue.web.problems import status_of

pages = page_routes()
FORM_COOKIE = "retinue-form"
Text = Annotated[str, Form(max_length=1000)]
Password = Annotated[str, Form(max_length=LONGEST)]
_log = structlog.get_logger(__name__)


class NotFilledIn(Invalid):
    code = "invalid-parameters"
    title = "Please look at this again"


@pages.get("/login")
async def show_login(request: Request, next: str = "/") -> Response:  # noqa: A002 its name in the address
    accounts: Accounts = request.app.state.parts[Accounts]
    if not await accounts.database.read(people.has_admin):
        return RedirectResponse("/setup", 303)
    return _draw_form(request, "login.html", next=place_to_go(next), email="")


@pages.post("/login")
async def log_in(request: Request, email: Text, password: Password, token: Text = "", next: Text = "/") -> Response:  # noqa: A002
    accounts: Accounts = request.app.state.parts[Accounts]
    _check_form(request, token)
    try:
        await gate.limit_address(accounts.rates, gate.LOG_IN, address_of(request.scope))
        opened = await signing_in.with_password(accounts, email, password, **_from(request), begin=browsers.begin)
    except RetinueError as refusal:
        return _draw_form(request, "login.html", refusal=refusal, next=place_to_go(next), email=email)
    return _let_in(request, opened, place_to_go(next))


@pages.get("/register")
async def show_register(request: Request, next: str = "/") -> Response:  # noqa: A002
    return _draw_form(request, "register.html", next=place_to_go(next), given={})


@pages.post("/register")
async def register(
    request: Request,
    email: Text,
    password: Password,
    name: Text = "",
    surname: Text = "",
    token: Text = "",
    next: Text = "/",  # noqa: A002
) -> Response:
    accounts: Accounts = request.app.state.parts[Accounts]
    _check_form(request, token)
    given = {"email": email, "name": name, "surname": surname}
    try:
        await gate.limit_address(accounts.rates, gate.REGISTRATION, address_of(request.scope))
        await routes.register(_registration(given, password), accounts)
        opened = await signing_in.with_password(accounts, email, password, **_from(request), begin=browsers.begin)
    except RetinueError as refusal:
        return _draw_form(request, "register.html", refusal=refusal, next=place_to_go(next), given=given)
    return _let_in(request, opened, place_to_go(next))


@pages.get("/setup")
async def show_setup(request: Request) -> Response:
    accounts: Accounts = request.app.state.parts[Accounts]
    if await accounts.database.read(people.has_admin):
        return RedirectResponse("/login", 303)
    return _draw_form(request, "setup.html", given={})


@pages.post("/setup")
async def set_up(request: Request, code: Text, email: Text, password: Password, token: Text = "") -> Response:
    accounts: Accounts = request.app.state.parts[Accounts]
    _check_form(request, token)

    def begin(now: Transaction, user: User) -> Opened:
        return browsers.begin(now, user, **_from(request))

    try:
        await gate.limit_address(accounts.rates, gate.SETUP, address_of(request.scope))
        asked = _registration({"email": email}, password)
        opened = await setup.first_admin(accounts, code, email=asked.email, password=password, begin=begin)
    except RetinueError as refusal:
        return _draw_form(request, "setup.html", refusal=refusal, given={"code": code, "email": email})
    return _let_in(request, opened, "/")


@pages.post("/prove")
async def prove(visit: SignedIn, password: Password) -> Response:
    """Called by a script that was told to ask for the password again."""
    accounts, identity = visit[Accounts], visit.identity
    same_origin.check_script(visit.request.scope, public_url=accounts.settings.public_url)
    await signing_in.prove(accounts, identity.user_id, password, address=address_of(visit.request.scope))
    session_id = identity.session_id or ""
    await accounts.database.write(lambda now: browsers.note_proof(now, session_id))
    accounts.recognition.forget(identity.user_id)
    return Response(status_code=204)


@pages.post("/logout")
async def log_out(visit: SignedIn, token: Text = "") -> Response:
    accounts, session_id = visit[Accounts], visit.identity.session_id or ""
    visit[Face].check_form(visit.request, seed=session_id, token=token)
    await accounts.database.write(lambda now: sessions.end(now, session_id, because="logout"))
    accounts.recognition.forget(visit.identity.user_id)
    answer = RedirectResponse("/login", 303)
    browsers.take(answer, visit.request.scope)
    return answer


def _draw_form(request: Request, template: str, *, refusal: RetinueError | None = None, **facts: Any) -> Response:
    """The form's token belongs to a cookie of this browser alone, so that nobody signs it in from elsewhere."""
    face: Face = request.app.state.parts[Face]
    seed = request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(16)
    is_open = face.settings.registration == "open"
    status = 200 if refusal is None else status_of(refusal)
    answer = face.draw(
        request, template, status=status, refusal=refusal, form_token=face.form_token(seed), is_open=is_open, **facts
    )
    answer.set_cookie(
        FORM_COOKIE, seed, path="/", httponly=True, samesite="strict", secure=request.scope["scheme"] == "https"
    )
    return answer


def _check_form(request: Request, token: str) -> None:
    face: Face = request.app.state.parts[Face]
    face.check_form(request, seed=request.cookies.get(FORM_COOKIE, ""), token=token)


def _let_in(request: Request, opened: Opened, place: str) -> Response:
    if request.scope["scheme"] != "https" and request.url.hostname not in {"127.0.0.1", "localhost", "::1"}:
        _log.warning("somebody signed in over plain HTTP; put TLS in front", host=request.url.hostname)
    answer = RedirectResponse(place, 303)
    browsers.give(answer, request.scope, opened.cookie)
    return answer


def _from(request: Request) -> dict[str, str]:
    return {"address": address_of(request.scope), "agent": agent_of(request)}


def _registration(given: dict[str, str], password: str) -> Registration:
    try:
        return Registration(password=SecretStr(password), **given)
    except ValidationError as wrong:
        told = "; ".join(f"{one['loc'][0]}: {one['msg']}" for one in wrong.errors(include_url=False))
        raise NotFilledIn(told) from None
