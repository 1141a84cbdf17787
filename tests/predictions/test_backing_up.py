"""A house in a folder, and back: on the other kind of database, with everybody's credits, pictures and keys."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr

from retinue import assembly
from retinue.base import backing_up, restoring
from retinue.base.database import Database
from retinue.base.settings import Settings
from retinue.base.storage import open_storage
from retinue.credits.verifying import verify
from tests.accounts.people import Person, add_person, with_key
from tests.pictures import drawn
from tests.predictions.asking import credits_of, predict
from tests.servers.postgres import Postgres


@pytest.fixture
def other_url(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database of the kind that the house does not stand on."""
    if not database_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'other.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.fresh_database() as url:
        yield url


@pytest.fixture
def other(other_url: str, tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "elsewhere", database_url=other_url)


async def restored(settings: Settings, folder: Path) -> backing_up.Manifest:
    settings.data_dir.mkdir(exist_ok=True)
    database = Database(settings.database)
    try:
        given = settings.secret_key.get_secret_value() if settings.secret_key else None
        return await restoring.restore(
            database, open_storage(settings.storage), given_secret=given, data_dir=settings.data_dir, source=folder
        )
    finally:
        database.close()


async def backed_up(house: assembly.House, folder: Path) -> backing_up.Manifest:
    return await backing_up.back_up(
        house.database, house.storage, house.secrets, secret_file=house.settings.data_dir / "secret.key", to=folder
    )


class TestAHouseInAFolder:
    async def test_comes_back_on_the_other_database_with_everything_in_it(
        self, house: assembly.House, http: httpx2.AsyncClient, other: Settings, tmp_path: Path
    ) -> None:
        ada = with_key(house, add_person(house, http, "ada@example.com"))
        told = await predict(ada, drawn(1))
        folder = tmp_path / "backup"
        made = await backed_up(house, folder)
        await predict(ada, drawn(2))  # after the moment of the backup, and so not in it
        back = await restored(other, folder)
        assert back == made
        assert made.rows["predictions"] == 1
        assert (folder.stat().st_mode & 0o77, (folder / "secret.key").stat().st_mode & 0o77) == (0, 0)
        again = assembly.open_house(other, clock=house.clock)
        try:
            assert again.database.read_now(lambda now: verify(now, more=assembly.LEDGER_CHECKS.more)) == []
            app = assembly.application(again)
            async with (
                app.router.lifespan_context(app),
                httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1:8000") as client,
            ):
                ada_again = Person(client, ada.user, ada.credential)
                assert await credits_of(ada_again) == (97.25, 0.0)
                listed = (await ada_again.get("/api/v1/predictions")).json()
                assert [one["prediction_id"] for one in listed["predictions"]] == [told["prediction_id"]]
                image = (await ada_again.get(f"/api/v1/images/{told['image_id']}")).json()
                assert (await client.get(image["url"])).content == drawn(1)
        finally:
            again.close()

    async def test_copies_only_files_that_are_new_when_made_again(
        self, house: assembly.House, http: httpx2.AsyncClient, tmp_path: Path
    ) -> None:
        ada = add_person(house, http, "ada@example.com")
        await predict(ada, drawn(1))
        folder = tmp_path / "backup"
        await backed_up(house, folder)
        files = {file: file.stat().st_mtime_ns for file in (folder / "files").rglob("*.*")}
        await predict(ada, drawn(2))
        made = await backed_up(house, folder)
        assert made.files == len(files) + 1
        assert {file: file.stat().st_mtime_ns for file in files} == files

    async def test_is_not_put_over_what_is_there(self, house: assembly.House, tmp_path: Path) -> None:
        folder = tmp_path / "backup"
        await backed_up(house, folder)
        with pytest.raises(restoring.NotEmpty):
            await restored(house.settings, folder)

    async def test_is_refused_where_it_was_not_finished_or_is_of_another_schema(
        self, house: assembly.House, other: Settings, tmp_path: Path
    ) -> None:
        folder = tmp_path / "backup"
        with pytest.raises(restoring.NotABackup):
            await restored(other, folder)
        await backed_up(house, folder)
        manifest = folder / "manifest.json"
        manifest.write_text(manifest.read_text().replace('"revision": "', '"revision": "x'))
        with pytest.raises(restoring.BackupOfAnotherVersion):
            await restored(other, folder)

    async def test_is_refused_under_another_secret_and_where_a_row_is_missing(
        self, house: assembly.House, other: Settings, tmp_path: Path
    ) -> None:
        folder = tmp_path / "backup"
        made = await backed_up(house, folder)
        another = other.model_copy(update={"secret_key": SecretStr("k" * 32)})
        with pytest.raises(restoring.BackupOfAnotherSecret):
            await restored(another, folder)
        with gzip.open(folder / made.tables / "tools.jsonl.gz", "rb") as file:
            lines = file.readlines()
        with gzip.open(folder / made.tables / "tools.jsonl.gz", "wb") as file:
            file.writelines(lines[:-1])
        with pytest.raises(restoring.NotABackup):
            await restored(other, folder)
        with gzip.open(folder / made.tables / "tools.jsonl.gz", "wb") as file:
            file.writelines(lines)
        assert (await restored(other, folder)).rows == made.rows  # what was refused left the house empty

    async def test_stays_whole_when_the_next_one_is_cut_short(
        self, house: assembly.House, other: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = tmp_path / "backup"
        made = await backed_up(house, folder)

        def cut(*_: object) -> None:
            raise OSError("the disk is gone")

        with monkeypatch.context() as patch:
            patch.setattr(backing_up, "_finish", cut)
            with pytest.raises(OSError, match="gone"):
                await backed_up(house, folder)
        assert (await restored(other, folder)) == made
