"""What the pages say exists: settings, commands and their options, routes, errors, links; their blocks can be read."""

import json
import re
import shlex
import subprocess
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

import retinue
from retinue.base.settings import Settings
from retinue.cli.main import COMMANDS, app

REPOSITORY = Path(retinue.__file__).parent.parent.parent
PAGES = sorted(
    page
    for place in ("*.md", "docs/*.md", "docs/*/*.md", "deploy/**/*")
    for page in REPOSITORY.glob(place)
    if page.is_file() and page.name != "CHANGELOG.md"
)
ROUTES = json.loads((REPOSITORY / "docs" / "openapi.json").read_text())["paths"]
ERRORS = set(re.findall(r"^\| `([a-z-]+)`", (REPOSITORY / "docs/reference/errors.md").read_text("utf-8"), re.MULTILINE))
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FIRST_OF_A_COMMAND = re.compile(r"[()|&;<>\n]+|\w+=.*|\$|do|then")


@pytest.fixture(params=PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def page(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


@pytest.fixture
def text(page: Path) -> str:
    return page.read_text("utf-8")


def test_every_setting_named_is_one(text: str) -> None:
    named = {name for name in re.findall(r"RETINUE_([A-Z_]+[A-Z])\b(?!_)", text) if not name.startswith("TEST_")}
    # Those of the client are read by the commands, not by the server.
    assert named - {name.upper() for name in Settings.model_fields} <= {"SERVER", "KEY"}


def test_every_command_named_is_one(text: str) -> None:
    assert set(re.findall(r"`retinue ([a-z]+)", text)) <= set(COMMANDS)


def test_every_route_named_is_one(text: str) -> None:
    shapes = [re.compile(re.sub(r"\{[^}]*\}", "[^/]+", route) + "$") for route in ROUTES]
    beginnings = {re.sub(r"\{[^}]*\}", "{}", route) for route in ROUTES}
    named = re.findall(r"(/(?:api/v1|v2)/[a-z0-9/{}_-]*[a-z0-9}])", text)
    for route in named:
        asked = re.sub(r"\{[^}]*\}", "{}", route) + "/"
        is_known = any(shape.match(route) for shape in shapes)
        assert is_known or any(beginning.startswith(asked) for beginning in beginnings), route


def test_every_error_named_is_one(text: str) -> None:
    assert set(re.findall(r"\b[45]\d\d `([a-z-]+)`", text)) <= ERRORS


def test_every_link_leads_somewhere(page: Path, text: str) -> None:
    for target, anchor in LINK.findall(text):
        place = page.parent / target if target else page
        assert place.exists(), target
        if anchor:
            assert anchor in anchors_of(place.read_text("utf-8")), f"{target}#{anchor}"


def anchors_of(text: str) -> set[str]:
    """As GitHub makes them of headings."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#+ (.+)$", BLOCK.sub("", text), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


READERS: dict[str, Callable[[str], object]] = {
    "python": lambda text: compile(text, "page", "exec"),
    "json": json.loads,
    "yaml": yaml.safe_load,
    "toml": tomllib.loads,
}


def test_every_block_can_be_read(text: str) -> None:
    """By what it is written for. Caddy's and nginx's own programs are not at hand: their brackets are counted."""
    for language, block in BLOCK.findall(text):
        if reader := READERS.get(language):
            reader(block)
        elif language in ("sh", "bash"):
            done = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True, check=False)
            assert done.returncode == 0, (block, done.stderr)
        elif language in ("caddy", "nginx"):
            assert block.count("{") == block.count("}")
            ends = {line.rstrip()[-1] for line in block.splitlines() if line.strip()}
            assert language == "caddy" or ends <= {"{", "}", ";"}, block
        else:
            assert language in {"text", "ini", "mermaid"}, f"nobody checks {language}"


def test_every_command_of_a_block_has_these_options(text: str) -> None:
    for language, block in BLOCK.findall(text):
        if language in ("sh", "bash"):
            for words in commands_of_ours(block):
                app.parse_args(words, exit_on_error=False, print_error=False)


def commands_of_ours(block: str) -> Iterator[list[str]]:
    """What stands behind `retinue` where the shell takes a command, or where one of ours follows."""
    for line in block.replace("\\\n", " ").splitlines():
        shell = shlex.shlex(line, posix=True, punctuation_chars=True)
        shell.whitespace_split = True
        words = list(shell)
        for place, word in enumerate(words):
            if not re.fullmatch(r"(.*/bin/)?retinue", word):
                continue
            told = []
            for following in words[place + 1 :]:
                if re.fullmatch(r"[()|&;<>]+", following):
                    break
                told.append(following)
            is_command = place == 0 or FIRST_OF_A_COMMAND.fullmatch(words[place - 1])
            if is_command or (told and told[0] in COMMANDS):
                yield told


def test_the_figures_of_the_readme_are_those_of_the_page() -> None:
    """`python -m bench --page` writes both."""
    told = (REPOSITORY / "README.md").read_text("utf-8").partition("<!-- figures -->")[2].partition("<!-- /figures -->")
    rows = [row.split(" | ")[1:3] for row in told[0].splitlines()[3:]]
    page = (REPOSITORY / "docs" / "performance.md").read_text("utf-8")
    assert [row for row in rows if f"| {row[0]} | {row[1]} |" not in page] == []
    assert len(rows) >= 5
