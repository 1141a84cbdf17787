"""Signing in, staying signed in, and signing out."""

import asyncio
import statistics
import time
from datetime import timedelta
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa

from retinue import assembly
from retinue.accounts import people, sessions, signing_in
from retinue.accounts.credentials import Hasher
from retinue.accounts.guessing import Guessing
from retinue.accounts.tables import User
from retinue.base.clock import SetClock
from tests.accounts.people import PASSWORD, Person


async def refresh(http: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await http.post("/api/v1/sessions/refresh", json={"refresh_token": token})


async def me(http: httpx2.AsyncClient, signed_in: dict[str, Any]) -> int:
    answer = await http.get("/api/v1/me", headers={"Authorization": f"Bearer {signed_in['access_token']}"})
    return answer.status_code


class TestLoggingIn:
    async def test_gives_both_tokens_and_who_it_is(self, http: httpx2.AsyncClient, ada: Person) -> None:
        entered = await http.post("/api/v1/sessions", json={"email": "ada@example.com", "password": PASSWORD})
        shown = entered.json()
        assert set(shown) == {"access_token", "token_type", "expires_in", "refresh_token", "user"}
        assert (shown["token_type"], shown["expires_in"], shown["user"]["id"]) == ("bearer", 600, ada.user.id)
        assert entered.headers["Cache-Control"] == "no-store"
        assert await me(http, shown) == 200

    async def test_the_form_of_oauth_2_gives_the_same(self, http: httpx2.AsyncClient, ada: Person) -> None:
        form = {"grant_type": "password", "username": "ada@example.com", "password": PASSWORD}
        entered = await http.post("/api/v1/token", data=form)
        assert (entered.status_code, await me(http, entered.json())) == (200, 200)

    @pytest.mark.parametrize("way", ["sessions", "token"])
    async def test_nobody_learns_who_has_an_account(
        self, house: assembly.House, http: httpx2.AsyncClient, ada: Person, bob: Person, admin: Person, way: str
    ) -> None:
        await admin.patch(f"/api/v1/admin/users/{bob.user.id}", json={"active": False})
        bodies = set()
        for email, password in (
            ("ada@example.com", "wrong-horse-battery"),
            ("nobody@example.com", PASSWORD),
            ("bob@example.com", PASSWORD),
            ("not an address", PASSWORD),
            ("ada@example.com", " "),
            ("nul\x00@example.com", PASSWORD),
        ):
            if way == "token":
                refused = await http.post("/api/v1/token", data={"username": email, "password": password})
            else:
                refused = await http.post("/api/v1/sessions", json={"email": email, "password": password})
            assert refused.status_code == 401, email
            bodies.add(refused.content.replace(refused.headers["X-Request-Id"].encode(), b""))
        assert len(bodies) == 1

    async def test_a_password_longer_than_any_is_refused_before_it_is_hashed(
        self, http: httpx2.AsyncClient, ada: Person
    ) -> None:
        refused = await http.post("/api/v1/sessions", json={"email": "ada@example.com", "password": "x" * 257})
        assert refused.status_code == 422

    async def test_a_hash_of_older_parameters_is_renewed(
        self, house: assembly.House, http: httpx2.AsyncClient, ada: Person
    ) -> None:
        house.accounts.hasher = Hasher(memory_kib=16, passes=1)
        for _ in range(2):
            entered = await http.post("/api/v1/sessions", json={"email": "ada@example.com", "password": PASSWORD})
            assert entered.status_code == 200
        found = await house.database.read(lambda now: now.first(sa.select(User)))
        assert found is not None
        assert "m=16," in found.password_hash
        house.accounts.hasher.close()

    async def test_who_waits_too_long_for_a_turn_is_sent_away(self, house: assembly.House, ada: Person) -> None:
        house.accounts.hasher = Hasher(memory_kib=8, passes=1, at_once=1, patience_s=0.01)
        async with house.accounts.hasher._turn():  # the one turn there is
            refused = await ada.http.post("/api/v1/sessions", json={"email": "ada@example.com", "password": PASSWORD})
        assert (refused.status_code, refused.json()["code"]) == (429, "too-many-signing-in")
        assert int(refused.headers["Retry-After"]) >= 1
        house.accounts.hasher.close()


@pytest.mark.slow
async def test_absent_people_take_as_long_as_wrong_passwords(house: assembly.House, ada: Person) -> None:
    """With the parameters of the real house: the median of 25 pairs, in processor time, which a crowd does not stretch.

    Each pair is measured together and in alternating order, so that what the machine does meanwhile hits both alike.
    """
    house.accounts.hasher = Hasher()
    house.accounts.guessing = Guessing(house.accounts.rates, slow_s=0)
    hashed = house.accounts.hasher.choose_now(PASSWORD)
    await house.database.write(lambda now: people.set_password(now, ada.user.id, hashed, actor="test"))
    emails, ratios = ["ada@example.com", "nobody@example.com"], []
    for number in range(25):
        took_s = {email: await refused_s(house, email, address=f"2001:db8::{number}") for email in emails}
        ratios.append(took_s["ada@example.com"] / took_s["nobody@example.com"])
        emails.reverse()
    assert statistics.median(ratios) == pytest.approx(1, abs=0.1)
    house.accounts.hasher.close()


async def refused_s(house: assembly.House, email: str, *, address: str) -> float:
    """Processor time of one refusal, all threads together."""
    started = time.process_time()
    with pytest.raises(signing_in.BadCredentials):
        await signing_in.with_password(
            house.accounts, email, "wrong-horse-battery", address=address, agent="", begin=sessions.begin
        )
    return time.process_time() - started


class TestRefreshing:
    async def test_gives_a_new_pair_and_spends_the_old(self, ada: Person, clock: SetClock) -> None:
        renewed = (await refresh(ada.http, ada.refresh_token)).json()
        assert renewed["refresh_token"] != ada.refresh_token
        assert await me(ada.http, renewed) == 200
        again = (await refresh(ada.http, renewed["refresh_token"])).json()
        assert await me(ada.http, again) == 200

    async def test_a_lost_answer_is_told_again_for_ten_seconds(self, ada: Person, clock: SetClock) -> None:
        first = (await refresh(ada.http, ada.refresh_token)).json()
        clock.advance(seconds=10)
        second = (await refresh(ada.http, ada.refresh_token)).json()
        assert second["refresh_token"] == first["refresh_token"]
        assert await me(ada.http, second) == 200

    async def test_fifty_at_once_get_one_successor_and_stay_signed_in(self, ada: Person) -> None:
        answers = await asyncio.gather(*(refresh(ada.http, ada.refresh_token) for _ in range(50)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["refresh_token"] for answer in answers}) == 1
        assert await me(ada.http, answers[0].json()) == 200

    async def test_a_stolen_token_ends_the_whole_family(self, ada: Person, clock: SetClock) -> None:
        renewed = (await refresh(ada.http, ada.refresh_token)).json()
        assert await me(ada.http, renewed) == 200
        clock.advance(seconds=11)
        assert (await refresh(ada.http, ada.refresh_token)).status_code == 401
        assert await me(ada.http, renewed) == 401
        assert (await refresh(ada.http, renewed["refresh_token"])).status_code == 401

    async def test_the_grace_is_over_once_the_successor_was_used(self, ada: Person) -> None:
        renewed = (await refresh(ada.http, ada.refresh_token)).json()
        latest = (await refresh(ada.http, renewed["refresh_token"])).json()
        assert (await refresh(ada.http, ada.refresh_token)).status_code == 401
        assert await me(ada.http, latest) == 401

    async def test_the_theft_is_on_the_audit_trail(self, ada: Person, admin: Person, clock: SetClock) -> None:
        await refresh(ada.http, ada.refresh_token)
        clock.advance(seconds=11)
        await refresh(ada.http, ada.refresh_token)
        trail = (await admin.get("/api/v1/admin/audit", params={"action": "session.reuse"})).json()["items"]
        assert [deed["actor"] for deed in trail] == [ada.user.id]

    async def test_a_week_without_a_word_ends_it(self, ada: Person, clock: SetClock) -> None:
        clock.advance(days=6, hours=23)
        renewed = (await refresh(ada.http, ada.refresh_token)).json()
        clock.advance(days=7)
        assert (await refresh(ada.http, renewed["refresh_token"])).status_code == 401

    async def test_thirty_days_end_it_whatever_was_said(self, ada: Person, clock: SetClock) -> None:
        token = ada.refresh_token
        for _ in range(5):
            clock.advance(days=5, hours=23)
            token = (await refresh(ada.http, token)).json()["refresh_token"]
        clock.advance(days=1)
        assert (await refresh(ada.http, token)).status_code == 401

    async def test_all_refusals_are_the_same(self, ada: Person, bob: Person, clock: SetClock) -> None:
        await refresh(ada.http, ada.refresh_token)
        await bob.delete("/api/v1/sessions")
        clock.advance(seconds=11)
        bodies = set()
        for token in (ada.refresh_token, bob.refresh_token, "x" * 43, "", "\x00", ada.credential[:200]):
            refused = await refresh(ada.http, token)
            assert refused.status_code == 401
            bodies.add(refused.content.replace(refused.headers["X-Request-Id"].encode(), b""))
        assert len(bodies) == 1


class TestSigningOut:
    async def test_ends_every_session_at_once(self, http: httpx2.AsyncClient, ada: Person) -> None:
        other = (await http.post("/api/v1/sessions", json={"email": ada.user.email, "password": PASSWORD})).json()
        assert await me(http, other) == 200
        assert (await ada.delete("/api/v1/sessions")).status_code == 204
        assert await me(http, other) == 401
        assert (await ada.get("/api/v1/me")).status_code == 401
        assert (await refresh(http, ada.refresh_token)).status_code == 401
        assert (await refresh(http, other["refresh_token"])).status_code == 401

    async def test_or_only_this_one(self, http: httpx2.AsyncClient, ada: Person) -> None:
        other = (await http.post("/api/v1/sessions", json={"email": ada.user.email, "password": PASSWORD})).json()
        assert (await ada.delete("/api/v1/sessions?everywhere=false")).status_code == 204
        assert (await ada.get("/api/v1/me")).status_code == 401
        assert await me(http, other) == 200

    async def test_what_was_revoked_in_another_process_ends_within_fifteen_seconds(
        self, house: assembly.House, ada: Person, clock: SetClock
    ) -> None:
        assert (await ada.get("/api/v1/me")).status_code == 200
        await house.database.write(lambda now: sessions.end_all(now, ada.user.id, because="elsewhere"))
        clock.time += timedelta(seconds=15)
        assert (await ada.get("/api/v1/me")).status_code == 401


async def test_what_ended_long_ago_is_forgotten(house: assembly.House, ada: Person, clock: SetClock) -> None:
    assert await house.database.write(sessions.sweep) == 0
    await ada.delete("/api/v1/sessions")
    clock.advance(days=31)
    assert await house.database.write(sessions.sweep) == 1
    assert (await refresh(ada.http, ada.refresh_token)).status_code == 401
