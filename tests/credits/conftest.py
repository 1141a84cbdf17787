"""The ledger alone on each database, without the rest of the house; and people who have credits."""

from collections.abc import Callable, Iterator

import pytest

from retinue.base.clock import SetClock
from retinue.base.database import Database
from tests.accounts.conftest import ada, admin, bob  # noqa: F401 fixtures
from tests.credits.people import a_user


@pytest.fixture
def database(database_url: str, clock: SetClock) -> Iterator[Database]:
    database = Database(database_url, clock=clock)
    yield database
    database.close()


@pytest.fixture
def somebody(database: Database) -> Callable[..., str]:
    """`somebody(100_00)`: the id of a user with that many hundredths."""
    return lambda hundredths=0: database.write_now(lambda now: a_user(now, hundredths))
