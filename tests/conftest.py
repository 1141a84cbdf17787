"""Parts every test may ask for: both databases, a house on each, and somebody to speak HTTP with it."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest

from retinue import assembly
from retinue.accounts.credentials import Hasher
from retinue.base import migrating
from retinue.base.clock import SetClock
from retinue.base.database import Database
from retinue.base.settings import Settings
from retinue.vision.builtin import builtin_packages
from tests.servers.postgres import Postgres

pytest_plugins = ["tests.servers.fixtures"]


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of the present schema, to copy: the steps themselves take longer than most tests."""
    file = tmp_path_factory.mktemp("migrated") / "test.db"
    _migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of the test's own with the present schema, on each of the two kinds."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "test.db")
        yield f"sqlite:///{tmp_path / 'test.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.fresh_database(like=server.ensure_template("migrated", fill=_migrate)) as url:
        yield url


def _migrate(url: str) -> None:
    database = Database(url)
    migrating.upgrade(database)
    database.close()


@pytest.fixture
def hasher() -> Hasher:
    """Real Argon2id with parameters that cost a test nothing."""
    return Hasher(memory_kib=8, passes=1)


@pytest.fixture(scope="session")
def builtin_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built-in models, made once: writing 19 MB for each house would take longer than most tests."""
    folder = tmp_path_factory.mktemp("models") / "builtin"
    builtin_packages(folder)
    return folder


@pytest.fixture
def settings(database_url: str, tmp_path: Path, builtin_models: Path) -> Settings:
    shelf = tmp_path / "data" / "models"
    shelf.mkdir(parents=True)
    (shelf / "builtin").symlink_to(builtin_models)
    return Settings(data_dir=tmp_path / "data", database_url=database_url)


@pytest.fixture
def house(settings: Settings, clock: SetClock, hasher: Hasher) -> Iterator[assembly.House]:
    house = assembly.open_house(settings, clock=clock, hasher=hasher)
    assembly.prepare(house)
    yield house
    house.close()


@pytest.fixture
def database(house: assembly.House) -> Database:
    return house.database


@pytest.fixture
async def http(house: assembly.House) -> AsyncIterator[httpx2.AsyncClient]:
    app = assembly.application(house)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1:8000") as client,
    ):
        yield client
