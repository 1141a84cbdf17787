"""A signed link to a part of a picture opens that part, and nothing but it."""

from io import BytesIO

import pytest
from PIL import Image

from retinue import assembly
from retinue.media.links import AssetAddress, Links
from tests.accounts.people import Person
from tests.pictures import drawn
from tests.predictions.asking import predict


@pytest.mark.parametrize(
    ("box", "size"),
    [
        ((10, 10, 25, 20), (29, 24)),  # with 8 % of 25 around it
        ((0, 0, 64, 48), (64, 48)),
        ((50, 40, 25, 25), (16, 10)),  # over the edge
        ((-5, -5, 10, 10), (6, 6)),
        ((64, 48, 0, 0), (1, 1)),
    ],
)
async def test_the_part_with_a_little_around_it(
    ada: Person, house: assembly.House, box: tuple[int, ...], size: tuple[int, int]
) -> None:
    image_id = (await predict(ada, drawn(1, width=64, height=48)))["image_id"]
    links = Links(house.secrets, house.clock)
    opened = await ada.http.get(links.to(AssetAddress(image_id, ada.user.id), crop=box))
    assert opened.headers["content-type"] == "image/jpeg"
    assert "sandbox" in opened.headers["content-security-policy"]
    assert Image.open(BytesIO(opened.content)).size == size


async def test_it_dies_with_the_picture(ada: Person, house: assembly.House) -> None:
    told = await predict(ada, drawn(1))
    link = Links(house.secrets, house.clock).to(AssetAddress(told["image_id"], ada.user.id), crop=(0, 0, 9, 9))
    assert (await ada.http.get(link)).status_code == 200
    await ada.delete(f"/api/v1/predictions/{told['prediction_id']}")
    assert (await ada.http.get(link)).status_code == 410
