"""The camera at the crib, live under an outline: with a camera, with one that is refused, and with none."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import expect, sync_playwright

from bench.server import ADMIN, PASSWORD, Served
from tests.toolkits.scenes import bench
from tests.web.pages.looking import DESKTOP, Looker, chromium, open_window

pytestmark = pytest.mark.slow
A_CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
A_REFUSAL = ["--use-fake-device-for-media-stream", "--deny-permission-prompts"]
KEEP_STREAM = "() => { window.stream = document.querySelector('video').srcObject; }"
IS_OFF = "() => window.stream.getTracks().every((track) => track.readyState === 'ended')"
LINES = """() => {
  const canvas = document.querySelector("canvas.outline");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let seen = 0;
  for (let at = 3; at < data.length; at += 4) seen += data[at] === 255;
  return seen / (canvas.width * canvas.height);
}"""


@contextmanager
def station(server: Served, *flags: str) -> Iterator[Looker]:
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=chromium(), args=["--no-sandbox", *flags])
        context = started.new_context(viewport=DESKTOP)
        looker = open_window(context, server.address)
        looker.sign_in(ADMIN, PASSWORD)
        yield looker
        started.close()
    assert looker.complaints == []


def a_kit(server: Served, name: str) -> str:
    token = server.sign_in()
    tools = server.ask("GET", "/api/v1/tools?q=pliers", token=token)["items"]
    values: dict[str, Any] = {"name": name, "model": "toolbox", "items": [{"tool_id": tool["id"]} for tool in tools]}
    kit_id: str = server.ask("POST", "/api/v1/toolkits", values, token=token)["id"]
    return kit_id


def test_the_kit_is_laid_into_its_outline_and_taken(server: Served) -> None:
    """By keyboard alone, into the outline of the reference picture; what is taken goes the way of any picture."""
    kit_id = a_kit(server, "Outlined")
    with station(server, *A_CAMERA) as looker:
        page = looker.page
        looker.goto(f"/kits/{kit_id}")
        page.get_by_label("Reference picture").set_input_files(
            {"name": "bench.png", "mimeType": "image/png", "buffer": bench()}
        )
        page.get_by_alt_text("How the kit should look").wait_for()
        looker.goto(f"/crib/{kit_id}")
        page.get_by_role("button", name="With an outline").focus()
        page.keyboard.press("Enter")
        page.get_by_label("The camera, live").wait_for()
        page.locator("canvas.outline").wait_for()
        assert 0.005 < page.evaluate(LINES) < 0.3  # lines, not nothing and not a sheet
        looker.photograph("crib-camera")
        page.get_by_role("button", name="Outline", exact=True).click()
        expect(page.locator("canvas.outline")).to_be_hidden()
        page.keyboard.press("Escape")
        expect(page.locator("video")).to_have_count(0)
        page.get_by_text("Lay every tool out").wait_for()
        page.keyboard.press("Enter")  # the focus is where it was
        page.get_by_label("The camera, live").wait_for()
        expect(page.locator("canvas.outline")).to_be_hidden()  # as it was left
        expect(page.locator("#shoot")).to_be_focused()
        page.evaluate(KEEP_STREAM)
        page.keyboard.press("Enter")
        page.locator("#counts", has_text="present").or_(page.locator("#counts", has_text="missing")).first.wait_for()
        page.get_by_alt_text("The kit now").wait_for()
        expect(page.locator("video")).to_have_count(0)
        assert page.evaluate(IS_OFF)  # and so is the light beside the lens


def test_without_a_reference_there_is_a_frame(server: Served) -> None:
    kit_id = a_kit(server, "Framed")
    with station(server, *A_CAMERA) as looker:
        looker.goto(f"/crib/{kit_id}")
        looker.page.get_by_role("button", name="With an outline").click()
        looker.page.locator("svg.outline").wait_for()
        looker.page.get_by_role("button", name="By hand").click()
        expect(looker.page.locator("video")).to_have_count(0)


def test_a_refused_camera_stops_nobody(server: Served) -> None:
    kit_id = a_kit(server, "Refused")
    with station(server, *A_REFUSAL) as looker:
        page = looker.page
        looker.goto(f"/crib/{kit_id}")
        page.get_by_role("button", name="With an outline").click()
        page.get_by_text("The camera cannot be used here").wait_for()
        page.get_by_label("From a file").set_input_files(
            {"name": "bench.png", "mimeType": "image/png", "buffer": bench()}
        )
        page.get_by_text("2 present").wait_for()


def test_where_browsers_lend_no_camera_nothing_is_offered(server: Served) -> None:
    """Plain HTTP to another machine has no cameras at all."""
    kit_id = a_kit(server, "None")
    with station(server) as looker:
        looker.page.add_init_script("Object.defineProperty(navigator, 'mediaDevices', { value: undefined });")
        looker.goto(f"/crib/{kit_id}")
        expect(looker.page.get_by_label("From a file")).to_be_enabled()
        expect(looker.page.get_by_role("button", name="With an outline")).to_be_hidden()
