"""`retinue user …` on the machine itself: once as a process of its own, otherwise called as that process calls it."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from retinue.base.errors import RetinueError
from retinue.cli.main import app
from tests.accounts.people import PASSWORD


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "retinue.db").write_bytes(migrated_file.read_bytes())
    monkeypatch.setenv("RETINUE_DATA_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def retinue(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    def run(*words: str, typed: str = "") -> str:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        assert app(["user", *words]) == 0
        return capsys.readouterr().out

    return run


def test_as_a_process_it_says_what_was_wrong_and_fails(data_folder: Path) -> None:
    command = [Path(sys.executable).with_name("retinue"), "user", "add", "ada@example.com"]
    refused = subprocess.run(command, input="password1\n", capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "too easy to guess" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_person_is_added_promoted_disabled_and_listed(retinue, data_folder: Path) -> None:  # type: ignore[no-untyped-def]
    (data_folder / "setup-code").write_text("left over")
    ada = retinue("add", "Ada@example.com", "--name", "Ada", "--role", "admin", typed=PASSWORD + "\n").strip()
    bob = retinue("add", "bob@example.com", typed=PASSWORD + "\n").strip()
    assert not (data_folder / "setup-code").exists()
    with pytest.raises(RetinueError, match="somebody else"):
        retinue("disable", "ada@example.com")
    retinue("role", "bob@example.com", "operator")
    retinue("disable", "bob@example.com")
    listed = json.loads(retinue("list", "--json"))
    assert [(one["id"], one["role"], one["active"]) for one in listed] == [
        (ada, "admin", True),
        (bob, "operator", False),
    ]
    retinue("enable", "bob@example.com")
    assert "disabled" not in retinue("list")


@pytest.mark.parametrize(
    ("words", "typed", "sentence"),
    [
        (("add", "nobody"), "", "is not an e-mail address"),
        (("role", "nobody@example.com", "admin"), "", "no user nobody@example.com"),
        (("password", "nobody@example.com"), PASSWORD, "no user nobody@example.com"),
        (("add", "ada@example.com"), "", "8 to 256 characters"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(retinue, words, typed, sentence) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(RetinueError, match=sentence):
        retinue(*words, typed=typed)
