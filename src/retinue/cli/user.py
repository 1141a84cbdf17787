"""`retinue user …`: people, straight in the database. No server needs to run; a running one notices within 15 s."""

import getpass
import sys
from collections.abc import Callable

import cyclopts

from retinue.accounts import audit, people
from retinue.accounts.people import Newcomer
from retinue.accounts.shapes import profile_of
from retinue.accounts.tables import Role, User
from retinue.base.database import Transaction
from retinue.base.errors import Invalid, NotFound
from retinue.cli.local import local_house
from retinue.cli.showing import Json, show_json, show_table

user = cyclopts.App(name="user", help="Add, list and change people.", result_action="return_value")


@user.command
def add(
    email: str, *, role: Role = "user", name: str = "", surname: str = "", employee_number: str | None = None
) -> int:
    """Add somebody; the password is asked for, or read from standard input."""
    email = _email(email)
    with local_house() as house:
        house.database.read_now(lambda now: people.check_free(now, email=email, employee_number=employee_number))
        hashed = house.accounts.hasher.choose_now(_ask_password(), about=(email, name, surname))
        newcomer = Newcomer(email, hashed, name=name, surname=surname, employee_number=employee_number, role=role)

        def sign_up(now: Transaction) -> User:
            made = people.sign_up(now, newcomer, then=house.accounts.after_sign_up)
            audit.record(now, audit.CONSOLE, "user.add", made.id, {"role": role})
            return made

        print(house.database.write_now(sign_up).id)
    return 0


@user.command(name="list")
def list_people(*, role: Role | None = None, as_json: Json = False) -> int:
    """List everybody."""
    with local_house() as house:
        found = house.database.read_now(lambda now: now.all(people.search(role=role).order_by(User.id)))
    shown = [profile_of(one).model_dump(mode="json") for one in found]
    if as_json:
        show_json(shown)
        return 0
    rows = [
        (
            one["email"],
            f"{one['name']} {one['surname']}".strip(),
            one["role"],
            "active" if one["active"] else "disabled",
            one["created_at"][:10],
        )
        for one in shown
    ]
    show_table(("E-mail", "Name", "Role", "State", "Since"), rows)
    return 0


@user.command
def role(email: str, new_role: Role) -> int:
    """Make somebody a user, an operator or an admin; ends their sessions."""
    return _change(email, lambda now, found: people.set_role(now, found.id, new_role, actor=audit.CONSOLE))


@user.command
def disable(email: str) -> int:
    """Let somebody in no longer; everything of theirs stays."""
    return _change(email, lambda now, found: people.set_active(now, found.id, False, actor=audit.CONSOLE))


@user.command
def enable(email: str) -> int:
    """Let somebody in again."""
    return _change(email, lambda now, found: people.set_active(now, found.id, True, actor=audit.CONSOLE))


@user.command
def password(email: str) -> int:
    """Give somebody a new password, asked for or read from standard input; ends their sessions."""
    with local_house() as house:
        found = house.database.read_now(lambda now: _find(now, _email(email)))
        about = (found.email, found.name, found.surname)
        hashed = house.accounts.hasher.choose_now(_ask_password(), about=about)
        house.database.write_now(lambda now: people.set_password(now, found.id, hashed, actor=audit.CONSOLE))
    return 0


def _change(email: str, change: Callable[[Transaction, User], None]) -> int:
    with local_house() as house:
        house.database.write_now(lambda now: change(now, _find(now, _email(email))))
    return 0


def _find(now: Transaction, email: str) -> User:
    found = people.by_email(now, email)
    if found is None:
        raise NotFound(f"There is no user {email}")
    return found


def _email(text: str) -> str:
    try:
        return people.email_of(text)
    except ValueError as wrong:
        raise Invalid(f"{text} {wrong}") from None


def _ask_password() -> str:
    """Never an argument: those are seen by everybody on the machine."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    chosen = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != chosen:
        raise Invalid("The two are not the same")
    return chosen
