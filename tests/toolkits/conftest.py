"""Who asks in these stories: Ada works on aircraft, Olga runs the tool crib."""

import httpx2
import pytest

from retinue import assembly
from tests.accounts.conftest import ada, admin, bob
from tests.accounts.people import Person, add_person

__all__ = ["ada", "admin", "bob", "olga"]


@pytest.fixture
def olga(house: assembly.House, http: httpx2.AsyncClient) -> Person:
    return add_person(house, http, "olga@example.com", role="operator")
