"""Every operation of the OpenAPI document × everybody who might ask, against the rows of `access_table.py`."""

import re
from collections.abc import Callable
from datetime import timedelta

import httpx2
import pytest

from retinue import assembly
from retinue.accounts import keys, people
from retinue.accounts.access import SCOPES, Identity
from retinue.accounts.tables import Role
from retinue.accounts.tokens import AccessTokens
from retinue.base.clock import SetClock
from retinue.base.ids import new_id
from tests.accounts.people import Person, add_person, with_key
from tests.web.access_table import ROWS, Row

Verdict = str  # "let in", or the status of the refusal, or "broken …"
REFUSALS = {401, 403, 404}


class Cast:
    """Somebody new for every question, so that no answer depends on the one before."""

    def __init__(self, house: assembly.House, http: httpx2.AsyncClient) -> None:
        self.house = house
        self.http = http

    def person(self, role: Role = "user") -> Person:
        return add_person(self.house, self.http, f"{new_id()}@example.com", role=role)

    def who_may(self, row: Row) -> Person:
        return self.person({"operator": "operator", "admin": "admin"}.get(row.who, "user"))  # type: ignore[arg-type]

    def expired(self, row: Row) -> Person:
        person = self.who_may(row)
        past = SetClock(self.house.clock.now() - timedelta(hours=1))
        tokens = AccessTokens(self.house.secrets.key("access-tokens"), past, minutes=10)
        session_id = self.house.accounts.tokens.read(person.credential).session_id
        person.credential = tokens.issue(person.user.id, session_id)
        return person

    def disabled(self, row: Row) -> Person:
        person = self.who_may(row)
        self.house.database.write_now(lambda now: people.set_active(now, person.user.id, False, actor="test"))
        return person

    def revoked_key(self, row: Row) -> Person:
        person = with_key(self.house, self.who_may(row))
        owner = Identity(person.user.id, person.user.email, person.user.role)
        key_id = person.credential.split("_")[1]
        self.house.database.write_now(lambda now: keys.revoke(now, owner, key_id))
        return person

    def key_without_scope(self, row: Row) -> Person:
        """With every scope but the one that is needed; with one alone where none is."""
        needed = {"admin", row.scope}
        return with_key(self.house, self.who_may(row), scopes=[scope for scope in SCOPES if scope not in needed])


def of_the_owner(row: Row) -> Verdict:
    return "403" if row.who in {"operator", "admin"} else "let in"


def of_another(row: Row, role: Role) -> Verdict:
    if row.who == "open":
        return "let in"
    if row.who == "admin":
        return "let in" if role == "admin" else "403"
    if row.who == "operator":
        return "403" if role == "user" else "let in"
    if row.make is None or row.is_shared:
        return "let in"
    if (row.admins_may and role == "admin") or (row.operators_may and role == "operator"):
        return "let in"
    return "404"


def of_a_narrow_key(row: Row) -> Verdict:
    return "let in" if row.who == "open" or (row.who == "anybody" and row.scope is None) else "403"


def of_a_stranger(row: Row) -> Verdict:
    return "let in" if row.who == "open" else "401"


CALLERS: dict[str, tuple[Callable[[Cast, Row], Person | None], Callable[[Row], Verdict]]] = {
    "anonymous": (lambda _cast, _row: None, of_a_stranger),
    "expired token": (Cast.expired, of_a_stranger),
    "disabled user": (Cast.disabled, of_a_stranger),
    "revoked key": (Cast.revoked_key, of_a_stranger),
    "key without scope": (Cast.key_without_scope, of_a_narrow_key),
    "owner": (lambda cast, _row: cast.person(), of_the_owner),
    "other user": (lambda cast, _row: cast.person(), lambda row: of_another(row, "user")),
    "operator": (lambda cast, _row: cast.person("operator"), lambda row: of_another(row, "operator")),
    "admin": (lambda cast, _row: cast.person("admin"), lambda row: of_another(row, "admin")),
}


@pytest.fixture
def operations(house: assembly.House) -> list[str]:
    paths = assembly.application(house).openapi()["paths"]
    return [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]


def test_every_operation_has_a_row_and_every_row_an_operation(operations: list[str]) -> None:
    assert sorted(operations) == sorted(ROWS)


@pytest.mark.parametrize("caller", CALLERS)
async def test_every_operation_answers(
    house: assembly.House, http: httpx2.AsyncClient, operations: list[str], caller: str
) -> None:
    cast = Cast(house, http)
    make_caller, expected = CALLERS[caller]
    cast.person("admin")  # so that nobody in the matrix is the last one
    surprises = []
    for operation in operations:
        row = ROWS[operation]
        verdict, answer = await ask(cast, operation, row, make_caller(cast, row), owner_asks=caller == "owner")
        if verdict != expected(row):
            surprises.append(f"{operation}: expected {expected(row)}, got {verdict} ({answer.text[:200]})")
    assert surprises == []


async def ask(
    cast: Cast, operation: str, row: Row, caller: Person | None, *, owner_asks: bool
) -> tuple[Verdict, httpx2.Response]:
    method, path = operation.split(" ", 1)
    if row.make is not None:
        owner = caller if owner_asks and caller is not None else cast.person()
        values = await row.make(cast.house, owner)
        path = re.sub(r"{(\w+)(:\w+)?}", lambda name: values[name[1]], path)
    if caller is None:
        answer = await cast.http.request(method, path, **row.send)
    else:
        answer = await caller.ask(method, path, **row.send)
    return verdict_of(answer), answer


def verdict_of(answer: httpx2.Response) -> Verdict:
    """Past the access rules anything may be said, but a refusal is a problem document and nothing breaks."""
    is_problem = answer.headers.get("content-type") == "application/problem+json"
    if answer.status_code >= 500 or (answer.is_client_error and not is_problem):
        return f"broken {answer.status_code}"
    return str(answer.status_code) if answer.status_code in REFUSALS else "let in"
