"""The crib's pages without a browser: who sees what, what the station is told, and who may not hand over."""

from typing import Any

import httpx2
import pytest

from retinue import assembly
from retinue.accounts import browsers
from tests.web.pages.browsing import Browser, browse
from tests.web.pages.test_browser_sessions import CROSS_SITE


@pytest.fixture
def olga(house: assembly.House, http: httpx2.AsyncClient) -> Browser:
    return browse(house, http, "olga@example.com", role="operator")


async def a_kit(keeper: Browser, name: str, *names: str) -> dict[str, Any]:
    tools = [(await keeper.post("/api/v1/tools", json={"name": one})).json() for one in names]
    items = [{"tool_id": tool["id"]} for tool in tools]
    made: dict[str, Any] = (await keeper.post("/api/v1/toolkits", json={"name": name, "items": items})).json()
    return made


class TestTheStation:
    async def test_a_search_that_finds_one_kit_goes_on_to_it(self, olga: Browser) -> None:
        kit = await a_kit(olga, "Engine bay 7", "hammer")
        found = await olga.get("/crib?q=bay 7")
        assert (found.status_code, found.headers["location"]) == (303, f"/crib/{kit['id']}")
        assert "No kit has these words" in (await olga.get("/crib?q=bay 8")).text

    async def test_a_kit_that_is_out_is_taken_back_from_whoever_has_it(
        self, olga: Browser, ada: Browser, admin: Browser
    ) -> None:
        numbered = await admin.ask("PATCH", f"/api/v1/admin/users/{ada.user.id}", json={"employee_number": "E-7"})
        assert numbered.status_code == 200, numbered.text
        kit = await a_kit(olga, "Engine bay 7", "hammer")
        page = f"/crib/{kit['id']}"
        assert "Hand it out" in (await olga.get(page)).text
        loan = (await olga.post(f"/api/v1/toolkits/{kit['id']}/issue", json={"employee_number": "E-7"})).json()
        back = (await olga.get(page)).text
        assert "Take it back" in back
        assert 'value="E-7"' in back
        receipt = (await olga.get(f"/crib/receipts/{loan['id']}")).text
        assert "Handed out" in receipt
        assert loan["id"] in receipt

    async def test_others_may_not_take_it_back_and_are_told_so(self, olga: Browser, ada: Browser) -> None:
        kit = await a_kit(olga, "Engine bay 7", "hammer")
        loan = (await olga.post(f"/api/v1/toolkits/{kit['id']}/issue", json={})).json()
        told = (await ada.get(f"/crib/{kit['id']}")).text
        assert "An operator takes it back" in told
        assert "employee number" not in told
        assert (await ada.get(f"/loans/{loan['id']}")).status_code == 404
        assert (await ada.get(f"/crib/receipts/{loan['id']}")).status_code == 404

    async def test_no_other_site_hands_a_kit_out(self, olga: Browser) -> None:
        path = f"/api/v1/toolkits/{(await a_kit(olga, 'Engine bay 7', 'hammer'))['id']}"
        for shape in CROSS_SITE.values():
            headers = {"Cookie": f"{browsers.PLAIN_NAME}={olga.cookie}", **shape}
            told = await olga.http.post(f"{path}/issue", headers=headers, content=b"{}")
            assert told.status_code in {401, 403}
        assert (await olga.get(path)).json()["out"] is False


class TestTheLog:
    async def test_a_tool_that_was_missing_says_so_in_its_history(self, olga: Browser, ada: Browser) -> None:
        kit = await a_kit(olga, "Engine bay 7", "hammer", "saw")
        saw = next(item["tool_id"] for item in kit["items"] if item["name"] == "saw")
        path = f"/api/v1/toolkits/{kit['id']}"
        await olga.post(f"{path}/issue", json={})
        gone = {"corrections": [{"tool_id": saw, "present": False}], "reason": "blade broken"}
        back = (await olga.post(f"{path}/return", json=gone)).json()
        history = (await olga.get(f"/tools/{saw}")).text
        assert "blade broken" in history
        assert f"/loans/{back['id']}" in history
        assert "Operators see" in (await ada.get(f"/tools/{saw}")).text
        loan = (await olga.get(f"/loans/{back['id']}")).text
        assert "1 tool is missing" in loan
        assert f"/loans/{back['issue_id']}" in loan

    async def test_what_is_out_is_listed_and_what_came_back_is_not(self, olga: Browser) -> None:
        out, back = [await a_kit(olga, name, "hammer") for name in ("Stays out", "Comes back")]
        for kit in (out, back):
            await olga.post(f"/api/v1/toolkits/{kit['id']}/issue", json={})
        await olga.post(f"/api/v1/toolkits/{back['id']}/return", json={})
        shown = (await olga.get("/loans?show=open&type=&status=&person=")).text
        assert ("Stays out" in shown, "Comes back" in shown) == (True, False)
        assert "Nothing here" in (await olga.get("/loans?show=overdue")).text

    async def test_only_operators_are_offered_to_change_a_kit_that_is_in(self, olga: Browser, ada: Browser) -> None:
        kit = await a_kit(olga, "Engine bay 7", "hammer")
        assert "Save the contents" in (await olga.get(f"/kits/{kit['id']}")).text
        assert "Save the contents" not in (await ada.get(f"/kits/{kit['id']}")).text
        await olga.post(f"/api/v1/toolkits/{kit['id']}/issue", json={})
        assert "Save the contents" not in (await olga.get(f"/kits/{kit['id']}")).text
