"""Browsers: a session behind a cookie, how long it lasts, and when its password has to be given again.

The cookie holds 256 random bits; the row holds their SHA-256. A person at rest is signed out after 12 hours and an
admin after one, because an unlocked screen is the likeliest way to somebody else's credits.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from starlette.responses import Response
from starlette.types import Scope

from retinue.accounts.access import Identity
from retinue.accounts.tables import Role, Session, User
from retinue.base.database import Transaction
from retinue.base.errors import Forbidden
from retinue.base.ids import new_id

LIFE: dict[Role, timedelta] = {"user": timedelta(days=7), "operator": timedelta(days=7), "admin": timedelta(hours=12)}
IDLE: dict[Role, timedelta] = {
    "user": timedelta(hours=12),
    "operator": timedelta(hours=12),
    "admin": timedelta(hours=1),
}
PROOF_LASTS = timedelta(minutes=15)
# The prefix makes browsers refuse the cookie from any other host or without TLS; plain HTTP cannot have it.
SECURE_NAME, PLAIN_NAME = "__Host-session", "retinue-session"


class ProveAgain(Forbidden):
    code = "prove-again"
    title = "Give your password again"


@dataclass(frozen=True, slots=True)
class Opened:
    """A browser that has just signed in, and the secret its cookie carries."""

    user: User
    session_id: str
    cookie: str


@dataclass(frozen=True, slots=True)
class Found:
    user: User
    session: Session


def begin(now: Transaction, user: User, *, address: str, agent: str) -> Opened:
    session_id, cookie = new_id(), secrets.token_urlsafe(32)
    now.insert(
        Session,
        {
            "id": session_id,
            "user_id": user.id,
            "kind": "browser",
            "cookie_hash": _hash(cookie),
            "created_at": now.time,
            "used_at": now.time,
            "proved_at": now.time,
            "expires_at": now.time + LIFE[user.role],
            "address": address,
            "agent": agent,
        },
    )
    return Opened(user, session_id, cookie)


def find(now: Transaction, cookie: str) -> Found | None:
    """The session behind a cookie, unless it is over, was idle for too long, or its owner may not sign in."""
    session = now.first(sa.select(Session).where(Session.cookie_hash == _hash(cookie)))
    if session is None or not session.is_live(now.time):
        return None
    user = now.first(sa.select(User).where(User.id == session.user_id))
    if user is None or not user.may_sign_in or now.time >= session.used_at + IDLE[user.role]:
        return None
    return Found(user, session)


def note_use(now: Transaction, session_id: str) -> None:
    now.execute(sa.update(Session).where(Session.id == session_id).values(used_at=now.time))


def note_proof(now: Transaction, session_id: str) -> None:
    now.execute(sa.update(Session).where(Session.id == session_id).values(proved_at=now.time, used_at=now.time))


def check_proof(identity: Identity, at: datetime) -> None:
    """What admins do with their power wants a password that was given lately; keys and tokens are their own proof."""
    if identity.proved_at is not None and at >= identity.proved_at + PROOF_LASTS:
        raise ProveAgain("What admins change wants a password given in the last 15 minutes")


def cookie_in(scope: Scope) -> str | None:
    """Two of our name are refused together: one of them was planted."""
    wanted = name_for(scope).encode() + b"="
    found = [
        part.strip()[len(wanted) :]
        for name, value in scope["headers"]
        if name == b"cookie"
        for part in value.split(b";")
        if part.strip().startswith(wanted)
    ]
    return found[0].decode("latin-1") if len(found) == 1 and len(found[0]) <= 100 else None


def name_for(scope: Scope) -> str:
    return SECURE_NAME if scope.get("scheme") == "https" else PLAIN_NAME


def give(response: Response, scope: Scope, cookie: str) -> None:
    """Until the browser closes or the session ends, whichever is first."""
    response.set_cookie(
        name_for(scope), cookie, path="/", httponly=True, samesite="lax", secure=scope.get("scheme") == "https"
    )


def take(response: Response, scope: Scope) -> None:
    response.delete_cookie(
        name_for(scope), path="/", httponly=True, samesite="lax", secure=scope.get("scheme") == "https"
    )


def _hash(cookie: str) -> str:
    return hashlib.sha256(cookie.encode(errors="replace")).hexdigest()
