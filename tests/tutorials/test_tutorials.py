"""The tutorials are true: each is followed from its first block to its last, on a server of its own."""

import io
from pathlib import Path

import pytest

from retinue.client import Client
from tests.accounts.people import PASSWORD
from tests.client.served import Served
from tests.tutorials.reading import run_page

PAGES = sorted((Path(__file__).parents[2] / "docs" / "tutorials").glob("*.md"))


@pytest.mark.slow
@pytest.mark.usefixtures("_quiet", "folder")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_reader_follows_it_to_the_end(own_server: Served, monkeypatch: pytest.MonkeyPatch, page: Path) -> None:
    own_server.person("ann@example.com")
    own_server.person("root@example.com", role="admin")
    if page.stem == "clerk":
        own_server.person("carl@example.com", role="operator")
        with Client(own_server.address, email="root@example.com", password=PASSWORD) as root:
            root.admin.users.add(email="bob@example.com", password=PASSWORD, employee_number="4711")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n" * 10))
    assert run_page(page, instead={"https://retinue.example": own_server.address}) >= 2
