"""What admins do: people, their credits, the ledger, and a look at everybody's work."""

from datetime import datetime
from typing import Any, Literal, TypedDict, Unpack

from retinue.client.account import Balance, Profile, Transaction
from retinue.client.asking import Pages, Plan, Request, given, place
from retinue.client.datasets import Dataset
from retinue.client.jobs import Inference
from retinue.client.rooms import Room, S, Told, listing, once, operation

VERIFY_S = 300.0


class UserCredits(Balance):
    user_id: str
    email: str


class Sums(Told):
    key: str
    charged: float
    refunded: float
    topped_up: float
    adjusted: float
    entries: int


class Violation(Told):
    rule: str
    about: str
    words: str


class Verdict(Told):
    ok: bool
    violations: list[Violation]


class Deed(Told):
    id: str
    time: datetime
    actor: str
    action: str
    subject: str
    facts: dict[str, Any]


class DatasetOfSomebody(Dataset):
    owner_id: str
    owner_email: str | None
    orphan: bool
    deleted_at: datetime | None


class InferenceOfSomebody(Inference):
    user_id: str
    pool: str


class Worker(Told):
    id: str
    pool: str
    device: str
    slots: int
    models: list[str]
    live: bool
    started_at: datetime
    seen_at: datetime


class Setting(Told):
    name: str
    value: str
    origin: str
    words: str


class Storage(Told):
    """`kinds` and `people` say what takes the room, and whose it is."""

    store: str
    free_bytes: int | None
    kinds: list[dict[str, Any]]
    people: list[dict[str, Any]]


class PersonChange(TypedDict, total=False):
    email: str
    name: str
    surname: str
    employee_number: str | None
    role: str
    active: bool
    weight: int  # share of their jobs while others have jobs too


class People(Room[S]):
    @operation
    def add(
        self,
        *,
        email: str,
        password: str,
        name: str = "",
        surname: str = "",
        employee_number: str | None = None,
        role: str = "user",
    ) -> Plan[Profile]:
        """Also where registration is closed."""
        told = given(email=email, password=password, name=name, surname=surname, role=role)
        request = Request("POST", place("/admin/users"), json=told | given(employee_number=employee_number))
        return (yield from self._ask(request, Profile))

    @operation
    def get(self, user_id: str) -> Plan[Profile]:
        return (yield from self._ask(Request("GET", place("/admin/users/{}", user_id)), Profile))

    @operation
    def change(self, user_id: str, **wanted: Unpack[PersonChange]) -> Plan[Profile]:
        """What is not named stays. A new role, or disabling, ends all sessions of that person."""
        return (yield from self._ask(Request("PATCH", place("/admin/users/{}", user_id), json=wanted), Profile))

    @operation
    def delete(self, user_id: str) -> Plan[None]:
        yield from self._settle(Request("DELETE", place("/admin/users/{}", user_id)))

    @operation
    def set_password(self, user_id: str, password: str) -> Plan[None]:
        path = place("/admin/users/{}/password", user_id)
        yield from self._settle(Request("POST", path, json={"password": password}))

    @operation
    def end_sessions(self, user_id: str) -> Plan[None]:
        yield from self._settle(Request("DELETE", place("/admin/users/{}/sessions", user_id)))

    @operation
    def credits(self, email_or_id: str) -> Plan[UserCredits]:
        return (yield from self._ask(Request("GET", place("/admin/users/{}/credits", email_or_id)), UserCredits))

    @operation
    def recharge(
        self, email_or_id: str, amount: float, *, reason: str, idempotency_key: str | None = None
    ) -> Plan[UserCredits]:
        """A negative amount takes back what was added by mistake."""
        path = place("/admin/users/{}/credits", email_or_id)
        request = once(Request("POST", path, json={"amount": amount, "reason": reason}), idempotency_key)
        return (yield from self._ask(request, UserCredits))

    @listing
    def list(self, *, q: str | None = None, role: str | None = None, active: bool | None = None) -> Pages[Profile]:
        """`q` is part of the address, a name or the number."""
        return self._pages(place("/admin/users"), Profile, q=q, role=role, active=active)


class Admin(Room[S]):
    def __init__(self, sender: S) -> None:
        super().__init__(sender)
        self.users = People(sender)

    @operation
    def sums(
        self,
        group_by: Literal["user", "day", "operation"],
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Plan[list[Sums]]:
        """What was charged, refunded and topped up by whom, when or for what."""
        query = {"group_by": group_by, **_times(since, until)}
        told = yield from self._ask(Request("GET", place("/admin/transactions"), query=query), dict[str, Any])
        return [Sums.model_validate(one) for one in told["items"]]

    @operation
    def refund(
        self, charge_id: str, *, reason: str, amount: float | None = None, idempotency_key: str | None = None
    ) -> Plan[Transaction]:
        """Without an amount: all of the charge that was not refunded yet."""
        path = place("/admin/transactions/{}/refund", charge_id)
        request = once(Request("POST", path, json=given(amount=amount, reason=reason)), idempotency_key)
        return (yield from self._ask(request, Transaction))

    @operation
    def verify_ledger(self) -> Plan[Verdict]:
        return (yield from self._ask(Request("GET", place("/admin/ledger/verify"), timeout_s=VERIFY_S), Verdict))

    @operation
    def settings(self) -> Plan[list[Setting]]:
        """Each with its value (secrets are masked), its origin and its words."""
        return (yield from self._ask(Request("GET", place("/admin/settings")), list[Setting]))

    @operation
    def storage(self) -> Plan[Storage]:
        return (yield from self._ask(Request("GET", place("/admin/storage")), Storage))

    @operation
    def workers(self) -> Plan[list[Worker]]:
        return (yield from self._ask(Request("GET", place("/admin/workers")), list[Worker]))

    @listing
    def transactions(self, *, since: datetime | None = None, until: datetime | None = None) -> Pages[Transaction]:
        return self._pages(place("/admin/transactions"), Transaction, **_times(since, until))

    @listing
    def datasets(self, *, include_deleted: bool = False) -> Pages[DatasetOfSomebody]:
        deleted = "true" if include_deleted else None
        return self._pages(place("/admin/datasets"), DatasetOfSomebody, include_deleted=deleted)

    @listing
    def jobs(self, *, state: str | None = None) -> Pages[InferenceOfSomebody]:
        return self._pages(place("/admin/jobs"), InferenceOfSomebody, state=state)

    @listing
    def audit(self, *, actor: str | None = None, action: str | None = None, subject: str | None = None) -> Pages[Deed]:
        return self._pages(place("/admin/audit"), Deed, actor=actor, action=action, subject=subject)


def _times(since: datetime | None, until: datetime | None) -> dict[str, Any]:
    return given(**{"from": since and since.isoformat(), "to": until and until.isoformat()})
