"""The first admin: by a one-time code that only the machine's owner can read, or unattended from the settings.

The code is derived from the install's secret, so that every node of a cluster accepts the same one. It opens nothing
once there is an admin.
"""

import hmac
import os
from base64 import b32encode
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import structlog

from retinue.accounts import audit, people
from retinue.accounts.opening import Accounts
from retinue.accounts.people import Newcomer
from retinue.accounts.tables import User
from retinue.base.database import Transaction
from retinue.base.errors import Conflict, Forbidden
from retinue.base.secrets import Secrets
from retinue.base.settings import BadSettings

FILE = "setup-code"
B = TypeVar("B")
_log = structlog.get_logger(__name__)


class AlreadySetUp(Conflict):
    code = "already-set-up"
    title = "This house has an admin"


class WrongSetupCode(Forbidden):
    code = "wrong-setup-code"
    title = "This is not the set-up code"


def code_of(secrets: Secrets) -> str:
    """Eighty bits, in groups that can be typed."""
    letters = b32encode(secrets.key("setup-code")[:10]).decode()
    return "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))


def prepare(accounts: Accounts) -> str | None:
    """At every start. The code that the console shows, or None when there is an admin, perhaps made just now."""
    file = accounts.settings.data_dir / FILE
    if accounts.database.read_now(people.has_admin) or _make_unattended(accounts):
        file.unlink(missing_ok=True)
        return None
    code = code_of(accounts.secrets)
    _write_for_owner(file, code)
    return code


async def first_admin(
    accounts: Accounts,
    code: str,
    *,
    email: str,
    password: str,
    name: str = "",
    surname: str = "",
    begin: Callable[[Transaction, User], B],
) -> B:
    """Makes the first admin and signs them in, once."""
    if await accounts.database.read(people.has_admin):
        raise AlreadySetUp("Ask an admin for an account, or sign in")
    check_code(accounts, code)
    hashed = await accounts.hasher.choose(password, about=(email, name, surname))
    newcomer = Newcomer(email, hashed, name=name, surname=surname, role="admin")
    begun = await accounts.database.write(lambda now: begin(now, claim(now, accounts, newcomer)))
    forget_code(accounts)
    return begun


def claim(now: Transaction, accounts: Accounts, newcomer: Newcomer) -> User:
    """The first admin, with the welcome that everybody gets."""
    if people.has_admin(now, lock=True):
        raise AlreadySetUp("Ask an admin for an account, or sign in")
    user = people.sign_up(now, newcomer, then=accounts.after_sign_up)
    audit.record(now, user.id, "user.first-admin", user.id)
    return user


def check_code(accounts: Accounts, given: str) -> None:
    wanted = code_of(accounts.secrets)
    typed = given.strip().upper()
    if not hmac.compare_digest(typed.encode(errors="replace"), wanted.encode()):
        raise WrongSetupCode(f"It stands on the server's console and in the file {FILE} of its data folder")


def forget_code(accounts: Accounts) -> None:
    (accounts.settings.data_dir / FILE).unlink(missing_ok=True)


def _make_unattended(accounts: Accounts) -> bool:
    settings = accounts.settings
    if not settings.admin_email or settings.admin_password is None:
        return False
    try:
        email = people.email_of(settings.admin_email)
    except ValueError as wrong:
        raise BadSettings(f"RETINUE_ADMIN_EMAIL {wrong}") from None
    if accounts.database.read_now(lambda now: people.by_email(now, email)) is not None:
        # Whoever registered this address may not be who the settings mean.
        _log.warning("the address of the first admin belongs to an ordinary account; use the set-up code", email=email)
        return False
    hashed = accounts.hasher.choose_now(settings.admin_password.get_secret_value(), about=(email,))
    newcomer = Newcomer(email, hashed, role="admin")
    try:
        accounts.database.write_now(lambda now: claim(now, accounts, newcomer))
    except AlreadySetUp:
        return True  # another node was first
    return True


def _write_for_owner(file: Path, code: str) -> None:
    draft = file.with_name(f".{FILE}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as new:
        new.write(code + "\n")
    draft.replace(file)
