"""How people in these tests find and make tools and kits."""

from typing import Any

from tests.accounts.people import Person


async def first_kit(person: Person) -> dict[str, Any]:
    """The one that the first start puts in."""
    (kit,) = (await person.get("/api/v1/toolkits")).json()["items"]
    told: dict[str, Any] = kit
    return told


async def made(person: Person, path: str, **values: Any) -> dict[str, Any]:
    answer = await person.post(f"/api/v1/{path}", json=values)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def a_kit(person: Person, *names: str, model: str | None = None) -> dict[str, Any]:
    """New tools of these names in a new kit; their labels are their names."""
    items = []
    for name in names:
        tool = await made(person, "tools", name=name, label=name)
        items.append({"tool_id": tool["id"], "quantity": 1})
    return await made(person, "toolkits", name=f"kit of {' and '.join(names)}", items=items, model=model)


def names(lines: list[dict[str, Any]]) -> list[str]:
    return sorted(line["name"] for line in lines)
