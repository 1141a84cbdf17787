"""The tool crib in a real browser: a kit goes out with a picture, comes back without a tool, and by keyboard alone."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from bench.server import Served
from tests.toolkits.scenes import LAST, bench
from tests.web.pages.looking import Looker

pytestmark = pytest.mark.slow
GONE = LAST.capitalize()


def somebody(server: Served, number: str) -> dict[str, Any]:
    """Who works on aircraft and has an employee number."""
    person = {"email": f"{number}@example.com".lower(), "password": "correct-horse-battery", "employee_number": number}
    told: dict[str, Any] = server.ask(
        "POST", "/api/v1/admin/users", {**person, "name": "Ada", "surname": "<b>Byron</b>"}, token=server.sign_in()
    )
    return told


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """The bench with every tool, with one gone, and a file that is none."""
    (tmp_path / "all.png").write_bytes(bench())
    (tmp_path / "one-gone.png").write_bytes(bench(10))
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff nope")
    return tmp_path


def test_a_kit_goes_out_and_comes_back_without_a_tool(looker: Looker, server: Served, pictures: Path) -> None:
    page = looker.page
    somebody(server, "E-7")
    looker.goto("/crib")
    looker.photograph("crib")
    looker.follow(page.get_by_role("link", name="Hand toolkit"))
    looker.photograph("crib-issue")
    page.get_by_label("From a file").set_input_files(pictures / "broken.jpg")
    page.get_by_text("This file is no picture").wait_for()
    page.get_by_label("From a file").set_input_files(pictures / "all.png")
    page.get_by_role("heading", name="Complete").wait_for()
    expect(page.locator(".check-row[data-state=present]")).to_have_count(11)
    expect(page.locator(".overlay .box")).to_have_count(11)
    page.get_by_label("To whom").fill("E-7")
    page.get_by_label("Place").fill("Bay 3")
    looker.photograph("crib-issue-complete")
    page.get_by_role("button", name="Refuse").click()
    page.get_by_text("Say why the kit is refused").wait_for()
    with page.expect_navigation():
        page.get_by_label("Place").press("Enter")  # confirms, and does not refuse
    page.get_by_role("heading", name="Handed out").wait_for()
    looker.photograph("crib-receipt")
    page.keyboard.press("Enter")
    page.wait_for_url("**/crib")

    looker.follow(page.get_by_role("link", name="Hand toolkit"))
    page.get_by_label("Take a picture").set_input_files(pictures / "one-gone.png")
    page.get_by_role("heading", name="Stop: 1 tool is missing").wait_for()
    expect(page.locator("#verdict")).to_contain_text(GONE)
    expect(page.get_by_label("From whom")).to_have_value("E-7")
    expect(page.get_by_label("Place")).to_have_value("Bay 3")
    first = page.locator(".check-row").first
    expect(first).to_have_attribute("data-state", "missing")
    expect(page.locator("#keep-looking")).to_be_focused()  # Enter signs nothing away
    page.keyboard.press("Enter")
    expect(page.locator("#camera")).to_be_focused()
    looker.photograph("crib-return-missing")
    first.get_by_role("button", name="It is here").click()
    page.get_by_role("heading", name="Complete").wait_for()
    first.get_by_role("button", name="Not here").click()
    page.get_by_role("heading", name="Stop: 1 tool is missing").wait_for()
    page.get_by_label("Signed by").fill("Root")
    page.get_by_role("button", name="Sign as incomplete").click()
    expect(page.locator("#reason")).to_be_focused()  # nothing is signed without one
    page.get_by_label("Reason").fill("left at aircraft 12")
    page.get_by_role("button", name="Sign as incomplete").click()
    page.get_by_role("heading", name="Back, incomplete").wait_for()
    page.get_by_text("left at aircraft 12").first.wait_for()
    looker.photograph("crib-receipt-incomplete")

    looker.follow(page.get_by_role("link", name="Its page"))
    page.get_by_text("1 tool is missing").wait_for()
    expect(page.locator("figure img")).to_have_count(2)  # at return and at issue, side by side
    looker.photograph("loan")
    looker.follow(page.get_by_role("link", name=GONE).first)
    page.get_by_role("heading", name="Where it has been").wait_for()
    expect(page.locator("#history tr")).to_have_count(2)
    looker.photograph("tool")
    looker.goto("/loans?status=incomplete")
    page.get_by_role("link", name="Hand toolkit", exact=True).wait_for()
    looker.photograph("loans")


def test_what_lies_beside_is_told_and_a_model_that_is_off_stops_nobody(
    looker: Looker, server: Served, pictures: Path
) -> None:
    page, token = looker.page, server.sign_in()
    tools = server.ask("GET", "/api/v1/tools?q=pliers", token=token)["items"]
    items = [{"tool_id": tool["id"]} for tool in tools]
    values = {"name": "Two pliers", "model": "toolbox", "items": items}
    kit = server.ask("POST", "/api/v1/toolkits", values, token=token)
    looker.goto(f"/crib/{kit['id']}")
    page.get_by_label("From a file").set_input_files(pictures / "all.png")
    page.get_by_text("9 extra, 2 present").wait_for()
    page.get_by_text("Something lies there that is not part of this kit").wait_for()
    looker.photograph("crib-extra")
    server.ask("PATCH", "/api/v1/models/toolbox", {"enabled": False}, token=token)
    looker.expect(404, 409, 503)
    page.get_by_label("From a file").set_input_files(pictures / "one-gone.png")
    page.get_by_text("or check the kit by hand").wait_for()
    expect(page.get_by_role("button", name="All are here")).to_be_hidden()
    looker.photograph("crib-model-off")
    expect(page.locator("#by-hand")).to_be_focused()
    page.keyboard.press("Enter")
    for tool in ("Pliers", "Safety-wire pliers"):
        page.get_by_role("button", name=f"It is here: {tool}", exact=True).click()
    page.get_by_role("button", name="Hand it out").click()
    page.get_by_role("heading", name="Handed out").wait_for()
    page.get_by_text("checked by hand").first.wait_for()
    server.ask("PATCH", "/api/v1/models/toolbox", {"enabled": True}, token=token)


KEPT = """async ([by, kit]) => {
  const { kept } = await import(document.body.dataset.static + "/keeping.js");
  const check = await kept(`check ${by} ${kit} issue`);
  return check && check.found.includes(0) && check.said.place === "Bay 9";
}"""


def test_a_check_under_way_survives_a_reload(looker: Looker, server: Served, pictures: Path) -> None:
    page, token = looker.page, server.sign_in()
    tools = server.ask("GET", "/api/v1/tools?q=pliers", token=token)["items"]
    values = {"name": "Reloaded", "model": "toolbox", "items": [{"tool_id": tool["id"]} for tool in tools]}
    kit = server.ask("POST", "/api/v1/toolkits", values, token=token)
    looker.goto(f"/crib/{kit['id']}")
    page.get_by_label("From a file").set_input_files(pictures / "all.png")
    page.get_by_text("9 extra, 2 present").wait_for()
    page.get_by_role("button", name="Not here: Pliers", exact=True).click()
    page.get_by_label("Place").fill("Bay 9")
    page.get_by_label("Place").blur()
    page.wait_for_function(KEPT, arg=[server.ask("GET", "/api/v1/me", token=token)["id"], kit["id"]])
    page.reload()
    page.get_by_role("heading", name="Stop: 1 tool is missing").wait_for()
    assert page.locator(".overlay .box").count() == 11
    assert page.locator(".check-row", has_text="corrected by hand").count() == 1
    assert page.get_by_label("Place").input_value() == "Bay 9"
    page.get_by_label("Reason").fill("in repair")
    page.get_by_label("Signed by").fill("Root")
    page.get_by_role("button", name="Sign as incomplete").click()
    page.wait_for_url("**/crib/receipts/*")
    looker.goto(f"/crib/{kit['id']}")
    page.get_by_role("button", name="By hand").wait_for()
    assert page.evaluate(KEPT, [server.ask("GET", "/api/v1/me", token=token)["id"], kit["id"]]) is None  # it is over


def test_a_new_kit_is_filled_and_handed_out_by_keyboard_alone(looker: Looker, pictures: Path) -> None:
    page = looker.page
    for name in ("Hammer", "Saw"):
        looker.goto("/tools")
        page.get_by_role("button", name="New tool").click()
        page.get_by_role("textbox", name="Name", exact=True).fill(name)
        page.get_by_role("button", name="Make it").click()
        page.get_by_role("heading", name=name).wait_for()
    looker.goto("/tools")
    looker.photograph("tools")
    looker.goto("/kits")
    page.get_by_role("button", name="New kit").click()
    page.get_by_role("textbox", name="Name", exact=True).fill("Bay <b>4</b>")
    page.get_by_role("button", name="Make it").click()
    page.get_by_role("heading", name="Bay <b>4</b>").wait_for()
    page.wait_for_load_state()
    for name in ("Hammer", "Saw"):
        page.get_by_label("Add a tool").select_option(label=name)
        page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_label("Quantity of Hammer").fill("2")
    page.get_by_role("button", name="Save the contents").click()
    page.get_by_text("3 tools").first.wait_for()
    page.get_by_label("Reference picture").set_input_files(pictures / "all.png")
    page.get_by_alt_text("How the kit should look").wait_for()
    looker.photograph("kit")
    looker.goto("/kits")
    looker.photograph("kits")

    looker.goto("/crib")
    page.keyboard.type("bay")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.get_by_role("button", name="By hand").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Hand it out")).to_be_disabled()  # nobody has looked yet
    looker.photograph("crib-by-hand")
    page.get_by_role("button", name="One more: Hammer").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="It is here: Saw").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Complete").wait_for()
    expect(page.locator("#confirm")).to_be_focused()
    page.keyboard.press("Escape")
    page.get_by_text("Lay every tool out").wait_for()
    page.get_by_role("button", name="By hand").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="All are here").focus()
    page.keyboard.press("Enter")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.get_by_role("heading", name="Handed out").wait_for()
    page.keyboard.press("Escape")
    page.wait_for_url("**/crib")
    page.locator(".kit-row", has_text="Bay").get_by_text("out", exact=True).wait_for()
