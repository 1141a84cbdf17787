"""How people in tests make datasets and fill them."""

from typing import Any

import httpx2

from retinue import assembly
from retinue.credits.verifying import verify
from tests.accounts.people import Person


async def make(person: Person, name: str = "tools", **more: Any) -> dict[str, Any]:
    answer = await person.post("/api/v1/datasets", json={"name": name, **more})
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def send(
    person: Person, data: bytes, *, name: str = "picture.jpg", to: str = "tools", mask: bytes | None = None, **more: Any
) -> httpx2.Response:
    files = {"file": (name, data)} if mask is None else {"file": (name, data), "mask": ("mask.png", mask)}
    headers = more.pop("headers", {})
    return await person.post(f"/api/v1/datasets/{to}/items", files=files, data=more, headers=headers)


async def taken_in(person: Person, data: bytes, **more: Any) -> dict[str, Any]:
    """The answer, which must be a good one."""
    answer = await send(person, data, **more)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def items_of(person: Person, name: str = "tools") -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = (await person.get(f"/api/v1/datasets/{name}/items?limit=200")).json()["items"]
    return told


async def credits_of(person: Person) -> tuple[float, float]:
    """Balance and held."""
    told = (await person.get("/api/v1/me/credits")).json()
    return told["balance"], told["held"]


async def stored_keys(house: assembly.House) -> set[str]:
    return {entry.key async for entry in house.storage.list()}


async def nothing_happened(house: assembly.House, person: Person, name: str = "tools") -> None:
    """No item, no file, no charge, and books that are right."""
    assert await items_of(person, name) == []
    assert await stored_keys(house) == set()
    assert await credits_of(person) == (100.0, 0.0)
    assert books(house) == []


def books(house: assembly.House) -> list[str]:
    checks = assembly.LEDGER_CHECKS.more
    return [found.words for found in house.database.read_now(lambda now: verify(now, more=checks))]
