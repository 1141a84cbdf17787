"""What clerks and admins do from the command line over a server: kits handed out, people, credits and models."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from retinue.accounts import access
from retinue.cli.main import app
from retinue.client import Client, profiles
from retinue.client.account import SCOPES
from retinue.client.errors import Conflict, Forbidden, NotFound
from retinue.client.toolkits import Kit
from tests.accounts.people import PASSWORD
from tests.client.served import Served
from tests.corpus.model_graphs import classifier
from tests.pictures import drawn

Told = pytest.CaptureFixture[str]


def run(*words: object) -> int:
    code: int = app([str(word) for word in words], exit_on_error=False)
    return code


@pytest.fixture(autouse=True)
def _nobody_signed_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    # The server lives in this process, and would print its log among what commands print.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("RETINUE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("RETINUE_SERVER", raising=False)
    monkeypatch.delenv("RETINUE_KEY", raising=False)
    yield
    structlog.reset_defaults()


@pytest.fixture
def root(server: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The words that send a command to the server as its admin."""
    email = f"root-of-{tmp_path.name}@example.com"
    server.person(email, role="admin")
    monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD + "\n"))
    assert run("login", "--server", server.address, "--email", email, "--profile", "root", "--admin") == 0
    return ["--profile", "root"]


class TestKits:
    @pytest.fixture
    def kit(self, server: Served, new_key: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> Kit:
        monkeypatch.setenv("RETINUE_SERVER", server.address)
        monkeypatch.setenv("RETINUE_KEY", new_key(role="admin"))
        with Client() as client:
            tools = [client.tools.add(name).id for name in ("Hammer", "Saw")]
            return client.kits.add(f"Kit {tools[0]}", items=tools)

    def test_one_goes_out_with_everything_and_comes_back_without_a_tool(self, kit: Kit, capsys: Told) -> None:
        assert run("kit", "issue", kit.name, "--due", "2100-01-01T08:00:00", "--signed-by", "Ann") == 0
        issued = capsys.readouterr().out.strip()
        assert run("kit", "loans", "--kit", kit.name, "--out", "--json") == 0
        (told,) = json.loads(capsys.readouterr().out)
        assert (told["id"], told["status"], told["open"], told["signed_by"]) == (issued, "complete", True, ["Ann"])
        assert run("kit", "return", kit.id, "--missing", "Saw", "--reason", "broken", "--place", "gate 3") == 1
        returned = capsys.readouterr()
        assert "missing Saw" in returned.err
        with Client() as client:
            loan = client.loans.get(returned.out.strip())
            assert (loan.type, loan.issue_id, loan.reason, loan.place) == ("return", issued, "broken", "gate 3")
            assert not client.kits.get(kit.id).out

    def test_from_a_picture_that_a_person_corrects(self, kit: Kit, tmp_path: Path, capsys: Told) -> None:
        with Client() as client:
            client.kits.change(kit.id, model="toolbox")
        (tmp_path / "empty.jpg").write_bytes(drawn(1))
        words = ["kit", "issue", kit.name, "empty.jpg", "--present", "Hammer", "--present", "Saw", "--json"]
        assert run(*words) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["status"], told["prediction_id"] is not None) == ("overridden", True)

    def test_refused_it_stays_where_it_is(self, kit: Kit, capsys: Told) -> None:
        assert run("kit", "issue", kit.name, "--refuse", "--reason", "no training") == 1
        assert "refused" in capsys.readouterr().err
        with Client() as client:
            assert not client.kits.get(kit.id).out

    def test_a_tool_of_another_kit_is_no_tool_of_this_one(self, kit: Kit) -> None:
        with pytest.raises(Exception, match="it has Hammer, Saw"):
            run("kit", "issue", kit.name, "--missing", "Drill")

    def test_what_is_out_cannot_go_out_again(self, kit: Kit) -> None:
        assert run("kit", "issue", kit.name) == 0
        with pytest.raises(Conflict):
            run("kit", "issue", kit.name)


