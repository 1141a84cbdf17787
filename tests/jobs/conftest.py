"""Who asks in these stories, and the protocol alone on each database."""

from collections.abc import Callable, Iterator

import pytest

from retinue.base.clock import SetClock
from retinue.base.database import Database
from tests.accounts.conftest import ada, admin, bob
from tests.credits.people import a_user

__all__ = ["ada", "admin", "bob"]


@pytest.fixture
def bare(database_url: str, clock: SetClock) -> Iterator[Database]:
    """A database without a house: nobody dispatches or sweeps in it but the test."""
    database = Database(database_url, clock=clock)
    yield database
    database.close()


@pytest.fixture
def somebody(bare: Database) -> Callable[..., str]:
    """`somebody(100_00)`: the id of a user with that many hundredths."""
    return lambda hundredths=0: bare.write_now(lambda now: a_user(now, hundredths))
