"""Who asks: with a key, with a password, with a session whose short token runs out while many are asking."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from retinue.client import AsyncClient, Client, NotSignedIn, profiles
from retinue.client.errors import NoServer
from retinue.client.profiles import Profile
from tests.accounts.people import PASSWORD
from tests.client.judge import Judge, Judged
from tests.client.served import Served


@pytest.fixture(autouse=True)
def _no_profile_but_our_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("RETINUE_SERVER", raising=False)
    monkeypatch.delenv("RETINUE_KEY", raising=False)


class Expired(Judged):
    """Until it is renewed, the token that everybody holds is refused."""

    is_over = False

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/refresh"):
            self.is_over = False
        elif self.is_over:
            request.headers["authorization"] = "Bearer no-longer"
        return super().handle_request(request)


class TestSessions:
    def test_a_token_that_ran_out_is_renewed_once_for_everybody(self, server: Served, judge: Judge) -> None:
        server.person("many@example.com")
        line, kept = Expired(judge), []
        with Client(server.address, transport=line, when_changed=lambda *pair: kept.append(pair)) as client:
            first = client.sessions.log_in("many@example.com", PASSWORD)
            line.is_over = True
            judge.asked.clear()
            with ThreadPoolExecutor(8) as people:
                seen = list(people.map(lambda _: client.me.get().email, range(8)))
            assert seen == ["many@example.com"] * 8
            assert judge.asked.count("refresh_session") == 1
            assert [pair[0] for pair in kept] == [first.access_token, client._sender.credential.token]
            client.sessions.log_out()
            with pytest.raises(NotSignedIn):
                client.me.get()

    async def test_with_a_password_nobody_has_to_log_in(self, server: Served) -> None:
        server.person("jo@example.com")
        async with AsyncClient(server.address, email="jo@example.com", password=PASSWORD) as client:
            assert (await client.me.get()).email == "jo@example.com"
        async with AsyncClient(server.address, email="jo@example.com", password="wrong-one-entirely") as client:
            with pytest.raises(NotSignedIn) as refusal:
                await client.me.get()
        assert refusal.value.code == "bad-credentials"


class TestWhereTo:
    def test_said_then_environment_then_profile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(NoServer, match="retinue login"):
            Client()
        profiles.keep("default", Profile("https://one.example", "key-1", "1", "ada@example.com"))
        assert profiles.where_to(None, None) == ("https://one.example", "key-1")
        assert profiles.where_to("https://one.example/", None) == ("https://one.example", "key-1")
        monkeypatch.setenv("RETINUE_SERVER", "https://two.example")
        assert profiles.where_to(None, None) == ("https://two.example", None), "a key is for its own server only"
        monkeypatch.setenv("RETINUE_KEY", "key-2")
        assert profiles.where_to(None, None) == ("https://two.example", "key-2")
        assert profiles.where_to(None, None, profile="default") == ("https://one.example", "key-1")
        assert profiles.where_to("https://three.example", "key-3") == ("https://three.example", "key-3")

    def test_kept_for_the_owners_eyes_only(self) -> None:
        file = profiles.keep("default", Profile("https://one.example", "key-1", "1", "ada@example.com"))
        assert file.stat().st_mode & 0o777 == 0o600
        profiles.forget("default")
        assert profiles.read("default") is None
