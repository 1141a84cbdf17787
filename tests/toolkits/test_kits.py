"""Tools and kits: what the first start puts in, and how operators change it."""

import asyncio

import pytest

from retinue import assembly
from retinue.toolkits import starting
from tests.accounts.people import Person
from tests.pictures import drawn
from tests.toolkits.asking import a_kit, first_kit, made, names
from training.toolbox.scene import LABELS


class TestTheFirstStart:
    async def test_puts_in_the_eleven_tools_and_their_kit(self, ada: Person) -> None:
        kit = await first_kit(ada)
        assert (kit["model"], kit["out"]) == ("toolbox", False)
        assert {item["label"] for item in kit["items"]} == set(LABELS)
        assert {item["quantity"] for item in kit["items"]} == {1}
        assert len((await ada.get("/api/v1/tools")).json()["items"]) == 11

    async def test_what_was_deleted_does_not_come_back(self, olga: Person, house: assembly.House) -> None:
        kit = await first_kit(olga)
        assert (await olga.delete(f"/api/v1/toolkits/{kit['id']}")).status_code == 204
        for item in kit["items"]:
            assert (await olga.delete(f"/api/v1/tools/{item['tool_id']}")).status_code == 204
        house.database.write_now(starting.put_in_first)
        assert (await olga.get("/api/v1/toolkits")).json()["items"] == []
        assert (await olga.get("/api/v1/tools")).json()["items"] == []


class TestTools:
    async def test_made_found_changed_and_taken_out_of_use(self, olga: Person, ada: Person) -> None:
        tool = await made(olga, "tools", name="Torque wrench", serial_number="TW-9", category="wrenches")
        assert (await ada.get(f"/api/v1/tools/{tool['id']}")).json() == tool
        assert names((await ada.get("/api/v1/tools?q=tw-9")).json()["items"]) == ["Torque wrench"]
        assert len((await ada.get("/api/v1/tools?category=wrenches")).json()["items"]) == 3
        changed = await olga.patch(f"/api/v1/tools/{tool['id']}", json={"label": "torque wrench"})
        assert (changed.json()["label"], changed.json()["serial_number"]) == ("torque wrench", "TW-9")
        assert (await olga.delete(f"/api/v1/tools/{tool['id']}")).status_code == 204
        assert (await ada.get(f"/api/v1/tools/{tool['id']}")).status_code == 404
        await made(olga, "tools", name="Its successor", serial_number="TW-9")

    async def test_a_serial_number_is_one_tools(self, olga: Person) -> None:
        answers = await asyncio.gather(
            *(olga.post("/api/v1/tools", json={"name": "x", "serial_number": "S"}) for _ in range(4))
        )
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]

    async def test_one_in_a_kit_stays(self, olga: Person) -> None:
        kit = await a_kit(olga, "hammer")
        answer = await olga.delete(f"/api/v1/tools/{kit['items'][0]['tool_id']}")
        assert (answer.status_code, answer.json()["code"]) == (409, "tool-in-kit")
        assert "kit of hammer" in answer.json()["detail"]

    async def test_only_operators_and_admins_keep_them(self, ada: Person, admin: Person) -> None:
        assert (await ada.post("/api/v1/tools", json={"name": "x"})).status_code == 403
        assert (await admin.post("/api/v1/tools", json={"name": "x"})).status_code == 201


class TestKits:
    async def test_changed_piece_by_piece(self, olga: Person) -> None:
        kit = await a_kit(olga, "hammer", "saw")
        path = f"/api/v1/toolkits/{kit['id']}"
        renamed = (await olga.patch(path, json={"name": "Wood", "description": "two\nlines"})).json()
        assert (renamed["name"], renamed["description"], names(renamed["items"])) == (
            "Wood",
            "two\nlines",
            ["hammer", "saw"],
        )
        saw = next(item for item in kit["items"] if item["name"] == "saw")
        changed = (await olga.patch(path, json={"items": [{"tool_id": saw["tool_id"], "quantity": 4}]})).json()
        assert [(item["name"], item["quantity"]) for item in changed["items"]] == [("saw", 4)]
        assert names((await olga.get("/api/v1/toolkits?q=wood")).json()["items"]) == ["Wood"]

    async def test_what_cannot_be(self, olga: Person) -> None:
        tool = await made(olga, "tools", name="hammer")
        one = {"tool_id": tool["id"]}
        refused = [
            ({"items": [one, one]}, 422, "tool-twice"),
            ({"items": [{"tool_id": "nobody"}]}, 404, "no-such-tool"),
            ({"items": [{**one, "quantity": 0}]}, 422, "invalid-parameters"),
            ({"model": "efficientnet-lite0"}, 422, "model-cannot-check"),
            ({"model": "no-such"}, 404, "no-such-model"),
            ({"name": "Hand toolkit"}, 409, "toolkit-name-taken"),
        ]
        for values, status, code in refused:
            answer = await olga.post("/api/v1/toolkits", json={"name": "x", **values})
            assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert names((await olga.get("/api/v1/toolkits")).json()["items"]) == ["Hand toolkit"]

    async def test_a_reference_picture(self, olga: Person, ada: Person) -> None:
        path = f"/api/v1/toolkits/{(await first_kit(olga))['id']}"
        first = await olga.ask("PUT", f"{path}/picture", files={"file": ("kit.jpg", drawn(1))})
        assert first.status_code == 200, first.text
        shown = await olga.http.get((await ada.get(path)).json()["picture_url"])
        assert shown.content == drawn(1)
        await olga.ask("PUT", f"{path}/picture", files={"file": ("kit.jpg", drawn(2))})
        assert (await olga.http.get((await ada.get(path)).json()["picture_url"])).content == drawn(2)
        assert (await olga.http.get(first.json()["picture_url"])).status_code == 410

    @pytest.mark.parametrize(("body", "status"), [(b"", 422), (b"<svg/>", 415), (drawn(1)[:500], 422)])
    async def test_what_is_no_picture(self, olga: Person, body: bytes, status: int) -> None:
        path = f"/api/v1/toolkits/{(await first_kit(olga))['id']}/picture"
        assert (await olga.ask("PUT", path, files={"file": ("kit.jpg", body)})).status_code == status
