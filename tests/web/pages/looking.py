"""A real browser that must find nothing to complain about: no console error, no policy violation, nothing from outside.

Every screen that a test visits is photographed into `artefacts/`: light, dark and on a phone.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, expect, sync_playwright

from tests.accounts.people import PASSWORD

ARTEFACTS = Path(__file__).parents[3] / "artefacts"
DESKTOP = {"width": 1280, "height": 860}
PHONE = {"width": 360, "height": 760}
AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
PATIENCE_MS = 120_000.0  # a condition that comes at all comes much sooner; a crowded machine may take its time
expect.set_options(timeout=PATIENCE_MS)


def chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def launched() -> Iterator[Browser]:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Looker:
    """One person at one browser window, and everything the browser had to complain about."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)
    expected: set[int] = field(default_factory=set)

    def expect(self, *statuses: int) -> None:
        """Refusals that belong to the story: the browser notes every one of them on its console."""
        self.expected |= set(statuses)

    def note(self, said: ConsoleMessage) -> None:
        status = re.search(r"responded with a status of (\d+)", said.text)
        if said.type == "error" and not (status and int(status[1]) in self.expected):
            self.complaints.append(f"console: {said.text} ({said.location})")

    def goto(self, path: str) -> None:
        self.page.goto(self.address + path)

    def follow(self, link: Locator) -> None:
        """To where it leads, with that page's scripts at work: what is pressed before they listen is lost."""
        with self.page.expect_navigation():
            link.click()

    def sign_in(self, email: str, password: str = PASSWORD) -> None:
        self.goto("/login")
        self.page.get_by_label("E-mail").fill(email)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(self.address + "/")

    def photograph(self, name: str) -> None:
        """Light, dark and on a phone, and what axe has to say about it in both themes."""
        ARTEFACTS.mkdir(exist_ok=True)
        self.page.wait_for_load_state()
        for theme in ("light", "dark"):
            self.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            self.page.screenshot(path=ARTEFACTS / f"{name}-{theme}.png", full_page=True)
            self.check_axe(f"{name} {theme}")
        self.page.emulate_media(color_scheme="light")
        self.page.set_viewport_size(PHONE)
        self.page.screenshot(path=ARTEFACTS / f"{name}-phone.png", full_page=True)
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            self.complaints.append(f"{name}: {wide} px too wide for a phone")
        self.page.set_viewport_size(DESKTOP)

    def check_axe(self, where: str) -> None:
        for one in Axe().run(self.page, options=AXE).response["violations"]:
            if one["impact"] in {"serious", "critical"}:
                places = "; ".join(node["html"][:160] for node in one["nodes"][:3])
                self.complaints.append(f"{where}: {one['id']} {one['help']}: {places}")


def open_window(context: BrowserContext, address: str) -> Looker:
    context.set_default_timeout(PATIENCE_MS)
    looker = Looker(context.new_page(), address)
    home = urlsplit(address).netloc

    def on_request(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.netloc != home:
            looker.complaints.append(f"asked outside: {request.url}")

    looker.page.on("request", on_request)
    looker.page.on("pageerror", lambda error: looker.complaints.append(f"script error: {error}"))
    looker.page.on("console", looker.note)
    looker.page.on("dialog", lambda dialog: looker.complaints.append(f"dialog: {dialog.message}"))
    return looker
