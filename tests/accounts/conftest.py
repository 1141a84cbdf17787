"""Who asks in these stories."""

import httpx2
import pytest

from retinue import assembly
from tests.accounts.people import Person, add_person


@pytest.fixture
def ada(house: assembly.House, http: httpx2.AsyncClient) -> Person:
    return add_person(house, http, "ada@example.com")


@pytest.fixture
def bob(house: assembly.House, http: httpx2.AsyncClient) -> Person:
    return add_person(house, http, "bob@example.com")


@pytest.fixture
def admin(house: assembly.House, http: httpx2.AsyncClient) -> Person:
    return add_person(house, http, "root@example.com", role="admin")
