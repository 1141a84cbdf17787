"""How much room a person has: what does not fit is refused whole, leaves nothing and costs nothing."""

import io

import numpy as np
import pytest
from PIL import Image

from retinue import assembly
from retinue.base.settings import Settings
from tests.accounts.people import Person
from tests.corpus.archives import zipped
from tests.datasets.sending import credits_of, items_of, make, nothing_happened, send, taken_in


def bitmap(seed: int) -> bytes:
    """600 KB that a ZIP packs into a fifth."""
    pixels = np.random.default_rng(seed).integers(0, 4, (400, 500, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "BMP")
    return out.getvalue()


def dot(grey: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (grey, grey, grey)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"user_storage_mib": 1, "user_files": 3})


@pytest.fixture(autouse=True)
async def tools(ada: Person) -> None:
    await make(ada)


async def test_what_is_too_large_by_itself_is_not_even_looked_at(ada: Person, house: assembly.House) -> None:
    answer = await send(ada, bytes((1 << 20) + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "quota-exceeded")
    assert (answer.json()["used_bytes"], answer.json()["max_bytes"]) == (0, 1 << 20)
    await nothing_happened(house, ada)


async def test_what_unfolds_to_more_than_there_is_room_for_leaves_nothing(ada: Person, house: assembly.House) -> None:
    archive = zipped(*((f"{n}.bmp", bitmap(n)) for n in range(2)))
    assert len(archive) < 1 << 19
    answer = await send(ada, archive, name="two.zip")
    assert (answer.status_code, answer.json()["code"]) == (413, "quota-exceeded")
    await nothing_happened(house, ada)


async def test_more_files_than_allowed_too(ada: Person, house: assembly.House) -> None:
    pictures = [(f"{n}.png", dot(n)) for n in range(4)]
    answer = await send(ada, zipped(*pictures), name="four.zip")
    assert (answer.status_code, answer.json()["code"]) == (413, "quota-exceeded")
    await nothing_happened(house, ada)
    assert (await taken_in(ada, zipped(*pictures[:3]), name="three.zip"))["processed_items"] == 3


async def test_what_is_deleted_makes_room_again(ada: Person, bob: Person) -> None:
    await taken_in(ada, bitmap(1), name="first.bmp")
    before = await credits_of(ada)
    refused = await send(ada, bitmap(2), name="second.bmp")
    assert (refused.status_code, refused.json()["used_bytes"]) == (413, len(bitmap(1)))
    assert await credits_of(ada) == before
    await make(bob)
    await taken_in(bob, bitmap(2))  # everybody has room of their own
    assert (await ada.delete("/api/v1/datasets/tools/items/0")).status_code == 204
    await taken_in(ada, bitmap(2), name="second.bmp")
    assert len(await items_of(ada)) == 1
