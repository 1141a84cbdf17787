"""What the pages say exists: every setting, command and route they name is there under that name."""

import json
import re
from pathlib import Path

import pytest

import retinue
from retinue.base.settings import Settings
from retinue.cli.main import COMMANDS

REPOSITORY = Path(retinue.__file__).parent.parent.parent
PAGES = sorted(
    page
    for place in ("*.md", "docs/*.md", "docs/decisions/*.md", "docs/tutorials/*.md", "deploy/**/*")
    for page in REPOSITORY.glob(place)
    if page.is_file() and page.name != "CHANGELOG.md"
)
ROUTES = json.loads((REPOSITORY / "docs" / "openapi.json").read_text())["paths"]


@pytest.fixture(params=PAGES, ids=lambda page: page.name)
def text(request: pytest.FixtureRequest) -> str:
    return str(request.param.read_text("utf-8"))


def test_every_setting_named_is_one(text: str) -> None:
    named = {name for name in re.findall(r"RETINUE_([A-Z_]+[A-Z])\b(?!_)", text) if not name.startswith("TEST_")}
    # Those of the client are read by the commands, not by the server.
    assert named - {name.upper() for name in Settings.model_fields} <= {"SERVER", "KEY"}


def test_every_command_named_is_one(text: str) -> None:
    assert set(re.findall(r"`retinue ([a-z]+)", text)) <= set(COMMANDS)


def test_every_route_named_is_one(text: str) -> None:
    shapes = {re.sub(r"\{[^}]*\}", "{}", route) for route in ROUTES}
    named = re.findall(r"(/(?:api/v1|v2)/[a-z0-9/{}_-]*[a-z0-9}])", text)
    for route in named:
        asked = re.sub(r"\{[^}]*\}", "{}", route)
        assert any(shape == asked or shape.startswith(f"{asked}/") for shape in shapes), route


def test_every_link_leads_somewhere(request: pytest.FixtureRequest, text: str) -> None:
    page: Path = request.node.callspec.params["text"]
    for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text):
        assert (page.parent / target).exists(), target
