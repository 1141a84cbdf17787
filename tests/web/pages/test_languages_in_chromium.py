"""One main task in another language: pages and scripts speak alike, and the browser has nothing to complain about."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import expect

from bench.server import ADMIN, PASSWORD, Served
from tests.web.pages.looking import DESKTOP, Looker, open_window

pytestmark = pytest.mark.slow
Reader = Callable[[str], Looker]


@pytest.fixture
def reader(browser: Chromium, server: Served) -> Iterator[Reader]:
    """Somebody whose browser asks for a language, not signed in yet."""
    with ExitStack() as windows:
        opened: list[Looker] = []

        def open_one(language: str) -> Looker:
            context = browser.new_context(viewport=DESKTOP, locale=language)
            windows.callback(context.close)
            opened.append(open_window(context, server.address))
            return opened[-1]

        yield open_one
    assert [one.complaints for one in opened] == [[] for _ in opened]


def test_a_picture_is_named_in_italian_and_then_in_russian(reader: Reader, server: Served) -> None:
    looker = reader("it-IT")
    page = looker.page
    looker.goto("/login")
    expect(page.locator("html")).to_have_attribute("lang", "it")
    page.get_by_label("E-mail").fill(ADMIN)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Accedi").click()
    page.wait_for_url(server.address + "/")  # its scripts listen then
    page.get_by_role("button", name="Caffè").click()
    page.get_by_role("heading", name="espresso").wait_for()
    expect(page.locator("#facts")).to_contain_text("Questa esecuzione")  # said by a script
    expect(page.locator("#facts")).to_contain_text("2,75 crediti")
    page.keyboard.press("?")
    page.get_by_role("heading", name="Scorciatoie da tastiera").wait_for()
    page.keyboard.press("Escape")
    looker.photograph("playground-italian")

    with page.expect_navigation():
        page.get_by_role("button", name="Русский").click()
    expect(page.locator("html")).to_have_attribute("lang", "ru")
    page.get_by_role("button", name="Кофе").click()
    expect(page.locator("#facts")).to_contain_text("Этот запуск")
    looker.photograph("playground-russian")
    looker.goto("/history")  # chosen once, for every page
    page.get_by_role("heading", name="История").wait_for()
    for path, name in (("/admin", "admin"), ("/crib", "crib"), ("/keys", "keys"), ("/jobs/new", "new-job")):
        looker.goto(path)
        looker.photograph(f"{name}-russian")
