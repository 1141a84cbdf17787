"""From the Authorization header, or a browser's cookie, to a person. What was recognised is remembered for up to 15 s,
and forgotten at once in the process that revokes it."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from retinue.accounts import browsers, keys
from retinue.accounts.access import Identity
from retinue.accounts.tables import Key, Session, User
from retinue.accounts.tokens import AccessTokens, BadToken, Claims
from retinue.base.clock import Clock
from retinue.base.database import Database, Transaction
from retinue.base.errors import NotSignedIn, StorageFull, Unavailable

FRESH = timedelta(seconds=15)
USE_NOTED_EVERY = timedelta(minutes=1)
MOST_REMEMBERED = 10_000
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Remembered:
    identity: Identity
    until: datetime
    networks: tuple[str, ...]


class Recognition:
    def __init__(self, database: Database, tokens: AccessTokens, clock: Clock) -> None:
        self._database = database
        self._tokens = tokens
        self._clock = clock
        self._known: dict[bytes, _Remembered] = {}
        self._forgotten = 0

    async def recognise(self, authorization: bytes, address: str) -> Identity:
        """Who sends this header; NotSignedIn when it is nobody, or nobody any more."""
        found = await self._remembered(authorization, lambda: self._by_header(authorization))
        if found.networks:
            keys.check_network(found.networks, address)
        return found.identity

    async def recognise_browser(self, cookie: str) -> Identity:
        """Who holds this cookie; NotSignedIn when its session is over."""
        found = await self._remembered(b"cookie " + cookie.encode(errors="replace"), lambda: self._by_cookie(cookie))
        return found.identity

    def check_proof(self, identity: Identity) -> None:
        browsers.check_proof(identity, self._clock.now())

    def forget(self, user_id: str) -> None:
        """After a revocation was committed. What is being looked up meanwhile is not remembered either."""
        self._forgotten += 1
        for one in [one for one, known in self._known.items() if known.identity.user_id == user_id]:
            del self._known[one]

    async def _remembered(self, credential: bytes, look_up: Callable[[], Awaitable[_Remembered]]) -> _Remembered:
        print_of_it = hashlib.sha256(credential).digest()  # the memory holds no credential
        found = self._known.get(print_of_it)
        if found is not None and found.until > self._clock.now():
            return found
        forgotten = self._forgotten
        found = await look_up()
        if forgotten == self._forgotten:
            if len(self._known) >= MOST_REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known.pop(print_of_it, None)
            self._known[print_of_it] = found
        return found

    async def _by_header(self, authorization: bytes) -> _Remembered:
        scheme, _, credential = authorization.partition(b" ")
        if scheme.lower() != b"bearer":
            raise NotSignedIn("Send Authorization: Bearer with an access token or an API key")
        text = credential.strip().decode("latin-1")
        if text.startswith(f"{keys.PREFIX}_"):
            return await self._by_key(text)
        return await self._by_token(self._tokens.read(text))

    async def _by_cookie(self, cookie: str) -> _Remembered:
        found = await self._database.read(lambda now: browsers.find(now, cookie))
        if found is None:
            raise NotSignedIn("Your session has ended: sign in again")
        user, session = found.user, found.session
        if self._clock.now() - session.used_at >= USE_NOTED_EVERY:
            await self._note(lambda now: browsers.note_use(now, session.id), session_id=session.id)
        identity = Identity(user.id, user.email, user.role, session_id=session.id, proved_at=session.proved_at)
        return _Remembered(identity, min(session.expires_at, self._clock.now() + FRESH), ())

    async def _by_token(self, claims: Claims) -> _Remembered:
        user = await self._database.read(lambda now: _holder_of(now, claims))
        if user is None:
            raise BadToken("This session has ended: sign in again")
        identity = Identity(user.id, user.email, user.role, session_id=claims.session_id)
        return _Remembered(identity, min(claims.dies_at, self._clock.now() + FRESH), ())

    async def _by_key(self, text: str) -> _Remembered:
        if (parts := keys.read(text)) is None:
            raise BadToken("This is not one of our keys")
        key_id, secret = parts
        found = await self._database.read(lambda now: _owner_of(now, key_id))
        if found is None or not keys.fits(found[0], secret) or not found[0].is_live(self._clock.now()):
            raise BadToken("This key is unknown, expired or revoked")
        key, user = found
        if not user.may_sign_in:
            raise BadToken("This key is unknown, expired or revoked")
        if key.used_at is None or self._clock.now() - key.used_at >= USE_NOTED_EVERY:
            await self._note(lambda now: keys.note_use(now, key.id), key_id=key.id)
        scopes = None if key.scopes is None else frozenset(key.scopes)
        identity = Identity(user.id, user.email, user.role, key_id=key.id, scopes=scopes)
        return _Remembered(identity, min(key.expires_at, self._clock.now() + FRESH), tuple(key.networks or ()))

    async def _note(self, use: Callable[[Transaction], None], **of: str) -> None:
        """Once a minute; a use that could not be noted is no reason to refuse it."""
        try:
            await self._database.write(use)
        except (Unavailable, StorageFull) as lost:
            _log.warning("a use was not noted", because=lost.code, **of)


def _holder_of(now: Transaction, claims: Claims) -> User | None:
    session = now.first(sa.select(Session).where(Session.id == claims.session_id, Session.user_id == claims.user_id))
    if session is None or session.kind != "token" or not session.is_live(now.time):
        return None
    user = now.first(sa.select(User).where(User.id == claims.user_id))
    return user if user is not None and user.may_sign_in else None


def _owner_of(now: Transaction, key_id: str) -> tuple[Key, User] | None:
    key = now.first(sa.select(Key).where(Key.id == key_id))
    if key is None:
        return None
    user = now.first(sa.select(User).where(User.id == key.user_id))
    return None if user is None else (key, user)
