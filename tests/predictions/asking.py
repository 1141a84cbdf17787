"""How people in tests send pictures."""

from typing import Any

from tests.accounts.people import Person


async def predict(person: Person, picture: bytes, *, name: str = "picture.jpg", **more: Any) -> dict[str, Any]:
    """One picture in a form; the answer, which must be one."""
    headers = more.pop("headers", {})
    answer = await person.post("/api/v1/predict", files={"file": (name, picture)}, data=more, headers=headers)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def credits_of(person: Person) -> tuple[float, float]:
    """Balance and held."""
    told = (await person.get("/api/v1/me/credits")).json()
    return told["balance"], told["held"]
