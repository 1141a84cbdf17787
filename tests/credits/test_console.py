"""`retinue credits …` and `retinue doctor`, called as the console's process calls them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from retinue.accounts import people
from retinue.base.database import Database, Transaction
from retinue.base.errors import NotFound
from retinue.cli.credits import NotAnAmount
from retinue.cli.main import app
from retinue.credits.ledger import NotEnoughCredits
from tests.credits.people import a_user

Run = Callable[..., str]


@pytest.fixture
def kept(tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    (tmp_path / "retinue.db").write_bytes(migrated_file.read_bytes())
    monkeypatch.setenv("RETINUE_DATA_DIR", str(tmp_path))
    database = Database(f"sqlite:///{tmp_path / 'retinue.db'}")
    yield database
    database.close()


@pytest.fixture
def ada(kept: Database) -> str:
    def add(now: Transaction) -> str:
        return people.by_id(now, a_user(now, 100_00)).email

    return kept.write_now(add)


@pytest.fixture
def retinue(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str, ends_with: int = 0) -> str:
        assert app(words) == ends_with
        return capsys.readouterr().out

    return run


class TestCredits:
    def test_are_shown_in_words_and_in_json(self, retinue: Run, ada: str) -> None:
        assert retinue("credits", "show", ada) == f"{ada}: balance 100.00, held 0.00, available 100.00\n"
        shown = json.loads(retinue("credits", "show", ada.upper(), "--json"))
        assert shown == {"balance": 100.0, "held": 0.0, "available": 100.0}

    def test_are_added_and_taken_back_and_audited(self, retinue: Run, ada: str, kept: Database) -> None:
        assert "balance 112.34" in retinue("credits", "add", ada, "12.34", "--reason", "invoice 7")
        assert "balance 0.34" in retinue("credits", "add", ada, "-112")
        deeds = sa.text("SELECT actor, action FROM audit")
        assert {tuple(row) for row in kept.read_now(lambda now: now.rows(deeds))} == {("console", "credits.add")}

    def test_are_never_taken_below_nothing(self, retinue: Run, ada: str) -> None:
        with pytest.raises(NotEnoughCredits):
            retinue("credits", "add", ada, "-100.01")

    @pytest.mark.parametrize("amount", ["0", "0.001"])
    def test_have_two_places(self, retinue: Run, ada: str, amount: str) -> None:
        with pytest.raises(NotAnAmount, match="two places"):
            retinue("credits", "add", ada, amount)

    def test_belong_to_somebody(self, retinue: Run, kept: Database) -> None:
        with pytest.raises(NotFound):
            retinue("credits", "show", "nobody@example.com")

    def test_are_verified(self, retinue: Run, ada: str, kept: Database) -> None:
        assert json.loads(retinue("credits", "verify", "--json")) == {"ok": True, "violations": []}
        kept.write_now(lambda now: now.execute(sa.text("UPDATE credit_accounts SET balance = balance + 1")))
        told = retinue("credits", "verify", ends_with=1)
        assert "I2" in told
        assert "The balance is 10001, the entries make 10000" in told


class TestTheDoctor:
    def test_finds_a_healthy_house(self, retinue: Run, ada: str) -> None:
        found = json.loads(retinue("doctor", "--json"))
        assert [one["part"] for one in found] == ["settings", "database", "schema", "storage", "ledger"]
        assert all(one["ok"] for one in found)

    def test_finds_books_that_are_wrong(self, retinue: Run, ada: str, kept: Database) -> None:
        kept.write_now(lambda now: now.execute(sa.text("UPDATE credit_accounts SET balance = balance + 1")))
        lines = retinue("doctor", ends_with=1).splitlines()
        assert [line for line in lines if line.startswith("problem")] == [lines[-1]]
        assert "I1" in lines[-1]

    def test_finds_an_old_schema(self, retinue: Run, kept: Database) -> None:
        kept.write_now(lambda now: now.execute(sa.text("UPDATE alembic_version SET version_num = '0001_accounts'")))
        assert "run `retinue migrate`" in retinue("doctor", ends_with=1)

    def test_finds_a_setting_that_cannot_be(
        self, retinue: Run, kept: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RETINUE_WELCOME_CREDITS", "-1")
        assert "RETINUE_WELCOME_CREDITS" in retinue("doctor", ends_with=1)

    def test_finds_a_database_that_is_gone(self, retinue: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("RETINUE_DATA_DIR", str(tmp_path))
        monkeypatch.setenv("RETINUE_DATABASE_URL", f"postgresql://nobody@/nothing?host={tmp_path}")
        lines = retinue("doctor", ends_with=1).splitlines()
        assert lines[1].startswith("problem  database")

    def test_knows_a_house_that_was_never_opened(
        self, retinue: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("RETINUE_DATA_DIR", str(tmp_path / "new"))
        assert "not made yet" in retinue("doctor")
