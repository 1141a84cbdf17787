"""Who asks and who is told in these stories. Networks of this machine are allowed, as an operator might."""

from collections.abc import AsyncIterator

import pytest

from retinue.base.clock import SetClock, SystemClock
from retinue.base.settings import Settings
from tests.accounts.conftest import ada, admin, bob
from tests.webhooks.receiver import Receiver, receiving

__all__ = ["ada", "admin", "bob"]


@pytest.fixture
def clock() -> SetClock:
    """Today: receivers refuse what is older than five minutes."""
    return SetClock(SystemClock().now())


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"webhook_allow": ["127.0.0.0/8"]})


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver
