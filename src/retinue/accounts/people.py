"""The life of an account: signing up, changing, being disabled, being deleted without taking the books along."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import sqlalchemy as sa
from pydantic import AfterValidator, Field, StringConstraints

from retinue.accounts import audit, keys, sessions
from retinue.accounts.tables import Role, User
from retinue.base.database import Transaction
from retinue.base.errors import Conflict, NotFound
from retinue.base.ids import new_id
from retinue.base.words import storable

AfterSignUp = Callable[[Transaction, str], None]
AfterDelete = Callable[[Transaction, str], None]
BeforeDelete = Callable[[Transaction, str], None]
_ADDRESS = re.compile(r"[^@\s\x00-\x1f\x7f-\x9f]{1,64}@[^@\s\x00-\x1f\x7f-\x9f]{1,253}")
_ADMIN_LOCK = 5_248_302  # any number, the same on every node


class EmailTaken(Conflict):
    code = "email-taken"
    title = "There is an account with this address already"


class EmployeeNumberTaken(Conflict):
    code = "employee-number-taken"
    title = "Somebody has this employee number already"


class LastAdmin(Conflict):
    code = "last-admin"
    title = "This is the last admin"


def email_of(text: str) -> str:
    """One spelling per address, so that Ada@ and ada@ are one person."""
    email = unicodedata.normalize("NFC", storable(text)).strip().lower()
    if not _ADDRESS.fullmatch(email):
        raise ValueError("is not an e-mail address")
    return email


_PATTERN = r"^\s*[^@\s\x00-\x1f\x7f-\x9f]{1,64}@[^@\s\x00-\x1f\x7f-\x9f]{1,253}\s*$"
Email = Annotated[
    str, StringConstraints(max_length=320), Field(json_schema_extra={"pattern": _PATTERN}), AfterValidator(email_of)
]


@dataclass(frozen=True, slots=True)
class Newcomer:
    email: str
    password_hash: str
    name: str = ""
    surname: str = ""
    employee_number: str | None = None
    role: Role = "user"


def sign_up(now: Transaction, newcomer: Newcomer, *, then: Iterable[AfterSignUp] = ()) -> User:
    user_id = new_id()
    check_free(now, email=newcomer.email, employee_number=newcomer.employee_number)
    values = {
        "id": user_id,
        "email": newcomer.email,
        "name": newcomer.name,
        "surname": newcomer.surname,
        "employee_number": newcomer.employee_number,
        "password_hash": newcomer.password_hash,
        "role": newcomer.role,
        "active": True,
        "created_at": now.time,
        "updated_at": now.time,
    }
    _unless_taken(lambda: now.insert(User, values))
    for step in then:
        step(now, user_id)
    return by_id(now, user_id)


def check_free(now: Transaction, *, email: str | None = None, employee_number: str | None = None) -> None:
    if email is not None and _is_there(now, User.email == email):
        raise EmailTaken("Sign in, or use another address")
    if employee_number is not None and _is_there(now, User.employee_number == employee_number):
        raise EmployeeNumberTaken()


def by_id(now: Transaction, user_id: str) -> User:
    """Whoever is or was active; the deleted are nobody."""
    found = now.first(sa.select(User).where(User.id == user_id, User.deleted_at.is_(None)))
    if found is None:
        raise NotFound("There is no such user")
    return found


def by_email(now: Transaction, email: str) -> User | None:
    return now.first(sa.select(User).where(User.email == email, User.deleted_at.is_(None)))


def search(text: str | None = None, *, role: Role | None = None, active: bool | None = None) -> sa.Select[User]:
    found = sa.select(User).where(User.deleted_at.is_(None))
    if text:
        columns = (User.email, User.name, User.surname, User.employee_number)
        found = found.where(sa.or_(*(column.icontains(storable(text), autoescape=True) for column in columns)))
    if role is not None:
        found = found.where(User.role == role)
    if active is not None:
        found = found.where(User.active.is_(active))
    return found


def change(now: Transaction, user_id: str, changes: Mapping[str, Any]) -> User:
    """Name, surname, employee number, address; weight, where an admin asks."""
    user = by_id(now, user_id)
    check_free(
        now,
        email=_if_new(changes.get("email"), user.email),
        employee_number=_if_new(changes.get("employee_number"), user.employee_number),
    )
    _unless_taken(lambda: _set(now, user_id, **changes))
    return by_id(now, user_id)


def set_password(now: Transaction, user_id: str, password_hash: str, *, actor: str) -> None:
    """Whoever was signed in with the old one has to sign in again."""
    by_id(now, user_id)
    _set(now, user_id, password_hash=password_hash)
    sessions.end_all(now, user_id, because="password")
    audit.record(now, actor, "user.password", user_id)


def renew_hash(now: Transaction, user_id: str, *, old: str, new: str) -> None:
    """The same password under today's parameters, unless it was changed meanwhile."""
    now.execute(sa.update(User).where(User.id == user_id, User.password_hash == old).values(password_hash=new))


