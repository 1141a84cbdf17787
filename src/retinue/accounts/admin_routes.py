"""What admins do about people, and the trail of what was done."""

from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from retinue.accounts import audit, people, sessions
from retinue.accounts.access import Admin
from retinue.accounts.credentials import NewPassword
from retinue.accounts.opening import Accounts
from retinue.accounts.people import Email, Newcomer
from retinue.accounts.routes import EmployeeNumber
from retinue.accounts.shapes import Profile, Shape, profile_of
from retinue.accounts.tables import Deed, Role, User
from retinue.base.database import Transaction
from retinue.base.paging import Page, Paging
from retinue.base.parts import part
from retinue.base.words import Line, ShortLine

routes = APIRouter(prefix="/api/v1/admin", tags=["admin"])
Room = Annotated[Accounts, part(Accounts)]


class NewUser(Shape):
    email: Email
    password: NewPassword
    name: ShortLine = ""
    surname: ShortLine = ""
    employee_number: EmployeeNumber | None = None
    role: Role = "user"


class UserChange(Shape):
    """What is not sent stays: factories, because a default in the document would promise the contrary."""

    email: Email = Field(default_factory=str)
    name: ShortLine = Field(default_factory=str)
    surname: ShortLine = Field(default_factory=str)
    employee_number: EmployeeNumber | None = None
    role: Role = Field(default_factory=lambda: "user")
    active: bool = Field(default_factory=bool)
    weight: int = Field(
        default_factory=int, ge=1, le=100, description="Share of their jobs while others have jobs too."
    )


class PasswordGiven(Shape):
    password: NewPassword


class DeedShown(BaseModel):
    id: str
    time: AwareDatetime
    actor: str
    action: str
    subject: str
    facts: dict[str, Any]


@routes.get("/users")
async def list_users(
    _admin: Admin,
    accounts: Room,
    page: Paging,
    q: Annotated[ShortLine | None, Query(description="Part of the address, a name or the number.")] = None,
    role: Role | None = None,
    active: bool | None = None,
) -> Page[Profile]:
    """Everybody who was not deleted, latest first."""
    wanted = people.search(q, role=role, active=active)
    rows, next_cursor = await accounts.database.read(lambda now: page.newest_first(now, wanted, User.id, of="users"))
    return Page(items=[profile_of(row) for row in rows], next_cursor=next_cursor)


@routes.post("/users", status_code=201)
async def add_user(ask: NewUser, admin: Admin, accounts: Room) -> Profile:
    """Also where registration is closed."""
    hashed = await accounts.hasher.choose(ask.password.get_secret_value(), about=(ask.email, ask.name, ask.surname))
    newcomer = Newcomer(
        ask.email,
        hashed,
        name=ask.name,
        surname=ask.surname,
        employee_number=ask.employee_number,
        role=ask.role,
    )

    def add(now: Transaction) -> User:
        user = people.sign_up(now, newcomer, then=accounts.after_sign_up)
        audit.record(now, admin.user_id, "user.add", user.id, {"role": ask.role})
        return user

    return profile_of(await accounts.database.write(add))


@routes.get("/users/{user_id}")
async def show_user(user_id: str, _admin: Admin, accounts: Room) -> Profile:
    return profile_of(await accounts.database.read(lambda now: people.by_id(now, user_id)))


@routes.patch("/users/{user_id}")
async def change_user(user_id: str, ask: UserChange, admin: Admin, accounts: Room) -> Profile:
    """A new role, or disabling, ends all sessions of that person. With twice the weight, jobs get twice as much."""
    sent = ask.model_dump(exclude_unset=True)
    details = {name: value for name, value in sent.items() if name not in {"role", "active"}}

    def change(now: Transaction) -> User:
        if details:
            people.change(now, user_id, details)
            audit.record(now, admin.user_id, "user.change", user_id, {"fields": sorted(details)})
        if "role" in sent:
            people.set_role(now, user_id, ask.role, actor=admin.user_id)
        if "active" in sent:
            people.set_active(now, user_id, ask.active, actor=admin.user_id)
        return people.by_id(now, user_id)

    changed = await accounts.database.write(change)
    accounts.recognition.forget(user_id)
    return profile_of(changed)


@routes.delete("/users/{user_id}", status_code=204)
async def delete_user(user_id: str, admin: Admin, accounts: Room) -> None:
    """As if that person had left: nothing names them any more, the books stay."""
    await accounts.database.write(
        lambda now: people.delete(
            now, user_id, actor=admin.user_id, first=accounts.before_delete, then=accounts.after_delete
        )
    )
    accounts.recognition.forget(user_id)


@routes.post("/users/{user_id}/password", status_code=204)
async def set_user_password(user_id: str, ask: PasswordGiven, admin: Admin, accounts: Room) -> None:
    """Ends all sessions of that person."""
    user = await accounts.database.read(lambda now: people.by_id(now, user_id))
    hashed = await accounts.hasher.choose(ask.password.get_secret_value(), about=(user.email, user.name, user.surname))
    await accounts.database.write(lambda now: people.set_password(now, user_id, hashed, actor=admin.user_id))
    accounts.recognition.forget(user_id)


@routes.delete("/users/{user_id}/sessions", status_code=204)
async def end_user_sessions(user_id: str, admin: Admin, accounts: Room) -> None:
    """Signs that person out everywhere; keys stay."""

    def end(now: Transaction) -> None:
        people.by_id(now, user_id)
        sessions.end_all(now, user_id, because="admin")
        audit.record(now, admin.user_id, "user.sign-out", user_id)

    await accounts.database.write(end)
    accounts.recognition.forget(user_id)


@routes.get("/audit")
async def show_audit(
    _admin: Admin,
    accounts: Room,
    page: Paging,
    actor: Line | None = None,
    action: Line | None = None,
    subject: Line | None = None,
) -> Page[DeedShown]:
    """What was done with power, latest first."""
    wanted = sa.select(Deed)
    for column, value in ((Deed.actor, actor), (Deed.action, action), (Deed.subject, subject)):
        if value is not None:
            wanted = wanted.where(column == value)
    rows, next_cursor = await accounts.database.read(lambda now: page.newest_first(now, wanted, Deed.id, of="audit"))
    return Page(items=[DeedShown.model_validate(row, from_attributes=True) for row in rows], next_cursor=next_cursor)
