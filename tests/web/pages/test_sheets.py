"""Ledgers and loans as CSV: all of it, in order, for whoever may read it, and nothing that a spreadsheet would run."""

import csv
import io

import httpx2
import pytest

from retinue import assembly
from retinue.web.pages import loans
from tests.web.pages.browsing import Browser, browse
from tests.web.pages.screens import a_prediction


def rows_of(answer: httpx2.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment;")
    return list(csv.DictReader(io.StringIO(answer.text)))


async def handed_over(keeper: Browser, kit: str, **told: str) -> None:
    tools = [(await keeper.post("/api/v1/tools", json={"name": f"{name} of {kit}"})).json() for name in ("one", "two")]
    items = [{"tool_id": tool["id"]} for tool in tools]
    made = (await keeper.post("/api/v1/toolkits", json={"name": kit, "items": items})).json()
    path = f"/api/v1/toolkits/{made['id']}"
    assert (await keeper.post(f"{path}/issue", json={})).status_code == 201
    gone = [{"tool_id": tools[1]["id"], "found": 0}]
    back = await keeper.post(f"{path}/return", json={"corrections": gone, "signed_by": ["Root"], **told})
    assert back.status_code == 201, back.text


async def test_loans_are_told_as_the_page_lists_them(house: assembly.House, admin: Browser, ada: Browser) -> None:
    await handed_over(admin, "Bay 1", reason="in repair", place="Hangar, 2")
    await handed_over(admin, "Bay 2", reason="lost")
    back, out, *_ = rows_of(await admin.get("/loans.csv"))
    assert (out["type"], out["status"]) == ("issue", "complete")
    assert out["ended_at"]
    assert (back["kit"], back["status"], back["missing"], back["signed_by"]) == (
        "Bay 2",
        "incomplete",
        "1 × two of Bay 2",
        "Root",
    )
    one = rows_of(await admin.get("/loans.csv?type=return&status=incomplete"))
    assert [(row["kit"], row["reason"], row["place"]) for row in one] == [
        ("Bay 2", "lost", ""),
        ("Bay 1", "in repair", "Hangar, 2"),
    ]
    assert rows_of(await ada.get("/loans.csv")) == []
    assert 'href="/loans.csv?type=return"' in (await admin.get("/loans?type=return")).text


async def test_one_kits_log_is_behind_its_page(admin: Browser) -> None:
    await handed_over(admin, "Bay 1", reason="in repair")
    await handed_over(admin, "Bay 2", reason="lost")
    kits = (await admin.get("/api/v1/toolkits?q=Bay 1")).json()["items"]
    assert f"/loans.csv?kit={kits[0]['id']}" in (await admin.get(f"/kits/{kits[0]['id']}")).text
    assert {row["kit"] for row in rows_of(await admin.get(f"/loans.csv?kit={kits[0]['id']}"))} == {"Bay 1"}


async def test_a_sheet_goes_on_behind_its_first_page(admin: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loans, "ON_A_SHEET", 1)
    await handed_over(admin, "Bay 1", reason="in repair")
    assert [row["type"] for row in rows_of(await admin.get("/loans.csv"))] == ["return", "issue"]


async def test_formulas_are_text(admin: Browser) -> None:
    await handed_over(admin, "=cmd|' /C calc'!A0", reason="+1+1", place="@SUM(1)")
    back = rows_of(await admin.get("/loans.csv"))[0]
    assert (back["kit"], back["reason"], back["place"]) == ("'=cmd|' /C calc'!A0", "'+1+1", "'@SUM(1)")


async def test_the_ledger_says_what_each_thing_cost(house: assembly.House, admin: Browser) -> None:
    await a_prediction(house, admin)
    charged = [row for row in rows_of(await admin.get("/credits.csv")) if row["kind"] == "charge"]
    assert [(row["operation"], float(row["amount"]) > 0) for row in charged] == [("prediction", True)]
    assert rows_of(await browse(house, admin.http, "eve@example.com").get("/credits.csv"))[0]["kind"] == "topup"
