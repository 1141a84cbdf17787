"""A real server that dies by SIGKILL while files are taken in: afterwards there is all of it or nothing."""

import os
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
import sqlalchemy as sa

from retinue import assembly
from retinue.accounts.credentials import Hasher
from retinue.base.clock import SetClock, SystemClock
from retinue.base.settings import Settings
from retinue.credits import ledger
from retinue.datasets.tables import Item
from retinue.media import uploads
from retinue.media.sweeping import sweep
from tests.accounts.people import Person, add_person
from tests.corpus.archives import zipped
from tests.corpus.videos import film
from tests.datasets.sending import books, credits_of, items_of, make, send, stored_keys
from tests.pictures import drawn, mask
from tests.servers.processes import kill, start_on_leash, wait_until

KEY = {"Idempotency-Key": "push-1"}
MANY = zipped(*((f"{seed:02}.jpg", drawn(seed)) for seed in range(20)))
KINDS: dict[str, tuple[str, bytes, bytes | None, int, float]] = {
    "picture": ("a.jpg", drawn(1), None, 1, 0.65),
    "pair": ("a.jpg", drawn(1), mask(64, 48), 1, 0.65),
    "video": ("a.mp4", film(), None, 1, 0.80),
    "archive": ("a.zip", MANY, None, 20, 14.0),
}


@dataclass
class Place:
    """Where a server keeps everything, and who may ask it."""

    settings: Settings
    person: Person
    folder: Path

    @contextmanager
    def serving(self, failpoints: str = "") -> Iterator[str]:
        """The address of a server that ends with this; it may have died before."""
        log = self.folder / "server.log"
        log.write_bytes(b"")
        process = start_on_leash(
            [sys.executable, "-m", "retinue.cli.main", "up", "--port", "0"],
            folder=self.folder,
            log=log,
            environment={
                **{name: value for name, value in os.environ.items() if not name.startswith("RETINUE_")},
                "RETINUE_DATA_DIR": str(self.settings.data_dir),
                "RETINUE_DATABASE_URL": self.settings.database_url,
                "RETINUE_FAILPOINTS": failpoints,
                "RETINUE_LOG_LEVEL": "warning",
                "COLUMNS": "200",
            },
        )
        try:
            wait_until(lambda: "serves on" in log.read_text(), process=process, log=log, name="server", patience_s=240)
            found = re.search(r"serves on (http://\S+)", log.read_text())
            assert found is not None
            yield found[1]
        finally:
            kill(process)

    @contextmanager
    def house(self) -> Iterator[assembly.House]:
        """What the dead server left, a day and an hour later."""
        later = SetClock(SystemClock().now() + timedelta(hours=25))
        house = assembly.open_house(self.settings, clock=later, hasher=Hasher(memory_kib=8, passes=1))
        yield house
        house.close()


@pytest.fixture
def place(settings: Settings, tmp_path: Path) -> Place:
    house = assembly.open_house(settings, hasher=Hasher(memory_kib=8, passes=1))
    assembly.prepare(house)
    person = add_person(house, httpx2.AsyncClient(), "ada@example.com")
    house.close()
    return Place(settings, person, tmp_path)


async def died_answering(person: Person, kind: str) -> bool:
    name, data, its_mask, _, _ = KINDS[kind]
    try:
        answer = await send(person, data, name=name, mask=its_mask, headers=KEY)
    except httpx2.TransportError:
        return True
    assert answer.status_code == 200, answer.text
    return False


@asynccontextmanager
async def asking(place: Place, failpoints: str = "") -> AsyncIterator[Person]:
    """The same person, asking a server that may die."""
    with place.serving(failpoints) as address:
        async with httpx2.AsyncClient(base_url=address, timeout=240) as http:
            yield Person(http, place.person.user, place.person.credential)


async def swept(place: Place) -> tuple[int, float, set[str], list[str]]:
    """Items, what was paid, files, and what is wrong with the books."""
    with place.house() as house:
        await sweep(house.database, house.storage, house.clock, retention_days=0)
        await uploads.sweep(assembly.uploads_of(house))
        count = house.database.read_now(lambda now: now.value(sa.select(sa.func.count()).select_from(Item)))
        has = house.database.read_now(lambda now: ledger.balance(now, place.person.user.id))
        assert has.held == 0
        return count or 0, (10_000 - has.balance) / 100, await stored_keys(house), books(house)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestKilled:
    @pytest.mark.parametrize(
        "kind", [pytest.param(kind, marks=[pytest.mark.slow] if kind in {"picture", "pair"} else []) for kind in KINDS]
    )
    async def test_before_the_charge_there_is_nothing(self, place: Place, kind: str) -> None:
        async with asking(place, "before_dataset_charge=kill") as ada:
            await make(ada)
            assert await died_answering(ada, kind)
        assert await swept(place) == (0, 0.0, set(), [])

    async def test_after_the_charge_there_is_all_of_it_and_a_retry_is_answered(self, place: Place) -> None:
        async with asking(place, "after_dataset_charge=kill") as ada:
            await make(ada)
            assert await died_answering(ada, "archive")
        async with asking(place) as ada:
            assert not await died_answering(ada, "archive")
            assert [one["index"] for one in await items_of(ada)] == list(range(20))
            assert await credits_of(ada) == (86.0, 0.0)
        count, paid, keys, wrong = await swept(place)
        assert (count, paid, len(keys), wrong) == (20, 14.0, 20, [])

    async def test_in_the_middle_of_an_upload_it_goes_on(self, place: Place) -> None:
        half = len(MANY) // 2
        async with asking(place, "before_upload_complete=kill") as ada:
            await make(ada)
            told = await ada.post("/api/v1/uploads", json={"filename": "a.zip", "size": len(MANY)})
            path = f"/api/v1/uploads/{told.json()['upload_id']}"
            await ada.patch(path, content=MANY[:half], headers={"Upload-Offset": "0"})
            await ada.patch(path, content=MANY[half:], headers={"Upload-Offset": str(half)})
            with pytest.raises(httpx2.TransportError):
                await ada.post(f"{path}/complete")
        async with asking(place, "before_upload_part=kill") as ada:
            other = await ada.post("/api/v1/uploads", json={"filename": "b.zip", "size": 4})
            lost = f"/api/v1/uploads/{other.json()['upload_id']}"
            with pytest.raises(httpx2.TransportError):
                await ada.patch(lost, content=b"lost", headers={"Upload-Offset": "0"})
        async with asking(place) as ada:
            assert (await ada.ask("HEAD", lost)).headers["upload-offset"] == "0"
            assert (await ada.ask("HEAD", path)).headers["upload-offset"] == str(len(MANY))
            assert (await ada.post(f"{path}/complete")).status_code == 200
            upload_id = path.rsplit("/", 1)[1]
            taken = await ada.post("/api/v1/datasets/tools/items", json={"upload_id": upload_id})
            assert taken.json()["processed_items"] == 20
        count, paid, keys, wrong = await swept(place)
        assert (count, paid, len(keys), wrong) == (20, 14.0, 20, [])
