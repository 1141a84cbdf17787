"""docs/clients.md is true: its blocks are run in their order against a real server, and print what they say."""

import contextlib
import io
import logging
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from retinue.cli.main import app
from tests.accounts.people import PASSWORD
from tests.client.served import Served
from tests.corpus.archives import zipped
from tests.pictures import drawn, photograph

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"
BLOCK = re.compile(r"^```(python|bash)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, builtin_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the page talks about lies here."""
    (tmp_path / "photos").mkdir()
    for name, data in [
        ("coffee.jpg", photograph("coffee")),
        ("cat.jpg", photograph("chelsea")),
        ("bench.jpg", drawn(5, width=320, height=320)),
        ("photos/a.jpg", drawn(1)),
        ("photos/b.jpg", drawn(2)),
        ("more.zip", zipped(("c.jpg", drawn(3)))),
    ]:
        (tmp_path / name).write_bytes(data)
    shelf = tmp_path / "here" / "models"
    shelf.mkdir(parents=True)
    (shelf / "builtin").symlink_to(builtin_models)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RETINUE_DATA_DIR", str(tmp_path / "here"))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    for name in ("RETINUE_SERVER", "RETINUE_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def _quiet() -> Iterator[None]:
    """The server lives in this process, and would print its log among the answers."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("_quiet", "folder")
def test_every_block_runs_and_prints_what_it_says(own_server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    own_server.person("ann@example.com", hundredths=0)
    own_server.person("root@example.com", role="admin")
    monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD + "\n"))
    names: dict[str, object] = {}
    blocks = BLOCK.findall(PAGE.read_text("utf-8").replace("https://retinue.example", own_server.address))
    assert len(blocks) >= 10
    for language, text in blocks:
        if language == "python":
            assert printed_by(text, names) == re.findall(r"print\(.*\)  # (.*)$", text, re.MULTILINE)
            continue
        for line in text.splitlines():
            words = shlex.split(line, comments=True)
            said = re.search(r"# exit code (\d)", line)
            with contextlib.redirect_stdout(io.StringIO()) as out:
                code = app(words[1:], exit_on_error=False)
            assert (words[0], code) == ("retinue", int(said[1]) if said else 0), (line, out.getvalue())


def printed_by(text: str, names: dict[str, object]) -> list[str]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(text, str(PAGE), "exec"), names)
    return out.getvalue().splitlines()
