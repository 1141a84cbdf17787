"""`retinue user …`: the people of this machine's own house, or of a server that is named."""

import getpass
import sys
from typing import TYPE_CHECKING, Literal, TypeAlias

import cyclopts

from retinue.cli.reaching import NOWHERE, At
from retinue.cli.showing import Json, show_json, show_table
from retinue.client import RetinueError

if TYPE_CHECKING:
    from retinue.cli.local_people import Here
    from retinue.cli.server_people import There

Role: TypeAlias = Literal["user", "operator", "admin"]
user = cyclopts.App(
    name="user",
    help="Add, list and change people: in this machine's own database, or with `--server` or `--profile` on a server.",
    result_action="return_value",
)


class NotTheSame(RetinueError):
    @property
    def title(self) -> str:
        return "The two are not the same"


@user.command
def add(
    email: str,
    *,
    role: Role = "user",
    name: str = "",
    surname: str = "",
    employee_number: str | None = None,
    at: At = NOWHERE,
) -> int:
    """Add somebody; the password is asked for, or read from standard input.

    For example:

    ```console
    $ retinue user add ann@example.com --role operator --employee-number 4711
    $ retinue user add ann@example.com --profile root
    ```
    """
    told = _people(at).add(email, _ask_password, role=role, name=name, surname=surname, employee_number=employee_number)
    print(told)
    return 0


@user.command(name="list")
def list_people(*, role: Role | None = None, as_json: Json = False, at: At = NOWHERE) -> int:
    """List everybody."""
    shown = _people(at).found(role)
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
def role(email: str, new_role: Role, *, at: At = NOWHERE) -> int:
    """Make somebody a user, an operator or an admin; ends their sessions."""
    _people(at).set_role(email, new_role)
    return 0


@user.command
def disable(email: str, *, at: At = NOWHERE) -> int:
    """Let somebody in no longer; everything of theirs stays."""
    _people(at).set_active(email, False)
    return 0


@user.command
def enable(email: str, *, at: At = NOWHERE) -> int:
    """Let somebody in again."""
    _people(at).set_active(email, True)
    return 0


@user.command
def password(email: str, *, at: At = NOWHERE) -> int:
    """Give somebody a new password, asked for or read from standard input; ends their sessions."""
    _people(at).set_password(email, _ask_password)
    return 0


def _people(at: At) -> "Here | There":
    if at.is_named():
        from retinue.cli.server_people import There

        return There(at)
    from retinue.cli.local_people import Here

    return Here()


def _ask_password() -> str:
    """Never an argument: those are seen by everybody on the machine."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    chosen = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != chosen:
        raise NotTheSame("Nothing was changed")
    return chosen
