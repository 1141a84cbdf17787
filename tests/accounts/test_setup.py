"""The first admin: by the code that only the machine's owner sees, or from the settings."""

import asyncio
import stat
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr

from retinue import assembly
from retinue.accounts import setup
from retinue.accounts.credentials import Hasher, WeakPassword
from retinue.base.clock import SetClock
from retinue.base.settings import Settings
from tests.accounts.people import PASSWORD, add_person


def claim(house: assembly.House, email: str = "root@example.com", **changes: str) -> dict[str, str]:
    return {"code": house.setup_code or "", "email": email, "password": PASSWORD, **changes}


class TestTheCode:
    async def test_stands_in_a_file_for_the_owner_alone_and_on_the_console(self, house: assembly.House) -> None:
        file = house.settings.data_dir / setup.FILE
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.read_text().strip() == house.setup_code
        assert any(str(house.setup_code) in line for line in assembly.greeting(house, "http://here"))

    async def test_makes_one_admin_and_is_gone(self, house: assembly.House, http: httpx2.AsyncClient) -> None:
        made = await http.post("/api/v1/setup", json=claim(house))
        assert (made.status_code, made.json()["user"]["role"]) == (201, "admin")
        headers = {"Authorization": f"Bearer {made.json()['access_token']}"}
        assert (await http.get("/api/v1/admin/users", headers=headers)).status_code == 200
        assert not (house.settings.data_dir / setup.FILE).exists()
        again = await http.post("/api/v1/setup", json=claim(house, "second@example.com"))
        assert (again.status_code, again.json()["code"]) == (409, "already-set-up")
        assembly.prepare(house)
        assert house.setup_code is None

    async def test_can_be_typed_in_small_letters(self, house: assembly.House, http: httpx2.AsyncClient) -> None:
        typed = f" {(house.setup_code or '').lower()} "
        assert (await http.post("/api/v1/setup", json=claim(house, code=typed))).status_code == 201

    async def test_another_one_makes_nobody_and_is_limited(
        self, house: assembly.House, http: httpx2.AsyncClient
    ) -> None:
        for _ in range(20):
            refused = await http.post("/api/v1/setup", json=claim(house, code="AAAA-BBBB-CCCC-DDDD"))
            assert (refused.status_code, refused.json()["code"]) == (403, "wrong-setup-code")
        assert (await http.post("/api/v1/setup", json=claim(house))).status_code == 429

    async def test_ten_at_once_make_one(self, house: assembly.House, http: httpx2.AsyncClient) -> None:
        answers = await asyncio.gather(
            *(http.post("/api/v1/setup", json=claim(house, f"{number}@example.com")) for number in range(10))
        )
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9

    async def test_a_weak_password_leaves_the_code_in_place(
        self, house: assembly.House, http: httpx2.AsyncClient
    ) -> None:
        assert (await http.post("/api/v1/setup", json=claim(house, password="password1"))).status_code == 422
        assert (await http.post("/api/v1/setup", json=claim(house))).status_code == 201

    def test_is_another_one_in_every_house(self, house: assembly.House, tmp_path: Path) -> None:
        other = assembly.open_house(Settings(data_dir=tmp_path / "other"))
        assert setup.code_of(other.secrets) != setup.code_of(house.secrets)
        other.close()


class TestUnattended:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        given = {"admin_email": "Root@Example.com", "admin_password": SecretStr(PASSWORD)}
        return settings.model_copy(update=given)

    async def test_the_admin_is_there_at_the_first_start_and_stays_one(
        self, house: assembly.House, http: httpx2.AsyncClient
    ) -> None:
        assembly.prepare(house)
        assert house.setup_code is None
        assert not (house.settings.data_dir / setup.FILE).exists()
        entered = await http.post("/api/v1/sessions", json={"email": "root@example.com", "password": PASSWORD})
        assert entered.json()["user"]["role"] == "admin"

    def test_a_weak_password_is_refused(self, settings: Settings, clock: SetClock, hasher: Hasher) -> None:
        weak = settings.model_copy(update={"admin_password": SecretStr("changeme")})
        house = assembly.open_house(weak, clock=clock, hasher=hasher)
        with pytest.raises(WeakPassword):
            assembly.prepare(house)
        house.close()

    def test_somebody_who_registered_that_address_is_not_promoted(
        self, settings: Settings, clock: SetClock, hasher: Hasher
    ) -> None:
        house = assembly.open_house(settings, clock=clock, hasher=hasher)
        squatter = add_person(house, httpx2.AsyncClient(), "root@example.com")
        assembly.prepare(house)
        assert squatter.user.role == "user"
        assert house.setup_code
        house.close()
