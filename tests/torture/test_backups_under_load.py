"""Backups that are taken while people are served, each put back into an empty house: the books close, no file lacks."""

import asyncio
from pathlib import Path

import httpx2
import pytest
import sqlalchemy as sa

from retinue import assembly
from retinue.base.clock import Clock
from retinue.base.settings import Settings
from retinue.credits import ledger
from retinue.credits.verifying import verify
from retinue.media.tables import Asset
from tests.accounts.people import Person, add_person
from tests.pictures import drawn
from tests.predictions.test_backing_up import backed_up, restored
from tests.torture.report import Figure, note

BACKUPS = 3
ASKERS = 4


async def keep_asking(person: Person, asker: int, over: asyncio.Event) -> int:
    number = 0
    while not over.is_set():
        picture = drawn(asker * 100_000 + number)
        answer = await person.post("/api/v1/predict?annotate=true", files={"file": ("one.jpg", picture)})
        assert answer.status_code == 200, answer.text
        number += 1
    return number


async def what_is_wrong(settings: Settings, clock: Clock) -> tuple[int, list[str]]:
    """How many files the rows of that house name, and what does not fit."""
    house = assembly.open_house(settings, clock=clock)
    try:
        wrong = house.database.read_now(lambda now: verify(now, more=assembly.LEDGER_CHECKS.more))
        named = house.database.read_now(lambda now: now.rows(sa.select(Asset.key).where(Asset.deleted_at.is_(None))))
        missing = [row.key for row in named if not await house.storage.get(row.key)]
        return len(named), [*map(str, wrong), *missing]
    finally:
        house.close()


@pytest.mark.slow
async def test_each_of_them_is_a_house_that_adds_up(
    house: assembly.House, http: httpx2.AsyncClient, tmp_path: Path
) -> None:
    ada = add_person(house, http, "ada@example.com")
    house.database.write_now(lambda now: ledger.topup(now, ada.user.id, 100_000_000))
    over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(keep_asking(ada, asker, over)) for asker in range(ASKERS)]
        try:
            made = [await backed_up(house, tmp_path / f"backup-{number}") for number in range(BACKUPS)]
        finally:
            over.set()
    files = []
    for number in range(BACKUPS):
        elsewhere = tmp_path / f"elsewhere-{number}"
        settings = Settings(data_dir=elsewhere, database_url=f"sqlite:///{tmp_path / f'{number}.db'}")
        assert await restored(settings, tmp_path / f"backup-{number}") == made[number]
        named, wrong = await what_is_wrong(settings, house.clock)
        assert wrong == []
        files.append(named)
    assert files == sorted(files)
    note(
        Figure(
            f"Backups under load, {house.settings.database.partition(':')[0]}",
            f"{BACKUPS} while {sum(task.result() for task in asking)} predictions were asked for, each restored",
            f"every invariant holds, every file is there: {', '.join(map(str, files))} of them",
        )
    )
