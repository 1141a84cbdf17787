"""A stranger's guesses get slow; the person whose account it is gets in."""

import asyncio

import httpx2
import pytest

from retinue import assembly
from retinue.accounts.guessing import Guessing, TooManyGuesses
from retinue.accounts.rates import Rates
from tests.accounts.people import PASSWORD, Person


@pytest.fixture
def from_elsewhere(http: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """The same application, asked from another address."""
    app = http._transport.app  # type: ignore[attr-defined]
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app, client=("192.0.2.7", 1)), base_url="http://127.0.0.1:8000"
    )


async def log_in(http: httpx2.AsyncClient, email: str, password: str) -> httpx2.Response:
    return await http.post("/api/v1/sessions", json={"email": email, "password": password})


class TestGuessing:
    @pytest.mark.parametrize("email", ["ada@example.com", "nobody@example.com"])
    async def test_five_are_free_then_it_waits(self, http: httpx2.AsyncClient, ada: Person, email: str) -> None:
        answers = [await log_in(http, email, f"guess number {number}") for number in range(6)]
        assert [answer.status_code for answer in answers] == [401] * 5 + [429]
        assert answers[5].json()["code"] == "too-many-guesses"
        assert int(answers[5].headers["Retry-After"]) >= 1

    async def test_the_right_password_from_another_address_is_not_held_up(
        self, http: httpx2.AsyncClient, from_elsewhere: httpx2.AsyncClient, ada: Person
    ) -> None:
        for number in range(98):
            await log_in(http, "ada@example.com", f"guess number {number}")
        assert (await log_in(http, "ada@example.com", PASSWORD)).status_code == 429
        async with asyncio.timeout(60):
            assert (await log_in(from_elsewhere, "ada@example.com", PASSWORD)).status_code == 200

    async def test_success_forgives_what_was_mistyped(self, http: httpx2.AsyncClient, ada: Person) -> None:
        for _ in range(3):
            for number in range(4):
                assert (await log_in(http, "ada@example.com", f"typo {number}")).status_code == 401
            assert (await log_in(http, "ada@example.com", PASSWORD)).status_code == 200

    async def test_one_address_may_try_a_hundred_times_an_hour(self, http: httpx2.AsyncClient) -> None:
        statuses = [(await log_in(http, f"{number}@example.com", "guess")).status_code for number in range(101)]
        assert statuses == [401] * 100 + [429]


class TestWaiting:
    async def test_doubles_up_to_a_quarter_of_an_hour(self) -> None:
        rates, waits = Rates(), []
        guessing = Guessing(rates)
        for _ in range(18):
            try:
                await guessing.admit("ada", "192.0.2.1", is_known_address=False)
                waits.append(0)
            except TooManyGuesses as refused:
                waits.append(round(refused.retry_after_s))
                await _wait_is_over(rates)
                await guessing.admit("ada", "192.0.2.1", is_known_address=False)
        assert waits == [0] * 5 + [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]

    async def test_an_account_under_attack_is_slow_for_strangers_only(self) -> None:
        guessing = Guessing(Rates(), slow_s=3600)
        for _ in range(50):
            await guessing.failed("ada")
        async with asyncio.timeout(60):
            await guessing.admit("ada", "192.0.2.1", is_known_address=True)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await guessing.admit("ada", "192.0.2.2", is_known_address=False)


async def test_asking_and_guessing_are_known_devices(house: assembly.House, ada: Person) -> None:
    from retinue.accounts import sessions

    def known(address: str) -> bool:
        return house.database.read_now(lambda now: sessions.is_known_address(now, ada.user.id, address))

    assert known("127.0.0.1")
    assert not known("192.0.2.7")


async def _wait_is_over(rates: Rates) -> None:
    """As if the time had passed."""
    storage = rates._near.storage
    for key in [key for key in storage.storage if "guess:wait" in key]:  # type: ignore[attr-defined]
        await rates.forget(key)
