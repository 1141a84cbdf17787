"""How people in tests order work, and wait for it: for a condition, with a deadline."""

import asyncio
import time
from typing import Any

from tests.accounts.people import Person

PATIENCE_S = 240.0


async def order(person: Person, **wanted: Any) -> dict[str, Any]:
    answer = await person.post("/api/v1/inferences", json={"dataset": "photos", **wanted})
    assert answer.status_code == 202, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def status_of(person: Person, inference_id: str) -> dict[str, Any]:
    answer = await person.get(f"/api/v1/inferences/{inference_id}/status")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def until_over(person: Person, inference_id: str, *, patience_s: float = PATIENCE_S) -> dict[str, Any]:
    """The last status."""
    deadline = time.monotonic() + patience_s
    while (told := await status_of(person, inference_id))["status"] in {"PENDING", "RUNNING"}:
        assert time.monotonic() < deadline, told
        await asyncio.sleep(0.02)
    return told


async def results_of(person: Person, inference_id: str, *, limit: int = 200) -> tuple[list[Any], list[Any]]:
    """Every image and every failure, page by page."""
    images, failed, cursor = [], [], None
    while True:
        asked = {"limit": str(limit), **({"cursor": cursor} if cursor else {})}
        page = (await person.get(f"/api/v1/inferences/{inference_id}/results", params=asked)).json()
        images += page["images"]
        failed += page["failed"]
        if (cursor := page["next_cursor"]) is None:
            return images, failed
