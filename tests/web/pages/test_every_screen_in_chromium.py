"""Every screen in a real browser, full of hostile names: nothing of them runs, and nothing sticks out of the page."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser as Chromium

from bench.server import ADMIN, Served, serving
from retinue import assembly
from retinue.accounts.credentials import Hasher
from retinue.base.settings import Settings
from retinue.web.pages import wording
from tests.pictures import drawn
from tests.web.pages.browsing import browse
from tests.web.pages.hostile import PAYLOADS, Names
from tests.web.pages.looking import DESKTOP, Looker, open_window
from tests.web.pages.screens import a_world

pytestmark = pytest.mark.slow
OPEN = {path: path for path in ("/login", "/register")}
# What a desktop of 1,280 × 860 has left at 200 % zoom: half the pixels each way, each drawn with four.
ZOOMED = {"width": DESKTOP["width"] // 2, "height": DESKTOP["height"] // 2}
NARROW = {"width": 360, "height": 640}
TOO_WIDE = """() => {
  const page = document.documentElement;
  if (page.scrollWidth <= page.clientWidth) return null;
  const sticking = [...document.querySelectorAll("body *")].filter((one) => {
    if (one.getBoundingClientRect().right <= page.clientWidth + 1) return false;
    for (let up = one.parentElement; up; up = up.parentElement)
      if (getComputedStyle(up).overflowX !== "visible") return false;
    return true;
  });
  return `${page.scrollWidth} px: ` + sticking.slice(0, 4).map((one) => one.outerHTML.slice(0, 120)).join(" | ");
}"""


@dataclass(frozen=True)
class World:
    """A server in which everything bears a hostile name, and where its screens are."""

    server: Served
    addresses: dict[str, str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path, builtin_models: Path) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    shelf = folder / "data" / "models"
    shelf.mkdir(parents=True)
    (shelf / "builtin").symlink_to(builtin_models)
    settings = Settings(data_dir=folder / "data", webhook_allow=["127.0.0.0/8"])
    with ThreadPoolExecutor(1) as thread:  # Playwright's own event loop may run in this one
        addresses = thread.submit(asyncio.run, _fill(settings)).result()
    with serving(folder, webhook_allow="127.0.0.0/8") as server:
        yield World(server, addresses)


async def _fill(settings: Settings) -> dict[str, str]:
    house = assembly.open_house(settings, hasher=Hasher(memory_kib=8, passes=1))
    try:
        assembly.prepare(house)
        app = assembly.application(house)
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1:8000") as http,
        ):
            addresses = await a_world(house, browse(house, http, ADMIN, role="admin"))
        Names(house.database).become(" ".join(PAYLOADS))
    finally:
        house.close()
    return addresses


@pytest.fixture
def visitor(world: World, browser: Chromium) -> Iterator[Looker]:
    context = browser.new_context(viewport=DESKTOP)
    looker = open_window(context, world.server.address)
    looker.sign_in(ADMIN)
    yield looker
    context.close()
    assert looker.complaints == []


def test_no_name_runs(visitor: Looker, world: World, tmp_path: Path) -> None:
    """What scripts draw of names too: the preview, the checklist, what is chosen and what is asked before deleting."""
    page, name = visitor.page, PAYLOADS[0]
    for path, address in world.addresses.items():
        visitor.goto(address)
        assert page.locator("main, [role=main]").count() == 1, path
    (tmp_path / f"{PAYLOADS[10].replace('/', '')}.png").write_bytes(drawn(2))
    visitor.goto("/")
    page.get_by_label("Choose a picture").set_input_files(next(tmp_path.iterdir()))
    page.locator("#table tbody tr").first.wait_for()
    visitor.goto(world.addresses["/predictions/{prediction_id}"])
    page.locator("#result-head", has_text=name).wait_for()
    visitor.goto(world.addresses["/datasets/{name}"])
    page.locator("#items .thumb").first.dblclick()
    page.locator("#preview-head", has_text=name).wait_for()
    page.keyboard.press("Escape")
    page.locator("#delete-dataset").click()
    page.get_by_role("dialog").get_by_text(name).wait_for()
    page.keyboard.press("Escape")
    visitor.goto(world.addresses["/kits/{kit_id}"])
    page.locator("#tool option").nth(1).wait_for(state="attached")
    visitor.goto(world.addresses["/crib/{kit_id}"])
    page.get_by_role("button", name="By hand").click()
    page.locator(".check-row", has_text=name).get_by_role("button", name="One more").click()
    page.get_by_role("heading", name="Stop").wait_for()


@pytest.mark.parametrize(
    ("window", "language"), [(NARROW, "en"), (ZOOMED, "en"), (NARROW, "ru")], ids=["360 px", "200 %", "360 px, Russian"]
)
def test_no_screen_scrolls_sideways(visitor: Looker, world: World, window: dict[str, int], language: str) -> None:
    """Names of 1,600 letters, tables and pictures included; a table may scroll inside its own frame."""
    visitor.page.context.add_cookies([{"name": wording.COOKIE, "value": language, "url": world.server.address}])
    visitor.page.set_viewport_size(window)
    wide = {}
    for path, address in {**world.addresses, **OPEN}.items():
        visitor.goto(address)
        visitor.page.wait_for_load_state("load")
        assert visitor.page.locator("html").get_attribute("lang") == language
        if said := visitor.page.evaluate(TOO_WIDE):
            wide[path] = said
    assert not wide, "\n".join(f"{path}: {said}" for path, said in wide.items())
