"""Oneself: the profile, keys for programs, sessions, and what there is to spend."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict, Unpack

from retinue.client.asking import Pages, Plan, Request, given, place
from retinue.client.rooms import Room, S, Told, listing, operation
from retinue.client.signing import log_in


class Profile(Told):
    id: str
    email: str
    name: str
    surname: str
    employee_number: str | None
    role: str
    active: bool
    weight: int
    created_at: datetime
    updated_at: datetime


class ProfileChange(TypedDict, total=False):
    """A new address or password needs the present one."""

    name: str
    surname: str
    employee_number: str | None
    email: str
    password: str
    current_password: str


class SignedIn(Told):
    access_token: str
    token_type: str
    expires_in: int
    refresh_token: str
    user: Profile


# What a key may be made for, in the order in which the server names them.
SCOPES = (
    "predict",
    "predictions:read",
    "datasets:read",
    "datasets:write",
    "jobs:read",
    "jobs:write",
    "toolkits:read",
    "toolkits:write",
    "feedback:write",
    "webhooks:write",
    "credits:read",
    "admin",
)


class Key(Told):
    id: str
    name: str
    scopes: list[str] | None
    networks: list[str] | None
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None


class NewKey(Key):
    """`key` is the secret; it is told this once."""

    key: str


class Balance(Told):
    """`available` is what new work may spend."""

    balance: float
    held: float
    available: float


class Transaction(Told):
    id: str
    kind: str
    operation: str
    operation_id: str
    amount: float
    balance_before: float
    balance_after: float
    held_before: float
    held_after: float
    hold_id: str | None
    status: str
    description: str
    actor: str
    created_at: datetime


class Users(Room[S]):
    @operation
    def register(
        self, *, email: str, password: str, name: str = "", surname: str = "", employee_number: str | None = None
    ) -> Plan[Profile]:
        """Opens an account, with the welcome credits. It does not sign in."""
        told = given(email=email, password=password, name=name, surname=surname, employee_number=employee_number)
        request = Request("POST", place("/users"), json=told, is_signed=False)
        return (yield from self._ask(request, Profile))


class Sessions(Room[S]):
    @operation
    def log_in(self, email: str, password: str) -> Plan[SignedIn]:
        """From now on this client asks as that person; its token is renewed by itself."""
        told: SignedIn = yield from self._ask(log_in(email, password), SignedIn)
        self._sender.credential.hold(told.access_token, told.refresh_token)
        return told

    @operation
    def log_out(self, *, everywhere: bool = False) -> Plan[None]:
        """Ends this session, or all of them."""
        query = {"everywhere": "true" if everywhere else "false"}
        yield from self._settle(Request("DELETE", place("/sessions"), query=query))
        self._sender.credential.forget()

    @operation
    def set_up(self, code: str, *, email: str, password: str, name: str = "", surname: str = "") -> Plan[SignedIn]:
        """Makes the first admin, once, and asks as that person from now on."""
        told = {"code": code, "email": email, "password": password, "name": name, "surname": surname}
        request = Request("POST", place("/setup"), json=told, is_signed=False)
        signed_in: SignedIn = yield from self._ask(request, SignedIn)
        self._sender.credential.hold(signed_in.access_token, signed_in.refresh_token)
        return signed_in


class Me(Room[S]):
    @operation
    def get(self) -> Plan[Profile]:
        return (yield from self._ask(Request("GET", place("/me")), Profile))

    @operation
    def change(self, **wanted: Unpack[ProfileChange]) -> Plan[Profile]:
        """What is not named stays. A new password ends all sessions, this one too."""
        return (yield from self._ask(Request("PATCH", place("/me"), json=wanted), Profile))

    @operation
    def delete(self) -> Plan[None]:
        """The account ends."""
        yield from self._settle(Request("DELETE", place("/me")))


class Keys(Room[S]):
    @operation
    def make(
        self,
        name: str,
        *,
        scopes: Sequence[str] | None = None,
        expires_at: datetime | None = None,
        networks: Sequence[str] | None = None,
    ) -> Plan[NewKey]:
        """For programs. Without scopes it may everything you may, but admin."""
        wanted = given(name=name, scopes=scopes and [*scopes], networks=networks and [*networks])
        wanted |= given(expires_at=expires_at and expires_at.isoformat())
        return (yield from self._ask(Request("POST", place("/me/keys"), json=wanted), NewKey))

    @operation
    def revoke(self, key_id: str) -> Plan[None]:
        yield from self._settle(Request("DELETE", place("/me/keys/{}", key_id)))

    @listing
    def list(self) -> Pages[Key]:
        return self._pages(place("/me/keys"), Key)


class Credits(Room[S]):
    @operation
    def balance(self) -> Plan[Balance]:
        return (yield from self._ask(Request("GET", place("/me/credits")), Balance))

    @listing
    def transactions(self, *, kinds: Sequence[str] = ()) -> Pages[Transaction]:
        """Every entry of your account, latest first."""
        return self._pages(place("/me/transactions"), Transaction, kind=[*kinds] or None)
