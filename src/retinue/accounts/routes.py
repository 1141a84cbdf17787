"""People and themselves: registering, the profile, its keys, and leaving."""

from ipaddress import ip_network
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field

from retinue.accounts import audit, keys, people, signing_in
from retinue.accounts.access import SCOPES, Caller, Holder
from retinue.accounts.credentials import GivenPassword, NewPassword
from retinue.accounts.gate import address_of
from retinue.accounts.opening import Accounts
from retinue.accounts.people import Email, Newcomer
from retinue.accounts.shapes import Profile, Shape, profile_of
from retinue.accounts.tables import Key, User
from retinue.base.database import Transaction
from retinue.base.errors import Forbidden, Invalid
from retinue.base.paging import Page, Paging
from retinue.base.parts import part
from retinue.base.words import CONTROL, Name, OneLine, ShortLine, ZonedMoment

routes = APIRouter(prefix="/api/v1", tags=["users"])
Room = Annotated[Accounts, part(Accounts)]
_SIGN = rf"[^\s{CONTROL}]"
EmployeeNumber = Annotated[
    str, Field(min_length=1, max_length=64, pattern=rf"^{_SIGN}([^{CONTROL}]*{_SIGN})?$"), OneLine
]


class PasswordNeeded(Invalid):
    code = "current-password-needed"
    title = "current_password is needed to change the address or the password"


class RegistrationClosed(Forbidden):
    code = "registration-closed"
    title = "Strangers cannot register here"


def _scope(name: str) -> str:
    if name not in SCOPES:
        raise ValueError(f"is not a scope; there are: {', '.join(SCOPES)}")
    return name


def _network(text: str) -> str:
    return str(ip_network(text, strict=False))


Scope = Annotated[str, Field(json_schema_extra={"enum": [*SCOPES]}), AfterValidator(_scope)]
Network = Annotated[str, Field(max_length=64, json_schema_extra={"format": "ipvanynetwork"}), AfterValidator(_network)]


class Registration(Shape):
    email: Email
    password: NewPassword
    name: ShortLine = ""
    surname: ShortLine = ""
    employee_number: EmployeeNumber | None = None


class ProfileChange(Shape):
    """What is not sent stays. A new address or password needs the present one. The employee number is not one's own
    to change, because kits are handed out by it."""

    name: ShortLine = ""
    surname: ShortLine = ""
    email: Email = Field(default_factory=str)
    password: NewPassword | None = None
    current_password: GivenPassword | None = None


class KeyWish(Shape):
    name: Name
    scopes: list[Scope] | None = Field(None, min_length=1, max_length=len(SCOPES))
    expires_at: ZonedMoment | None = Field(None, description="90 days from now unless told.")
    networks: list[Network] | None = Field(
        None, min_length=1, max_length=50, description="The only networks the key opens from, such as 10.0.0.0/8."
    )


class KeyShown(BaseModel):
    id: str
    name: str
    scopes: list[str] | None = Field(description="null: everything its owner may, but admin.")
    networks: list[str] | None
    created_at: AwareDatetime
    expires_at: AwareDatetime
    used_at: AwareDatetime | None


class KeyMade(KeyShown):
    key: str = Field(description="The key itself; it is shown this once.")


@routes.post("/users", status_code=201)
async def register(ask: Registration, accounts: Room) -> Profile:
    """Opens an account, with the welcome credits."""
    if accounts.settings.registration == "closed":
        raise RegistrationClosed("Ask an admin for an account")
    await accounts.database.read(
        lambda now: people.check_free(now, email=ask.email, employee_number=ask.employee_number)
    )
    hashed = await accounts.hasher.choose(ask.password.get_secret_value(), about=(ask.email, ask.name, ask.surname))
    newcomer = Newcomer(ask.email, hashed, name=ask.name, surname=ask.surname, employee_number=ask.employee_number)
    return profile_of(
        await accounts.database.write(lambda now: people.sign_up(now, newcomer, then=accounts.after_sign_up))
    )


@routes.get("/me")
async def show_me(caller: Caller, accounts: Room) -> Profile:
    return profile_of(await accounts.database.read(lambda now: people.by_id(now, caller.user_id)))


@routes.patch("/me")
async def change_me(ask: ProfileChange, caller: Holder, request: Request, accounts: Room) -> Profile:
    """A new password ends all sessions, this one too."""
    sent = ask.model_fields_set
    if {"email", "password"} & sent:
        if ask.current_password is None:
            raise PasswordNeeded()
        given = ask.current_password.get_secret_value()
        await signing_in.prove(accounts, caller.user_id, given, address=address_of(request.scope))
    hashed = None
    if ask.password is not None:
        hashed = await accounts.hasher.choose(
            ask.password.get_secret_value(), about=(ask.email or caller.email, ask.name, ask.surname)
        )
    changes = ask.model_dump(exclude_unset=True, exclude={"password", "current_password"})

    def change(now: Transaction) -> User:
        if hashed is not None:
            people.set_password(now, caller.user_id, hashed, actor=caller.user_id)
        if "email" in changes:
            audit.record(now, caller.user_id, "user.email", caller.user_id)
        return people.change(now, caller.user_id, changes)

    changed = await accounts.database.write(change)
    accounts.recognition.forget(caller.user_id)
    return profile_of(changed)


@routes.delete("/me", status_code=204)
async def delete_me(caller: Holder, accounts: Room) -> None:
    """The account ends: nothing names you any more, keys and sessions are over, the books stay."""
    await accounts.database.write(
        lambda now: people.delete(
            now, caller.user_id, actor=caller.user_id, first=accounts.before_delete, then=accounts.after_delete
        )
    )
    accounts.recognition.forget(caller.user_id)


@routes.post("/me/keys", status_code=201)
async def make_key(ask: KeyWish, caller: Holder, accounts: Room) -> KeyMade:
    """A key for programs. Without scopes it may everything you may, but admin."""
    row, key = await accounts.database.write(
        lambda now: keys.make(
            now, caller, name=ask.name, scopes=ask.scopes, networks=ask.networks, expires_at=ask.expires_at
        )
    )
    return KeyMade(**_shown(row).model_dump(), key=key)


@routes.get("/me/keys")
async def list_keys(caller: Holder, accounts: Room, page: Paging) -> Page[KeyShown]:
    rows, next_cursor = await accounts.database.read(lambda now: keys.page_of(now, caller.user_id, page))
    return Page(items=[_shown(row) for row in rows], next_cursor=next_cursor)


@routes.delete("/me/keys/{key_id}", status_code=204)
async def revoke_key(key_id: str, caller: Holder, accounts: Room) -> None:
    await accounts.database.write(lambda now: keys.revoke(now, caller, key_id))
    accounts.recognition.forget(caller.user_id)


def _shown(row: Key) -> KeyShown:
    return KeyShown.model_validate(row, from_attributes=True)
