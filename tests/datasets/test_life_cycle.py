"""Datasets are made, named, hidden and brought back, and nobody sees another's."""

import asyncio

import pytest

from retinue import assembly
from retinue.accounts import people
from tests.accounts.people import Person
from tests.datasets.sending import credits_of, items_of, make, taken_in
from tests.pictures import drawn


class TestMaking:
    async def test_a_new_one_is_empty(self, ada: Person) -> None:
        told = await make(ada, "tools", tags=["hand", "steel", "hand"])
        assert (told["name"], told["tags"], told["items"]) == ("tools", ["hand", "steel"], 0)
        assert (await ada.get("/api/v1/datasets/tools")).json() == told
        assert (await ada.get(f"/api/v1/datasets/{told['id']}")).json() == told

    async def test_a_name_is_its_owners_alone(self, ada: Person, bob: Person) -> None:
        await make(ada)
        await make(bob)
        answer = await ada.post("/api/v1/datasets", json={"name": "tools"})
        assert (answer.status_code, answer.json()["code"]) == (409, "dataset-name-taken")

    async def test_of_twins_at_once_one_is_made(self, ada: Person) -> None:
        answers = await asyncio.gather(*(ada.post("/api/v1/datasets", json={"name": "x"}) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]

    @pytest.mark.parametrize("name", ["", "a/b", "..", ".", "a\\b", "x" * 101, "a\nb", "\u0000"])
    async def test_names_that_cannot_be(self, ada: Person, name: str) -> None:
        assert (await ada.post("/api/v1/datasets", json={"name": name})).status_code == 422

    @pytest.mark.parametrize("name", ["Werkzeug Größe 2", "工具", "a.b", "%2e%2e", "name?x#y", "it's"])
    async def test_names_that_can(self, ada: Person, name: str) -> None:
        from urllib.parse import quote

        await make(ada, name)
        answer = await ada.get(f"/api/v1/datasets/{quote(name, safe='')}")
        assert (answer.status_code, answer.json()["name"]) == (200, name)

    async def test_two_spellings_of_one_name_are_one(self, ada: Person) -> None:
        await make(ada, "caf\u00e9")
        assert (await ada.post("/api/v1/datasets", json={"name": "cafe\u0301"})).status_code == 409


class TestListing:
    async def test_the_newest_first_page_by_page(self, ada: Person, bob: Person) -> None:
        for n in range(5):
            await make(ada, f"set {n}")
        await make(bob, "bobs")
        found, path = [], "/api/v1/datasets?limit=2"
        while path:
            told = (await ada.get(path)).json()
            found += [one["name"] for one in told["items"]]
            path = f"/api/v1/datasets?limit=2&cursor={told['next_cursor']}" if told["next_cursor"] else ""
        assert found == ["set 4", "set 3", "set 2", "set 1", "set 0"]

    async def test_by_tag(self, ada: Person) -> None:
        await make(ada, "a", tags=["steel", "red"])
        await make(ada, "b", tags=["stee"])
        told = (await ada.get("/api/v1/datasets?tag=steel")).json()
        assert [one["name"] for one in told["items"]] == ["a"]


class TestChanging:
    async def test_name_and_tags(self, ada: Person) -> None:
        await make(ada, tags=["old"])
        told = (await ada.patch("/api/v1/datasets/tools", json={"name": "kit"})).json()
        assert (told["name"], told["tags"]) == ("kit", ["old"])
        told = (await ada.patch("/api/v1/datasets/kit", json={"tags": []})).json()
        assert (told["name"], told["tags"]) == ("kit", [])
        assert (await ada.get("/api/v1/datasets/tools")).status_code == 404

    async def test_not_to_a_taken_name(self, ada: Person) -> None:
        await make(ada, "a")
        await make(ada, "b")
        assert (await ada.patch("/api/v1/datasets/a", json={"name": "b"})).status_code == 409


class TestDeleting:
    async def test_hidden_and_brought_back_with_everything_in_it(self, ada: Person) -> None:
        told = await make(ada)
        await taken_in(ada, drawn(1))
        assert (await ada.delete("/api/v1/datasets/tools")).status_code == 204
        assert (await ada.get("/api/v1/datasets/tools")).status_code == 404
        assert (await ada.get("/api/v1/datasets")).json()["items"] == []
        assert (await ada.post("/api/v1/datasets/tools/items", files={"file": drawn(2)})).status_code == 404
        back = await ada.post(f"/api/v1/datasets/{told['id']}/restore")
        assert (back.status_code, back.json()["items"]) == (200, 1)
        assert [one["index"] for one in await items_of(ada)] == [0]

    async def test_its_name_is_free_then(self, ada: Person) -> None:
        told = await make(ada)
        await ada.delete("/api/v1/datasets/tools")
        await make(ada)
        answer = await ada.post(f"/api/v1/datasets/{told['id']}/restore")
        assert (answer.status_code, answer.json()["code"]) == (409, "dataset-name-taken")

    async def test_what_is_there_cannot_be_brought_back(self, ada: Person) -> None:
        told = await make(ada)
        assert (await ada.post(f"/api/v1/datasets/{told['id']}/restore")).status_code == 409

    async def test_orphans_are_seen_by_admins(self, ada: Person, admin: Person, house: assembly.House) -> None:
        await make(ada)
        await make(admin, "mine")
        await admin.delete("/api/v1/datasets/mine")
        house.database.write_now(lambda now: people.delete(now, ada.user.id, actor=admin.user.id))
        shown = (await admin.get("/api/v1/admin/datasets?include_deleted=true")).json()["items"]
        assert [(one["name"], one["orphan"], one["deleted_at"] is not None) for one in shown] == [
            ("mine", False, True),
            ("tools", True, False),
        ]
        assert [one["name"] for one in (await admin.get("/api/v1/admin/datasets")).json()["items"]] == ["tools"]

    async def test_only_admins(self, ada: Person) -> None:
        assert (await ada.get("/api/v1/admin/datasets")).status_code == 403


class TestOthers:
    async def test_see_nothing_of_it(self, ada: Person, bob: Person) -> None:
        told = await make(ada)
        await taken_in(ada, drawn(1))
        for path in ("tools", told["id"], "tools/items", "tools/items/0"):
            assert (await bob.get(f"/api/v1/datasets/{path}")).status_code == 404
        assert (await bob.delete(f"/api/v1/datasets/{told['id']}")).status_code == 404
        assert (await bob.post(f"/api/v1/datasets/{told['id']}/restore")).status_code == 404
        assert (await bob.post("/api/v1/datasets/tools/items", files={"file": drawn(2)})).status_code == 404
        assert await credits_of(bob) == (100.0, 0.0)
