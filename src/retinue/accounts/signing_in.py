"""What it takes to be let in: a password, or a refresh token. Every refusal says the same, whoever was not there."""

from typing import Protocol, TypeVar

import structlog

from retinue.accounts import people, sessions
from retinue.accounts.opening import Accounts
from retinue.accounts.sessions import BadRefreshToken, Begun, Refused
from retinue.accounts.tables import User
from retinue.base.database import Transaction
from retinue.base.errors import Forbidden, NotSignedIn

LONGEST_AGENT = 200
B_co = TypeVar("B_co", covariant=True)
_log = structlog.get_logger(__name__)


class Begin(Protocol[B_co]):
    """What kind of session begins: `sessions.begin` for programs, `browsers.begin` for pages."""

    def __call__(self, now: Transaction, user: User, *, address: str, agent: str) -> B_co: ...


class BadCredentials(NotSignedIn):
    code = "bad-credentials"
    title = "Address and password do not fit together"


class WrongPassword(Forbidden):
    code = "wrong-password"
    title = "This is not your present password"


async def with_password(
    accounts: Accounts, email: str, password: str, *, address: str, agent: str, begin: Begin[B_co]
) -> B_co:
    name = email.strip().lower()
    user, is_known = await accounts.database.read(lambda now: _look(now, name, address))
    await accounts.guessing.admit(name, address, is_known_address=is_known)
    kept = user.password_hash if user is not None and user.may_sign_in else None
    is_right, renewed = await accounts.hasher.verify(password, kept)
    begun = None
    if user is not None and is_right:

        def let_in(now: Transaction) -> B_co | None:
            if not _is_unchanged(now, user, renewed):
                return None
            return begin(now, user, address=address, agent=agent[:LONGEST_AGENT])

        begun = await accounts.database.write(let_in)
    if user is None or begun is None:
        await accounts.guessing.failed(name)
        _log.info("log-in refused", email=name, address=address)
        raise BadCredentials()
    await accounts.guessing.succeeded(name, address)
    _log.info("log-in", user_id=user.id, address=address)
    return begun


async def with_refresh_token(accounts: Accounts, token: str) -> Begun:
    result = await accounts.database.write(lambda now: sessions.renew(now, token, key=accounts.refresh_key))
    if isinstance(result, Refused):
        if result.because == "reuse" and result.user_id is not None:
            accounts.recognition.forget(result.user_id)
            _log.warning("a refresh token was used twice; its session has ended", user_id=result.user_id)
        raise BadRefreshToken("Sign in again")
    return result


async def prove(accounts: Accounts, user_id: str, password: str | None, *, address: str) -> None:
    """That who changes an account's keys to the door knows the present one; guesses here count as guesses there."""
    user = await accounts.database.read(lambda now: people.by_id(now, user_id))
    await accounts.guessing.admit(user.email, address, is_known_address=True)
    is_right, _ = await accounts.hasher.verify(password or "", user.password_hash)
    if not is_right:
        await accounts.guessing.failed(user.email)
        raise WrongPassword("Send it as current_password")
    await accounts.guessing.succeeded(user.email, address)


def _look(now: Transaction, email: str, address: str) -> tuple[User | None, bool]:
    user = people.by_email(now, email) if "\x00" not in email else None
    return user, user is not None and sessions.is_known_address(now, user.id, address)


def _is_unchanged(now: Transaction, seen: User, renewed: str | None) -> bool:
    """Unless the account was disabled, or its password changed, while the hash was being checked."""
    user = people.by_email(now, seen.email)
    if user is None or not user.may_sign_in or (user.id, user.password_hash) != (seen.id, seen.password_hash):
        return False
    if renewed is not None:
        people.renew_hash(now, user.id, old=seen.password_hash, new=renewed)
    return True
