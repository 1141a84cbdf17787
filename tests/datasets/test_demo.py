"""What a house begins with."""

from pathlib import Path

import httpx2

import retinue
from retinue import assembly
from retinue.datasets import demo
from tests.accounts.people import Person, add_person
from tests.predictions.asking import credits_of

EXAMPLES = sorted((Path(retinue.__file__).parent / "web" / "static" / "examples").glob("*.jpg"))


async def put_in(house: assembly.House, owner: Person) -> bool:
    return await demo.put_in(assembly.importer_of(house), owner.user, EXAMPLES)


async def test_the_first_admin_gets_pictures_to_try_things_on_for_nothing(
    house: assembly.House, http: httpx2.AsyncClient
) -> None:
    assert house.database.read_now(demo.first_admin) is None
    ann = add_person(house, http, "ann@example.com", role="admin")
    add_person(house, http, "bob@example.com", role="admin")
    first = house.database.read_now(demo.first_admin)
    assert first is not None
    assert first.id == ann.user.id
    assert await put_in(house, ann)
    items = (await ann.get("/api/v1/datasets/demo/items")).json()["items"]
    assert len(items) == len(EXAMPLES) > 1
    assert await credits_of(ann) == (100.0, 0.0)


async def test_what_was_deleted_does_not_come_back(house: assembly.House, http: httpx2.AsyncClient) -> None:
    ann = add_person(house, http, "ann@example.com", role="admin")
    assert await put_in(house, ann)
    assert (await ann.delete("/api/v1/datasets/demo")).status_code == 204
    assert not await put_in(house, ann)
