"""Real servers as fixtures: the ones in RETINUE_TEST_*_URL, else our own from PyPI. None is ever skipped."""

import os
from collections.abc import Iterator

import pytest

from tests.servers.postgres import OwnPostgres, Postgres, own_postgres, postgres_given_or_own
from tests.servers.s3 import S3Server, own_swift, s3_given_or_own
from tests.servers.valkey import OwnValkey, Valkey, own_valkey, valkey_given_or_own


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server to make databases in; `ensure_template` once, then `fresh_database(like=…)` per test."""
    with postgres_given_or_own(os.environ.get("RETINUE_TEST_POSTGRES_URL")) as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """An empty database of the test's own."""
    with postgres.fresh_database() as url:
        yield url


@pytest.fixture
def own_postgres_server() -> Iterator[OwnPostgres]:
    """A server to kill and restart; `.url` is a database in it."""
    with own_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    with valkey_given_or_own(os.environ.get("RETINUE_TEST_REDIS_URL")) as server:
        yield server


@pytest.fixture
def redis_url(valkey: Valkey) -> str:
    """Perhaps somebody's server: use it with `redis_prefix` before every key."""
    return valkey.url


@pytest.fixture
def redis_prefix(valkey: Valkey) -> Iterator[str]:
    with valkey.fresh_prefix() as prefix:
        yield prefix


@pytest.fixture
def own_valkey_server() -> Iterator[OwnValkey]:
    """A server to kill, flush and restart."""
    with own_valkey() as server:
        yield server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """For tests marked `slow`. In CI nothing stands in for the real store."""
    with s3_given_or_own(os.environ.get("RETINUE_TEST_S3_URL"), may_fall_back="CI" not in os.environ) as server:
        yield server


@pytest.fixture
def own_s3_server() -> Iterator[S3Server]:
    """A store to kill."""
    with own_swift() as server:
        yield server
