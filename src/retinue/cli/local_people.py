"""People, straight in the database. No server needs to run; a running one notices within 15 s."""

from collections.abc import Callable
from typing import Any

from retinue.accounts import audit, people
from retinue.accounts.people import Newcomer
from retinue.accounts.shapes import profile_of
from retinue.accounts.tables import Role, User
from retinue.base.database import Transaction
from retinue.base.errors import Invalid, NotFound
from retinue.cli.local import local_house


class Here:
    def add(
        self, email: str, ask: Callable[[], str], *, role: Role, name: str, surname: str, employee_number: str | None
    ) -> str:
        email = _email(email)
        with local_house() as house:
            house.database.read_now(lambda now: people.check_free(now, email=email, employee_number=employee_number))
            hashed = house.accounts.hasher.choose_now(ask(), about=(email, name, surname))
            newcomer = Newcomer(email, hashed, name=name, surname=surname, employee_number=employee_number, role=role)

            def sign_up(now: Transaction) -> User:
                made = people.sign_up(now, newcomer, then=house.accounts.after_sign_up)
                audit.record(now, audit.CONSOLE, "user.add", made.id, {"role": role})
                return made

            return house.database.write_now(sign_up).id

    def found(self, role: Role | None) -> list[dict[str, Any]]:
        with local_house() as house:
            rows = house.database.read_now(lambda now: now.all(people.search(role=role).order_by(User.id)))
        return [profile_of(one).model_dump(mode="json") for one in rows]

    def set_role(self, email: str, role: Role) -> None:
        _change(email, lambda now, found: people.set_role(now, found.id, role, actor=audit.CONSOLE))

    def set_active(self, email: str, active: bool) -> None:
        _change(email, lambda now, found: people.set_active(now, found.id, active, actor=audit.CONSOLE))

    def set_password(self, email: str, ask: Callable[[], str]) -> None:
        with local_house() as house:
            user = house.database.read_now(lambda now: _find(now, _email(email)))
            hashed = house.accounts.hasher.choose_now(ask(), about=(user.email, user.name, user.surname))
            house.database.write_now(lambda now: people.set_password(now, user.id, hashed, actor=audit.CONSOLE))


def _change(email: str, change: Callable[[Transaction, User], None]) -> None:
    with local_house() as house:
        house.database.write_now(lambda now: change(now, _find(now, _email(email))))


def _find(now: Transaction, email: str) -> User:
    user = people.by_email(now, email)
    if user is None:
        raise NotFound(f"There is no user {email}")
    return user


def _email(text: str) -> str:
    try:
        return people.email_of(text)
    except ValueError as wrong:
        raise Invalid(f"{text} {wrong}") from None
