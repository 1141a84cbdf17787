"""One server for all of these stories, and clients whose every request the OpenAPI document judges."""

from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from retinue.base.settings import Settings
from retinue.client import AsyncClient, Client
from tests.client.judge import Judge, Judged, JudgedLater
from tests.client.served import Served, serving


def settings_in(folder: Path, builtin_models: Path) -> Settings:
    shelf = folder / "data" / "models"
    shelf.mkdir(parents=True)
    (shelf / "builtin").symlink_to(builtin_models)
    return Settings(
        data_dir=folder / "data",
        rate_burst=100_000,
        rate_limit=1_000_000,
        job_lease_seconds=15,  # who is silent for so long counts as dead: three seconds happen on a crowded machine
        webhook_allow=["127.0.0.0/8"],
    )


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, builtin_models: Path) -> Iterator[Served]:
    with serving(settings_in(tmp_path_factory.mktemp("served"), builtin_models)) as served:
        yield served


@pytest.fixture
def own_server(tmp_path: Path, builtin_models: Path) -> Iterator[Served]:
    """A server to stop and start."""
    with serving(settings_in(tmp_path, builtin_models)) as served:
        yield served


@pytest.fixture(scope="session")
def judge() -> Judge:
    return Judge()


_numbers = count(1)


@pytest.fixture
def new_key(server: Served) -> Callable[..., str]:
    """`new_key(role="admin")`: an API key of somebody new."""
    return lambda **more: server.key(f"person-{next(_numbers)}@example.com", **more)


@pytest.fixture
def client(server: Served, judge: Judge, new_key: Callable[..., str]) -> Iterator[Client]:
    with Client(server.address, key=new_key(), transport=Judged(judge)) as client:
        yield client


@pytest.fixture
def admin(server: Served, judge: Judge, new_key: Callable[..., str]) -> Iterator[Client]:
    with Client(server.address, key=new_key(role="admin"), transport=Judged(judge)) as client:
        yield client


@pytest.fixture
async def later(server: Served, judge: Judge, new_key: Callable[..., str]) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(server.address, key=new_key(), transport=JudgedLater(judge)) as client:
        yield client