def set_role(now: Transaction, user_id: str, role: Role, *, actor: str) -> None:
    _lock_admins(now)
    user = by_id(now, user_id)
    if user.role == role:
        return
    _check_not_last(now, user)
    _set(now, user_id, role=role)
    sessions.end_all(now, user_id, because="role")
    audit.record(now, actor, "user.role", user_id, {"from": user.role, "to": role})


def set_active(now: Transaction, user_id: str, active: bool, *, actor: str) -> None:
    _lock_admins(now)
    user = by_id(now, user_id)
    if user.active == active:
        return
    if not active:
        _check_not_last(now, user)
        sessions.end_all(now, user_id, because="disabled")
    _set(now, user_id, active=active)
    audit.record(now, actor, "user.enable" if active else "user.disable", user_id)


def delete(
    now: Transaction,
    user_id: str,
    *,
    actor: str,
    first: Iterable[BeforeDelete] = (),
    then: Iterable[AfterDelete] = (),
) -> None:
    """The row stays for the books; nothing in it says who it was, and the address is free again.

    `first` are the rooms that may refuse: they look at somebody who is locked, as `stay` locks them too.
    """
    _lock_admins(now)
    now.value(sa.select(User.id).where(User.id == user_id).with_for_update())
    user = by_id(now, user_id)
    _check_not_last(now, user)
    for check in first:
        check(now, user_id)
    sessions.end_all(now, user_id, because="deleted")
    sessions.anonymise(now, user_id)
    keys.revoke_all(now, user_id)
    _set(
        now,
        user_id,
        email=f"deleted-{user_id}@invalid",
        name="",
        surname="",
        employee_number=None,
        password_hash="",
        role="user",
        active=False,
        deleted_at=now.time,
    )
    for step in then:
        step(now, user_id)
    audit.record(now, actor, "user.delete", user_id)


def stay(now: Transaction, user_id: str) -> None:
    """Whoever is there is there until this transaction ends."""
    there = sa.select(User.id).where(User.id == user_id, User.deleted_at.is_(None))
    if now.value(there.with_for_update(read=True)) is None:
        raise NotFound("There is no such user")


def has_admin(now: Transaction, *, lock: bool = False) -> bool:
    """`lock` holds until the transaction ends, so that of two first admins there is one."""
    if lock:
        _lock_admins(now)
    return now.value(_admins().limit(1)) is not None


def _admins() -> sa.Select[str]:
    return sa.select(User.id).where(User.role == "admin", User.active.is_(True), User.deleted_at.is_(None))


def _check_not_last(now: Transaction, user: User) -> None:
    if user.role == "admin" and user.active and now.value(_admins().where(User.id != user.id).limit(1)) is None:
        raise LastAdmin("Make somebody else an admin first")


def _lock_admins(now: Transaction) -> None:
    """On SQLite the transaction itself is the lock."""
    if now.connection.dialect.name == "postgresql":
        now.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADMIN_LOCK})


def _set(now: Transaction, user_id: str, **values: Any) -> None:
    now.execute(sa.update(User).where(User.id == user_id).values(**values, updated_at=now.time))


def _is_there(now: Transaction, which: sa.ColumnElement[bool]) -> bool:
    return now.value(sa.select(User.id).where(which)) is not None


def _if_new(told: str | None, kept: str | None) -> str | None:
    return told if told != kept else None


def _unless_taken(write: Callable[[], None]) -> None:
    """Somebody else may take it between the look and the write, on another node."""
    try:
        write()
    except sa.exc.IntegrityError as taken:
        if "employee_number" in str(taken.orig):
            raise EmployeeNumberTaken() from taken
        raise EmailTaken("Sign in, or use another address") from taken
