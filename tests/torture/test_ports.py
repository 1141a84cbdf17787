"""What listens: the address that the settings name, and nothing else."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tests.jobs.asking import order, until_over
from tests.jobs.datasets import drawn_pictures
from tests.jobs.yard import Node, Yard, at
from tests.servers.valkey import OwnValkey

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]


@pytest.fixture
def yard(tmp_path: Path, database_url: str, builtin_models: Path) -> Iterator[Yard]:
    yard = Yard(tmp_path, database_url, builtin_models)
    yield yard
    yard.close()


def listening(node: Node) -> set[tuple[str, int]]:
    """Of the process and all its children; a UDP socket listens as soon as it has an address."""
    top = psutil.Process(node.process.pid)
    found = [one for process in (top, *top.children(recursive=True)) for one in process.net_connections(kind="inet")]
    return {tuple(one.laddr) for one in found if one.status in {psutil.CONN_LISTEN, psutil.CONN_NONE}}


async def test_a_server_listens_where_its_settings_say_and_nowhere_else(yard: Yard) -> None:
    ada = await yard.person("ada@example.com", drawn_pictures(3))
    node = yard.start("up")
    async with at(node, ada) as person:
        await until_over(person, (await order(person))["inference_id"])
        address = urlsplit(node.address)
        assert listening(node) == {(address.hostname, address.port)}
        assert address.hostname == "127.0.0.1"


async def test_a_worker_listens_nowhere(yard: Yard, own_valkey_server: OwnValkey) -> None:
    yard.broker_url = own_valkey_server.url
    ada = await yard.person("ada@example.com", drawn_pictures(3))
    api, worker = yard.start("api"), yard.start("worker")
    async with at(api, ada) as person:
        await until_over(person, (await order(person))["inference_id"])
        assert listening(worker) == set()
