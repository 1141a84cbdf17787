"""How long a signing-in lasts: refresh tokens are used once, and using one twice ends the whole family.

A client that never got the answer asks again with the token it has. Within 10 s it is told the *same* successor, which
is derived from the spent token and a salt, so that nothing is kept from which a token could be read.
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from retinue.accounts import audit
from retinue.accounts.tables import RefreshToken, Session, User
from retinue.base.database import Transaction
from retinue.base.errors import NotSignedIn
from retinue.base.ids import new_id

ABSOLUTE = timedelta(days=30)
IDLE = timedelta(days=7)
GRACE = timedelta(seconds=10)
KEPT = timedelta(days=30)  # after the end, so that a family's story can be read


class BadRefreshToken(NotSignedIn):
    code = "bad-refresh-token"
    title = "This refresh token does not sign you in"


@dataclass(frozen=True, slots=True)
class Begun:
    user: User
    session_id: str
    refresh_token: str


@dataclass(frozen=True, slots=True)
class Refused:
    """`because` is for the log; the client hears the same words whatever it was."""

    because: str
    user_id: str | None = None


def begin(now: Transaction, user: User, *, address: str, agent: str) -> Begun:
    session_id, token = new_id(), secrets.token_urlsafe(32)
    now.insert(
        Session,
        {
            "id": session_id,
            "user_id": user.id,
            "kind": "token",
            "created_at": now.time,
            "used_at": now.time,
            "proved_at": now.time,
            "expires_at": now.time + ABSOLUTE,
            "address": address,
            "agent": agent,
        },
    )
    _keep(now, session_id, token)
    return Begun(user, session_id, token)


def renew(now: Transaction, token: str, *, key: bytes) -> Begun | Refused:
    """Spends the token for its successor. A value, not an error: the end of a family must outlive the refusal."""
    spent = now.changed(
        sa.update(RefreshToken)
        .where(RefreshToken.hash == _hash(token), RefreshToken.spent_at.is_(None))
        .values(spent_at=now.time, salt=(salt := secrets.token_hex(16)))
    )
    row = now.first(sa.select(RefreshToken).where(RefreshToken.hash == _hash(token)))
    if row is None:
        return Refused("unknown")
    session = now.first(sa.select(Session).where(Session.id == row.session_id))
    assert session is not None
    user = now.first(sa.select(User).where(User.id == session.user_id))
    assert user is not None
    if not session.is_live(now.time) or not user.may_sign_in:
        return Refused("ended", user.id)
    if not spent:
        return _spent_before(now, row, session, user, successor=_successor(token, row.salt or "", key))
    if now.time >= row.created_at + IDLE:
        return Refused("idle", user.id)
    successor = _successor(token, salt, key)
    _keep(now, session.id, successor)
    now.execute(sa.update(Session).where(Session.id == session.id).values(used_at=now.time))
    return Begun(user, session.id, successor)


def end(now: Transaction, session_id: str, *, because: str) -> None:
    _end(now, Session.id == session_id, because)


def end_all(now: Transaction, user_id: str, *, because: str) -> None:
    _end(now, Session.user_id == user_id, because)


def anonymise(now: Transaction, user_id: str) -> None:
    now.execute(sa.update(Session).where(Session.user_id == user_id).values(address="", agent=""))


def is_known_address(now: Transaction, user_id: str, address: str) -> bool:
    """Somebody with the right password was there lately: a device that an attack from elsewhere must not lock out."""
    lately = sa.select(Session.id).where(
        Session.user_id == user_id, Session.address == address, Session.created_at > now.time - ABSOLUTE
    )
    return now.value(lately.limit(1)) is not None


def sweep(now: Transaction) -> int:
    """Forgets what ended long ago."""
    over = sa.or_(Session.expires_at < now.time - KEPT, Session.ended_at < now.time - KEPT)
    now.execute(sa.delete(RefreshToken).where(RefreshToken.session_id.in_(sa.select(Session.id).where(over))))
    return now.changed(sa.delete(Session).where(over))


def _spent_before(
    now: Transaction, row: RefreshToken, session: Session, user: User, *, successor: str
) -> Begun | Refused:
    if _is_lost_answer(now, row, successor):
        return Begun(user, session.id, successor)
    end(now, session.id, because="reuse")
    audit.record(now, user.id, "session.reuse", session.id)
    return Refused("reuse", user.id)


def _is_lost_answer(now: Transaction, row: RefreshToken, successor: str) -> bool:
    """Spent a moment ago, and its successor not used yet: whoever used that one has had the answer."""
    if row.spent_at is None or now.time - row.spent_at > GRACE:
        return False
    used = sa.select(RefreshToken.spent_at).where(RefreshToken.hash == _hash(successor))
    return now.value(used) is None


def _keep(now: Transaction, session_id: str, token: str) -> None:
    now.insert(RefreshToken, {"hash": _hash(token), "session_id": session_id, "created_at": now.time})


def _end(now: Transaction, which: sa.ColumnElement[bool], because: str) -> None:
    now.execute(
        sa.update(Session).where(which, Session.ended_at.is_(None)).values(ended_at=now.time, ended_because=because)
    )


def _successor(token: str, salt: str, key: bytes) -> str:
    digest = hmac.digest(key, f"{salt}|{token}".encode(), hashlib.sha256)
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
