"""Pages are drawn from what the API's functions answer; those are tested on both databases, pages on one."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser as Chromium

from bench.server import ADMIN, PASSWORD, Served, serving
from retinue import assembly
from retinue.base.settings import Settings
from tests.web.pages.browsing import Browser, browse
from tests.web.pages.looking import DESKTOP, Looker, chromium, launched, open_window


@pytest.fixture
def database_url(tmp_path: Path, migrated_file: Path) -> str:
    shutil.copy(migrated_file, tmp_path / "test.db")
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Webhooks of tests stay on this machine."""
    return settings.model_copy(update={"webhook_allow": ["127.0.0.0/8"]})


@pytest.fixture
def ada(house: assembly.House, http: httpx2.AsyncClient) -> Browser:
    return browse(house, http, "ada@example.com")


@pytest.fixture
def admin(house: assembly.House, http: httpx2.AsyncClient) -> Browser:
    return browse(house, http, "root@example.com", role="admin")


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    """Closed with its module: while Playwright is open, its own event loop runs in the tests' thread."""
    if chromium() is None:
        pytest.fail("Chromium is missing. On Debian: sudo apt install chromium")
    with launched() as started:
        yield started


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, builtin_models: Path) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("site")
    shelf = folder / "data" / "models"
    shelf.mkdir(parents=True)
    (shelf / "builtin").symlink_to(builtin_models)
    with serving(folder, webhook_allow="127.0.0.0/8") as started:
        yield started


@pytest.fixture
def looker(browser: Chromium, server: Served) -> Iterator[Looker]:
    """The admin at a window; at the end the browser must have had nothing to complain about."""
    context = browser.new_context(viewport=DESKTOP, accept_downloads=True)
    looker = open_window(context, server.address)
    looker.sign_in(ADMIN, PASSWORD)
    yield looker
    context.close()
    assert looker.complaints == []
