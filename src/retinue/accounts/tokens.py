"""Access tokens: ten minutes of being somebody. One algorithm, one issuer, every claim required."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt

from retinue.base.clock import Clock
from retinue.base.errors import NotSignedIn
from retinue.base.ids import new_id

ALGORITHM = "HS256"
TYPE = "at+jwt"
ISSUER = "retinue"
AUDIENCE = "retinue-api"
LEEWAY = timedelta(seconds=30)
LONGEST = 2048
REQUIRED = ["exp", "iat", "iss", "aud", "sub", "sid", "jti"]
KEY_ID = "1"  # names the one key there is; a header can choose among these, never bring its own


@dataclass(frozen=True, slots=True)
class Claims:
    user_id: str
    session_id: str
    dies_at: datetime


class BadToken(NotSignedIn):
    code = "bad-token"
    title = "This token does not sign you in"


class AccessTokens:
    def __init__(self, key: bytes, clock: Clock, *, minutes: int) -> None:
        self._keys = {KEY_ID: key}
        self._clock = clock
        self.life = timedelta(minutes=minutes)

    def issue(self, user_id: str, session_id: str) -> str:
        now = self._clock.now()
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user_id,
            "sid": session_id,
            "jti": new_id(),
            "iat": int(now.timestamp()),
            "exp": int((now + self.life).timestamp()),
        }
        return jwt.encode(claims, self._keys[KEY_ID], ALGORITHM, headers={"typ": TYPE, "kid": KEY_ID})

    def read(self, token: str) -> Claims:
        """What a token of ours says, within its time; every other one is refused in the same words."""
        if len(token) > LONGEST:
            raise BadToken("It is not one of ours")
        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") != TYPE or not set(header) <= {"alg", "typ", "kid"}:
                raise BadToken("It is not one of ours")
            claims = jwt.decode(
                token,
                self._keys[header.get("kid", "")],
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                # PyJWT would ask the system for the time; `_life_of` asks our clock.
                options={"require": REQUIRED, "verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
        except (jwt.PyJWTError, KeyError, TypeError, ValueError, RecursionError):
            raise BadToken("It is not one of ours") from None
        return self._within_its_time(claims)

    def _within_its_time(self, claims: dict[str, Any]) -> Claims:
        user_id, session_id, moments = claims["sub"], claims["sid"], [claims[name] for name in ("iat", "exp")]
        moments.append(claims.get("nbf", claims["iat"]))
        if not isinstance(session_id, str) or any(type(moment) is not int for moment in moments):
            raise BadToken("It is not one of ours")
        born, dies, begins = moments
        now = self._clock.now().timestamp()
        if not max(born, begins) - LEEWAY.total_seconds() <= now < dies + LEEWAY.total_seconds():
            raise BadToken("It has expired: refresh it, or sign in again")
        # A `dies` beyond what a date can hold was refused by nothing so far; ours never is.
        left = min(dies + LEEWAY.total_seconds() - now, self.life.total_seconds() + 60)
        return Claims(user_id, session_id, self._clock.now() + timedelta(seconds=left))
