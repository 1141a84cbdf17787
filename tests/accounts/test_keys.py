"""API keys: made once, shown once, narrower than their owner, and gone when revoked."""

import re

import pytest
import sqlalchemy as sa

from retinue import assembly
from retinue.accounts import keys
from retinue.accounts.tables import Key
from retinue.base.clock import SetClock
from retinue.base.database import Database
from tests.accounts.people import Person, with_key


class TestMakingAKey:
    async def test_shows_it_once(self, ada: Person, database: Database) -> None:
        made = await ada.post("/api/v1/me/keys", json={"name": "camera at gate 3", "scopes": ["predict", "jobs:read"]})
        assert made.status_code == 201
        shown = made.json()
        assert re.fullmatch(r"rtn_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}", shown["key"])
        assert shown["scopes"] == ["jobs:read", "predict"]
        assert shown["expires_at"].startswith("2026-04-01")  # 90 days
        listed = (await ada.get("/api/v1/me/keys")).json()
        assert [key["name"] for key in listed["items"]] == ["camera at gate 3"]
        assert "key" not in listed["items"][0]
        kept = await database.read(lambda now: now.rows(sa.select(Key.__table__)))
        assert shown["key"].split("_")[2] not in str(kept)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"name": ""},
            {"scopes": []},
            {"scopes": ["everything"]},
            {"expires_at": "2025-12-31T00:00:00Z"},
            {"expires_at": "2027-01-01T00:00:00"},
            {"expires_at": "9999-12-31T23:59:59-12:00"},
            {"networks": ["10.0.0.0/99"]},
            {"owner": "somebody"},
        ],
    )
    async def test_wishes_that_make_no_sense_are_refused(self, ada: Person, wrong: dict[str, object]) -> None:
        assert (await ada.post("/api/v1/me/keys", json={"name": "key", **wrong})).status_code == 422

    async def test_twenty_are_the_most(self, ada: Person) -> None:
        for number in range(20):
            made = await ada.post("/api/v1/me/keys", json={"name": str(number)})
            assert made.status_code == 201
        refused = await ada.post("/api/v1/me/keys", json={"name": "one more"})
        assert (refused.status_code, refused.json()["code"]) == (409, "too-many-keys")
        await ada.delete(f"/api/v1/me/keys/{made.json()['id']}")
        assert (await ada.post("/api/v1/me/keys", json={"name": "one more"})).status_code == 201

    async def test_they_are_listed_a_page_at_a_time(self, ada: Person, clock: SetClock) -> None:
        for number in range(5):
            await ada.post("/api/v1/me/keys", json={"name": str(number)})
            clock.advance(seconds=number % 2)  # some are of the same moment
        names, cursor = [], None
        for _ in range(3):
            page = (
                await ada.get("/api/v1/me/keys", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
            ).json()
            names += [key["name"] for key in page["items"]]
            cursor = page["next_cursor"]
        assert sorted(names) == ["0", "1", "2", "3", "4"]
        assert cursor is None

    @pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=x", "cursor=AAAA"])
    async def test_forged_cursors_and_wild_limits_are_refused(self, ada: Person, query: str) -> None:
        assert (await ada.get(f"/api/v1/me/keys?{query}")).status_code == 422


class TestAsking:
    async def test_a_key_without_scopes_touches_the_account(self, house: assembly.House, ada: Person) -> None:
        key = with_key(house, ada)
        assert (await key.get("/api/v1/me")).json()["id"] == ada.user.id
        assert (await key.get("/api/v1/me/keys")).status_code == 200

    async def test_a_narrow_key_does_not(self, house: assembly.House, ada: Person) -> None:
        key = with_key(house, ada, scopes=["predict"])
        assert (await key.get("/api/v1/me")).status_code == 200
        for refused in (
            await key.get("/api/v1/me/keys"),
            await key.post("/api/v1/me/keys", json={"name": "wider"}),
            await key.patch("/api/v1/me", json={"name": "Eve"}),
            await key.delete("/api/v1/sessions"),
            await key.delete("/api/v1/me"),
        ):
            assert (refused.status_code, refused.json()["code"]) == (403, "key-too-narrow")

    async def test_only_a_key_made_for_it_is_an_admins(self, house: assembly.House, admin: Person) -> None:
        for scopes, status in ((None, 403), (["predict"], 403), (["admin"], 200)):
            key = with_key(house, admin, scopes=scopes)
            assert (await key.get("/api/v1/admin/users")).status_code == status

    async def test_nobody_makes_a_key_wider_than_they_are(
        self, house: assembly.House, ada: Person, admin: Person
    ) -> None:
        wish = {"name": "all", "scopes": ["admin"]}
        assert (await ada.post("/api/v1/me/keys", json=wish)).status_code == 403
        assert (await with_key(house, admin).post("/api/v1/me/keys", json=wish)).status_code == 403
        assert (await admin.post("/api/v1/me/keys", json=wish)).status_code == 201

    async def test_a_key_shrinks_with_its_owner(self, house: assembly.House, admin: Person, bob: Person) -> None:
        await admin.patch(f"/api/v1/admin/users/{bob.user.id}", json={"role": "admin"})
        bob.user.role = "admin"
        key = with_key(house, bob, scopes=["admin"])
        assert (await key.get("/api/v1/admin/users")).status_code == 200
        await admin.patch(f"/api/v1/admin/users/{bob.user.id}", json={"role": "user"})
        assert (await key.get("/api/v1/admin/users")).status_code == 403

    async def test_it_ends_when_it_is_revoked_expired_or_its_owner_disabled(
        self, house: assembly.House, ada: Person, bob: Person, admin: Person, clock: SetClock
    ) -> None:
        revoked, expired, disabled = with_key(house, ada), with_key(house, ada), with_key(house, bob)
        for key in (revoked, expired, disabled):
            assert (await key.get("/api/v1/me")).status_code == 200
        await ada.delete(f"/api/v1/me/keys/{revoked.credential.split('_')[1]}")
        await admin.patch(f"/api/v1/admin/users/{bob.user.id}", json={"active": False})
        assert (await revoked.get("/api/v1/me")).status_code == 401
        assert (await disabled.get("/api/v1/me")).status_code == 401
        assert (await expired.get("/api/v1/me")).status_code == 200
        clock.advance(days=90)
        assert (await expired.get("/api/v1/me")).status_code == 401

    async def test_one_changed_character_is_nobody(self, house: assembly.House, ada: Person) -> None:
        real = with_key(house, ada).credential
        for place in range(len(real)):
            letter = "x" if real[place] != "x" else "y"
            refused = await ada.http.get(
                "/api/v1/me", headers={"Authorization": f"Bearer {real[:place]}{letter}{real[place + 1 :]}"}
            )
            assert refused.status_code == 401

    async def test_the_right_checksum_on_a_wrong_secret_is_nobody(self, house: assembly.House, ada: Person) -> None:
        body = f"rtn_{with_key(house, ada).credential.split('_')[1]}_{'x' * 43}"
        forged = f"{body}_{keys._checksum(body)}"
        assert keys.read(forged) is not None
        assert (await ada.http.get("/api/v1/me", headers={"Authorization": f"Bearer {forged}"})).status_code == 401

    async def test_it_opens_only_from_its_networks(self, house: assembly.House, ada: Person) -> None:
        near, far = (
            with_key(house, ada, networks=["127.0.0.0/8", "::1/128"]),
            with_key(house, ada, networks=["10.0.0.0/8"]),
        )
        for _ in range(2):  # looked up, and remembered
            assert (await near.get("/api/v1/me")).status_code == 200
            assert (await far.get("/api/v1/me")).status_code == 403

    async def test_its_last_use_is_noted_once_a_minute(
        self, house: assembly.House, ada: Person, clock: SetClock
    ) -> None:
        key = with_key(house, ada)
        seen = []
        for _ in range(3):
            await key.get("/api/v1/me")
            seen.append((await ada.get("/api/v1/me/keys")).json()["items"][0]["used_at"])
            clock.advance(seconds=40)
        assert seen == ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-01T00:01:20Z"]

    async def test_the_keys_of_others_are_not_there(self, house: assembly.House, ada: Person, bob: Person) -> None:
        key_id = with_key(house, ada).credential.split("_")[1]
        assert (await bob.delete(f"/api/v1/me/keys/{key_id}")).status_code == 404
        assert (await bob.delete("/api/v1/me/keys/%00")).status_code in {404, 422}
        assert (await ada.delete(f"/api/v1/me/keys/{key_id}")).status_code == 204
        assert (await ada.delete(f"/api/v1/me/keys/{key_id}")).status_code == 404
