"""What kill -9 and cut connections leave of a live request: nothing half, nothing twice. Real processes and signals."""

import asyncio
import contextlib
import http.client
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.client import request_of
from bench.server import Served, serving
from retinue import assembly
from retinue.accounts import people
from retinue.base.clock import SetClock
from retinue.base.settings import Settings
from retinue.credits import ledger, sweeping
from retinue.credits.verifying import verify
from tests.pictures import drawn

PATH = "/api/v1/predict?cache=false"


@pytest.fixture
def folder(tmp_path: Path, builtin_models: Path) -> Path:
    shelf = tmp_path / "data" / "models"
    shelf.mkdir(parents=True)
    (shelf / "builtin").symlink_to(builtin_models)
    return tmp_path


def send(server: Served, token: str, key: str, picture: bytes) -> int:
    """The status, or 0 where the connection died."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "image/jpeg", "Idempotency-Key": key}
    try:
        connection.request("POST", PATH, picture, headers)
        return connection.getresponse().status
    except (ConnectionError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


@contextlib.contextmanager
def looking_later(folder: Path, database_url: str = "", *, minutes: float = 0) -> Iterator[assembly.House]:
    """The house that the dead server left, opened by somebody whose clock is ahead."""
    clock = SetClock(datetime.now(UTC) + timedelta(minutes=minutes))
    house = assembly.open_house(Settings(data_dir=folder / "data", database_url=database_url), clock=clock)
    try:
        yield house
    finally:
        house.close()


class TestKilled:
    @pytest.mark.parametrize(
        ("at", "is_remembered"),
        [
            pytest.param("after_live_hold", False, marks=pytest.mark.slow),
            ("before_live_charge", False),
            pytest.param("in_live_charge", False, marks=pytest.mark.slow),
            ("after_live_charge", True),
        ],
    )
    async def test_a_request_is_whole_or_has_not_happened(self, folder: Path, at: str, is_remembered: bool) -> None:
        await self.kill(folder, at=at, is_remembered=is_remembered)

    @pytest.mark.slow
    @pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
    @pytest.mark.parametrize(
        ("at", "is_remembered"),
        [
            ("after_live_hold", False),
            ("before_live_charge", False),
            ("in_live_charge", False),
            ("after_live_charge", True),
        ],
    )
    async def test_on_postgresql_too(self, folder: Path, database_url: str, at: str, is_remembered: bool) -> None:
        await self.kill(folder, database_url, at=at, is_remembered=is_remembered)

    async def kill(self, folder: Path, database_url: str = "", *, at: str, is_remembered: bool) -> None:
        with serving(folder, database_url=database_url) as server:
            token = server.rich_person("ada")
        with serving(folder, database_url=database_url, failpoints=f"{at}=kill") as server:
            assert send(server, token, "once", drawn(1)) == 0
            server.process.wait(60)
        with looking_later(folder, database_url) as house:
            assert house.database.read_now(lambda now: verify(now, more=assembly.LEDGER_CHECKS.more)) == []
        with serving(folder, database_url=database_url) as server:
            balance = server.ask("GET", "/api/v1/me/credits", token=token)
            assert balance["balance"] == 1_000_100 - (2.75 if is_remembered else 0)
            total = server.ask("GET", "/api/v1/predictions", token=token)["total"]
            assert total == int(is_remembered)
            assert send(server, token, "once", drawn(1)) == (200 if is_remembered else 409)
        with looking_later(folder, database_url, minutes=2) as house:
            await sweeping.sweep(house.database)
            ada = house.database.read_now(lambda now: people.by_email(now, "ada@bench.example"))
            assert ada is not None
            assert house.database.read_now(lambda now: ledger.balance(now, ada.id)).held == 0
            assert house.database.read_now(lambda now: verify(now, more=assembly.LEDGER_CHECKS.more)) == []


class TestCutConnections:
    async def test_each_key_counts_once(self, folder: Path) -> None:
        await self.try_keys(folder, keys=12)

    @pytest.mark.slow
    async def test_two_hundred_keys_count_once(self, folder: Path) -> None:
        await self.try_keys(folder, keys=200)

    async def try_keys(self, folder: Path, *, keys: int) -> None:
        chance = random.Random(7)
        with serving(folder, rate_limit="1000000", rate_burst="100000") as server:
            token = await asyncio.to_thread(server.rich_person, "ada")
            await asyncio.gather(
                *(
                    self.send_cut(server, token, key, chance.random() if copy % 2 else 1.0)
                    for key in range(keys)
                    for copy in range(5)
                )
            )
            for key in range(keys):
                await self.until_answered(server, token, key)
            told = await asyncio.to_thread(server.ask, "GET", "/api/v1/predictions?limit=200", token=token)
            balance = await asyncio.to_thread(server.ask, "GET", "/api/v1/me/credits", token=token)
        assert told["total"] == keys
        assert balance["balance"] == 1_000_100 - 2.75 * keys
        assert balance["held"] == 0

    async def send_cut(self, server: Served, token: str, key: int, share: float) -> None:
        """Sends that share of the request, or all of it, and goes without waiting for the rest of the answer."""
        request = request_of(PATH, drawn(key), token=token, port=server.port)
        request = request.replace(b"Content-Type", f"Idempotency-Key: key-{key}\r\nContent-Type".encode(), 1)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(request[: int(len(request) * share)])
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await writer.drain()
            if share == 1.0:
                await reader.readexactly(random.Random(key).randrange(400))
        writer.close()

    async def until_answered(self, server: Served, token: str, key: int) -> None:
        deadline = asyncio.get_running_loop().time() + 240
        while await asyncio.to_thread(send, server, token, f"key-{key}", drawn(key)) != 200:
            assert asyncio.get_running_loop().time() < deadline, f"key {key} was never answered"
            await asyncio.sleep(0.05)
