"""Signing in and out: sessions, their refresh, the password form of OAuth 2, and the first admin's set-up."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel, Field

from retinue.accounts import sessions, setup, signing_in
from retinue.accounts.access import Holder
from retinue.accounts.credentials import GivenPassword, NewPassword
from retinue.accounts.gate import address_of
from retinue.accounts.opening import Accounts
from retinue.accounts.people import Email
from retinue.accounts.sessions import Begun
from retinue.accounts.shapes import Profile, Shape, profile_of
from retinue.base.database import Transaction
from retinue.base.parts import part
from retinue.base.words import ShortLine

routes = APIRouter(prefix="/api/v1", tags=["sessions"])
Room = Annotated[Accounts, part(Accounts)]


class LogIn(Shape):
    email: str = Field(max_length=320, examples=["ada@example.com"])
    password: GivenPassword


class Refresh(Shape):
    refresh_token: str = Field(max_length=200)


class SetUp(Shape):
    code: str = Field(max_length=100, description="From the server's console, or the file setup-code.")
    email: Email
    password: NewPassword
    name: ShortLine = ""
    surname: ShortLine = ""


class SignedIn(BaseModel):
    access_token: str
    token_type: Literal["bearer"]
    expires_in: int = Field(description="Seconds.")
    refresh_token: str
    user: Profile


@routes.post("/sessions")
async def log_in(ask: LogIn, request: Request, accounts: Room) -> SignedIn:
    """An access token for minutes, a refresh token for days."""
    return await _log_in(ask.email, ask.password.get_secret_value(), request, accounts)


@routes.post("/token")
async def log_in_by_form(
    username: Annotated[str, Form(max_length=320)],
    password: Annotated[GivenPassword, Form()],
    request: Request,
    accounts: Room,
) -> SignedIn:
    """The same for clients that speak OAuth 2's password form; `username` is the e-mail address."""
    return await _log_in(username, password.get_secret_value(), request, accounts)


@routes.post("/sessions/refresh")
async def refresh_session(ask: Refresh, accounts: Room) -> SignedIn:
    """A new pair of tokens. A refresh token works once; using it again later ends the session."""
    return _signed_in(accounts, await signing_in.with_refresh_token(accounts, ask.refresh_token))


@routes.delete("/sessions", status_code=204)
async def log_out(
    caller: Holder, accounts: Room, everywhere: Annotated[bool, Query(description="Or only here.")] = True
) -> None:
    """Ends all sessions of the caller; with `everywhere=false` only the one that asks."""

    def leave(now: Transaction) -> None:
        if everywhere or caller.session_id is None:
            sessions.end_all(now, caller.user_id, because="logout")
        else:
            sessions.end(now, caller.session_id, because="logout")

    await accounts.database.write(leave)
    accounts.recognition.forget(caller.user_id)


@routes.post("/setup", status_code=201)
async def set_up(ask: SetUp, request: Request, accounts: Room) -> SignedIn:
    """Makes the first admin, once."""
    address, agent = address_of(request.scope), agent_of(request)
    begun = await setup.first_admin(
        accounts,
        ask.code,
        email=ask.email,
        password=ask.password.get_secret_value(),
        name=ask.name,
        surname=ask.surname,
        begin=lambda now, user: sessions.begin(now, user, address=address, agent=agent),
    )
    return _signed_in(accounts, begun)


async def _log_in(email: str, password: str, request: Request, accounts: Accounts) -> SignedIn:
    begun = await signing_in.with_password(
        accounts, email, password, address=address_of(request.scope), agent=agent_of(request), begin=sessions.begin
    )
    return _signed_in(accounts, begun)


def _signed_in(accounts: Accounts, begun: Begun) -> SignedIn:
    return SignedIn(
        access_token=accounts.tokens.issue(begun.user.id, begun.session_id),
        token_type="bearer",  # noqa: S106 the name of a kind
        expires_in=round(accounts.tokens.life.total_seconds()),
        refresh_token=begun.refresh_token,
        user=profile_of(begun.user),
    )


def agent_of(request: Request) -> str:
    return request.headers.get("user-agent", "")[: signing_in.LONGEST_AGENT]
