"""Where a setting comes from, and what is shown of it."""

from pathlib import Path

import pytest

from retinue.base.secrets import SecretExposed, open_secrets
from retinue.base.settings import BadSettings, Settings, describe, read_settings


@pytest.fixture(autouse=True)
def _nothing_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


class TestOrigins:
    def test_the_command_line_wins_over_the_environment_over_a_file(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "retinue.toml").write_text("port = 1\nhost = '1.1.1.1'\nrate_limit = 5\n")
        monkeypatch.setenv("RETINUE_PORT", "2")
        monkeypatch.setenv("RETINUE_HOST", "2.2.2.2")
        settings = read_settings(port=3)
        assert (settings.port, settings.host, settings.rate_limit) == (3, "2.2.2.2", 5)
        origins = {line.name: line.origin for line in describe(settings)}
        assert origins["RETINUE_HOST"] == "environment"
        assert origins["RETINUE_RATE_LIMIT"] == "retinue.toml"
        assert origins["RETINUE_REGISTRATION"] == "default"

    def test_a_secret_may_lie_in_a_file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("s" * 40 + "\n")
        monkeypatch.setenv("RETINUE_SECRET_KEY_FILE", str(tmp_path / "secret"))
        secret = read_settings().secret_key
        assert secret is not None
        assert secret.get_secret_value() == "s" * 40

    @pytest.mark.parametrize(
        ("name", "told"),
        [
            ("eye_url", ["http://127.0.0.1:8100", "http://127.0.0.1:8101"]),
            ("allowed_hosts", ["retinue.example", "localhost"]),
            ("cors_origins", ["https://a.example", "https://b.example"]),
            ("trusted_proxies", ["10.0.0.0/8", "192.168.0.0/16"]),
            ("webhook_allow", ["10.0.0.0/8"]),
        ],
    )
    def test_several_are_told_with_commas(self, monkeypatch: pytest.MonkeyPatch, name: str, told: list[str]) -> None:
        monkeypatch.setenv(f"RETINUE_{name.upper()}", ", ".join(told))
        assert getattr(read_settings(), name) == told

    def test_no_list_is_left_out_above(self) -> None:
        lists = {name for name, field in Settings.model_fields.items() if field.annotation == list[str]}
        assert lists == {"eye_url", "allowed_hosts", "cors_origins", "trusted_proxies", "webhook_allow"}

    def test_a_wrong_value_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RETINUE_PORT", "eighty")
        with pytest.raises(BadSettings, match="RETINUE_PORT"):
            read_settings()

    @pytest.mark.parametrize(
        ("name", "value"),
        [("SECRET_KEY", "short"), ("REGISTRATION", "maybe"), ("TRUSTED_PROXIES", "everybody"), ("PORT", "70000")],
    )
    def test_unsafe_values_are_refused(self, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
        monkeypatch.setenv(f"RETINUE_{name}", value)
        with pytest.raises(BadSettings, match=name):
            read_settings()


class TestShowing:
    def test_every_setting_has_words(self) -> None:
        assert [name for name, field in Settings.model_fields.items() if not field.description] == []

    def test_secrets_are_masked(self) -> None:
        settings = read_settings(
            secret_key="k" * 40, admin_password="canary-1", database_url="postgresql://me:canary-2@db/retinue"
        )
        shown = "".join(line.value for line in describe(settings)) + repr(settings.admin_password)
        assert "canary" not in shown
        assert "kkkk" not in shown
        assert "postgresql://me:***@db/retinue" in shown


class TestTheInstallsSecret:
    def test_it_is_made_once_and_for_the_owner_only(self, tmp_path: Path) -> None:
        first = open_secrets(tmp_path, None)
        assert (tmp_path / "secret.key").stat().st_mode & 0o077 == 0
        assert open_secrets(tmp_path, None).key("a") == first.key("a")
        assert first.key("a") != first.key("b")
        assert len(list(tmp_path.iterdir())) == 1

    def test_two_installs_differ(self, tmp_path: Path) -> None:
        assert open_secrets(tmp_path / "a", None).key("x") != open_secrets(tmp_path / "b", None).key("x")

    def test_one_that_others_can_read_is_refused(self, tmp_path: Path) -> None:
        open_secrets(tmp_path, None)
        (tmp_path / "secret.key").chmod(0o644)
        with pytest.raises(SecretExposed):
            open_secrets(tmp_path, None)
