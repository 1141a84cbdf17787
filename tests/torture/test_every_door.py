"""Every operation that takes a file × every hostile file and its benign twins: refused rightly, soon, for nothing."""

import os
from pathlib import Path

import httpx2
import psutil
import pytest

from retinue import assembly
from retinue.accounts.credentials import Hasher
from retinue.credits import ledger
from tests.accounts.people import Person, add_person
from tests.corpus.videos import Canary
from tests.jobs.yard import Node, Yard, at
from tests.torture.doors import DOORS, Door, file_operations, prepare
from tests.torture.files import benign, hostile, one_of_each
from tests.torture.judging import Judge
from tests.torture.report import Figure, note

PASSES = int(os.environ.get("RETINUE_TORTURE_PASSES", "2"))
# Each file goes to every eighth door and each door gets every eighth file; `make torture` sends all of them everywhere.
EVERY = int(os.environ.get("RETINUE_TORTURE_EVERY", "8"))
GROWTH_MIB = 32.0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_operation_that_takes_a_file_has_a_door(house: assembly.House) -> None:
    assert {door.operation for door in DOORS} == file_operations(assembly.application(house).openapi())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_one_hostile_and_one_benign_file_at_every_door(
    house: assembly.House, admin: Person, canary: Canary
) -> None:
    house.database.write_now(lambda now: ledger.topup(now, admin.user.id, 10_000_000))
    await prepare(admin)
    judge = Judge(admin, house.settings.data_dir, is_timed=False)
    pickled = [recipe.make() for recipe in hostile(canary) if recipe.name == "a pickle that runs code"]
    for file in [*pickled, *one_of_each(hostile(canary)), *one_of_each(benign())]:
        await judge.send_everywhere(file, [door for door in DOORS if file.kind in door.takes])
    assert judge.wrong == []


def rich_admin(yard: Yard) -> Person:
    house = assembly.open_house(yard.settings(), hasher=Hasher(memory_kib=8, passes=1))
    try:
        assembly.prepare(house)
        person = add_person(house, httpx2.AsyncClient(), "admin@example.com", role="admin")
        house.database.write_now(lambda now: ledger.topup(now, person.user.id, 1_000_000_000))
    finally:
        house.close()
    return person


def doors_of(number: int) -> list[Door]:
    return [door for place, door in enumerate(DOORS) if (number + place) % EVERY == 0]


def resident_mib(node: Node) -> float:
    return float(psutil.Process(node.process.pid).memory_info().rss) / 2**20


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_whole_corpus_through_every_door_of_a_real_server(
    tmp_path: Path, database_url: str, builtin_models: Path, canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    yard = Yard(tmp_path / "yard", database_url, builtin_models)
    yard.folder.mkdir()
    person = rich_admin(yard)
    with monkeypatch.context() as patched:
        patched.setenv("TMPDIR", str(scratch))
        node = yard.start("api")
    try:
        async with at(node, person, patience_s=120) as asking:
            judge = Judge(asking, yard.settings().data_dir)
            await prepare(asking)
            for number, recipe in enumerate(benign()):
                await judge.send_everywhere(recipe.make(), doors_of(number))
            resident = []
            for _ in range(PASSES):
                for number, recipe in enumerate(hostile(canary)):
                    await judge.send_everywhere(recipe.make(), doors_of(number))
                resident.append(resident_mib(node))
        growth_mib = resident[-1] - resident[0]
        note(
            Figure(
                "Files at every door of a real server",
                f"{len(hostile(canary))} hostile files × {PASSES}, {len(benign())} benign ones, {len(DOORS)} doors, "
                f"each file at every {EVERY}. door: {judge.asked} requests",
                f"{len(judge.wrong)} wrong answers; slowest {judge.slowest_s:.2f} s ({judge.slowest}); "
                f"resident after each pass {', '.join(f'{mib:.0f}' for mib in resident)} MiB",
            )
        )
        assert judge.wrong == []
        assert not node.has_died()
        assert growth_mib < GROWTH_MIB
        assert [path for path in scratch.rglob("*") if path.is_file()] == []
        assert yard.violations() == []
    finally:
        yard.close()
