"""The how-to pages are true: each is followed from its first block to its last, on a server of its own.

Where a page names somebody else's service, one of that kind stands here: PostgreSQL, Valkey and S3 are real ones.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from retinue.client import Client
from tests.accounts.people import PASSWORD
from tests.client.served import Served
from tests.servers.environments import environment_of
from tests.servers.s3 import S3Server
from tests.servers.valkey import OwnValkey
from tests.tutorials.reading import run_page
from tests.webhooks.receiver import free_port_for_webhooks

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
WITH_SERVICES = {"ask-by-open-inference-protocol", "grow-to-many-machines", "receive-webhooks"}
PAGES = sorted(page for page in HOW_TO.glob("*.md") if page.stem not in {*WITH_SERVICES, "README"})

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("_quiet", "folder", "_people")]


def follow(page: str, served: Served, *, python: Path | None = None, **instead: str) -> None:
    assert run_page(HOW_TO / f"{page}.md", instead=_known(served, instead), python=python) >= 1


def _known(served: Served, instead: Mapping[str, str]) -> dict[str, str]:
    return {**instead, "https://retinue.example": served.address}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_reader_follows_it_to_the_end(own_server: Served, page: Path) -> None:
    follow(page.stem, own_server)


def test_to_real_stores(
    own_server: Served,
    postgres_url: str,
    own_valkey_server: OwnValkey,
    s3_server: S3Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, told in s3_server.environment.items():
        monkeypatch.setenv(name, told)
    instead = {
        "postgresql://retinue@db/retinue": postgres_url,
        "s3://retinue/files?endpoint=https://s3.example": s3_server.fresh_url(),
        "redis://cache/0": own_valkey_server.url,
        "redis://cache/1": re.sub(r"/0$", "/1", own_valkey_server.url),
    }
    follow("grow-to-many-machines", own_server, **instead)


def test_to_a_receiver_of_webhooks(own_server: Served) -> None:
    port = str(free_port_for_webhooks())
    follow("receive-webhooks", own_server, **{"8099": port})


def test_with_an_unmodified_tritonclient(own_server: Served) -> None:
    with Client(own_server.address, email="ann@example.com", password=PASSWORD) as ann:
        key = ann.keys.make("triton").key
    python = environment_of("oip-clients") / "python"
    follow("ask-by-open-inference-protocol", own_server, python=python, **{"rtn_…": key})


def test_the_index_names_every_page() -> None:
    assert set(re.findall(r"\]\(([\w-]+\.md)\)", (HOW_TO / "README.md").read_text("utf-8"))) == {
        page.name for page in HOW_TO.glob("*.md")
    } - {"README.md"}