class TestPeople:
    def test_one_is_added_changed_and_shut_out_on_a_server(
        self, server: Served, root: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Told
    ) -> None:
        email = "clerk@crib.example.com"
        monkeypatch.setattr("sys.stdin", io.StringIO("marmalade-tractor-9\n"))
        assert run("user", "add", email, "--name", "Cleo", "--employee-number", "C-1", *root) == 0
        user_id = capsys.readouterr().out.strip()
        assert run("user", "role", email, "operator", *root) == 0
        assert run("user", "list", "--role", "operator", "--json", *root) == 0
        told = {one["email"]: one for one in json.loads(capsys.readouterr().out)}[email]
        assert (told["id"], told["name"], told["employee_number"]) == (user_id, "Cleo", "C-1")
        monkeypatch.setattr("sys.stdin", io.StringIO("another-tractor-10\n"))
        assert run("user", "password", email, *root) == 0
        with Client(server.address, email=email, password="another-tractor-10") as clerk:
            assert clerk.me.get().role == "operator"
        assert run("user", "disable", email, *root) == 0
        assert run("user", "list", *root) == 0
        assert "disabled" in capsys.readouterr().out
        assert run("user", "enable", email, *root) == 0

    def test_without_a_name_for_it_no_server_is_asked_even_by_somebody_signed_in(
        self, root: list[str], builtin_models: Path, tmp_path: Path, capsys: Told
    ) -> None:
        (tmp_path / "data" / "models").mkdir(parents=True)
        (tmp_path / "data" / "models" / "builtin").symlink_to(builtin_models)
        assert run("user", "list", "--json") == 0
        assert json.loads(capsys.readouterr().out) == []

    def test_a_key_that_was_not_made_for_it_may_not(self, server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
        server.person("narrow@example.com", role="admin")
        monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD + "\n"))
        assert run("login", "--server", server.address, "--email", "narrow@example.com") == 0
        with pytest.raises(Forbidden):
            run("user", "list", "--profile", profiles.USUAL)

    def test_keys_are_made_for_what_the_server_knows(self) -> None:
        assert SCOPES == access.SCOPES


class TestCredits:
    def test_shown_added_and_verified_on_a_server(self, server: Served, root: list[str], capsys: Told) -> None:
        server.person("spender@example.com", hundredths=0)
        assert run("credits", "show", "spender@example.com", *root) == 0
        assert "available 100.00" in capsys.readouterr().out
        assert run("credits", "add", "spender@example.com", "12.34", "--reason", "trial", "--json", *root) == 0
        assert json.loads(capsys.readouterr().out)["available"] == 112.34
        assert run("credits", "verify", "--json", *root) == 0
        assert json.loads(capsys.readouterr().out) == {"ok": True, "violations": []}

    @pytest.mark.parametrize("amount", ["0", "1.234"])
    def test_what_is_no_amount_is_refused_before_anybody_is_asked(self, amount: str) -> None:
        with pytest.raises(Exception, match="at most two places"):
            run("credits", "add", "spender@example.com", amount)


class TestModels:
    @pytest.mark.slow
    def test_added_twice_switched_and_retired_on_a_server(self, root: list[str], tmp_path: Path, capsys: Told) -> None:
        (tmp_path / "shapes.onnx").write_bytes(classifier().SerializeToString())
        add = ["model", "add", "shapes.onnx", "--name", "shapes-from-afar", *root]
        assert run(*add, "--json") == 0
        assert json.loads(capsys.readouterr().out)["version"] == "1"
        assert run(*add) == 0
        assert "retinue model activate shapes-from-afar 2" in capsys.readouterr().out
        assert run("model", "activate", "shapes-from-afar", "2", "--reason", "newer", *root) == 0
        assert run("model", "retire", "shapes-from-afar", "1", *root) == 0
        assert run("model", "show", "shapes-from-afar", "--json", *root) == 0
        states = {one["version"]: one["state"] for one in json.loads(capsys.readouterr().out)}
        assert states == {"2": "active", "1": "retired"}

    def test_one_that_is_not_there(self, root: list[str]) -> None:
        with pytest.raises(NotFound):
            run("model", "show", "nobody", *root)
