"""People for tests, over HTTP and in the database: somebody who is signed in and asks."""

from dataclasses import dataclass, field
from typing import Any

import httpx2

from retinue import assembly
from retinue.accounts import keys, people, sessions
from retinue.accounts.access import Identity
from retinue.accounts.people import Newcomer
from retinue.accounts.tables import Role, User
from retinue.base.database import Transaction

PASSWORD = "correct-horse-battery"


@dataclass
class Person:
    """Somebody with a credential. Every request goes through the whole application."""

    http: httpx2.AsyncClient
    user: User
    credential: str
    refresh_token: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    async def ask(self, method: str, path: str, **more: Any) -> httpx2.Response:
        sent = {"Authorization": f"Bearer {self.credential}", **self.headers, **more.pop("headers", {})}
        return await self.http.request(method, path, headers=sent, **more)

    async def get(self, path: str, **more: Any) -> httpx2.Response:
        return await self.ask("GET", path, **more)

    async def post(self, path: str, **more: Any) -> httpx2.Response:
        return await self.ask("POST", path, **more)

    async def patch(self, path: str, **more: Any) -> httpx2.Response:
        return await self.ask("PATCH", path, **more)

    async def delete(self, path: str, **more: Any) -> httpx2.Response:
        return await self.ask("DELETE", path, **more)


def add_person(
    house: assembly.House, http: httpx2.AsyncClient, email: str, *, role: Role = "user", password: str = PASSWORD
) -> Person:
    """Signed up and signed in, past the limits per address."""
    hashed = house.accounts.hasher.choose_now(password)

    def begin(now: Transaction) -> sessions.Begun:
        user = people.sign_up(now, Newcomer(email, hashed, role=role), then=house.accounts.after_sign_up)
        return sessions.begin(now, user, address="127.0.0.1", agent="test")

    begun = house.database.write_now(begin)
    token = house.accounts.tokens.issue(begun.user.id, begun.session_id)
    return Person(http, begun.user, token, begun.refresh_token)


def with_key(house: assembly.House, person: Person, *, scopes: list[str] | None = None, **more: Any) -> Person:
    """The same person through an API key."""
    user = person.user
    owner = Identity(user.id, user.email, user.role, session_id="here")
    _, key = house.database.write_now(lambda now: keys.make(now, owner, name="test", scopes=scopes, **more))
    return Person(person.http, user, key)
