"""A picture goes in, an answer comes back: in every form a picture has, and as arrays where numpy is."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from retinue.client import AsyncClient, Client, NotEnoughCredits, NotFound
from tests.pictures import drawn, mask, photograph


@pytest.fixture
def cup(tmp_path: Path) -> Path:
    file = tmp_path / "cup.jpg"
    file.write_bytes(photograph("coffee"))
    return file


class TestPredict:
    def test_a_file_its_bytes_and_an_open_file_are_the_same_picture(self, client: Client, cup: Path) -> None:
        with cup.open("rb") as stream:
            seen = [client.predict(one, top_k=1) for one in (cup, str(cup), cup.read_bytes(), stream)]
        assert {one.predicted_class for one in seen} == {"espresso"}
        assert [one.filename for one in seen] == ["cup.jpg", "cup.jpg", "picture", "cup.jpg"]
        assert [one.cached for one in seen] == [False, True, True, True]

    def test_arrays_and_pillow_images_arrive_pixel_by_pixel(self, client: Client, cup: Path) -> None:
        with Image.open(cup) as opened:
            pixels = np.asarray(opened.convert("RGB"))
        first = client.predict(pixels)
        assert first.predicted_class == "espresso"
        kept = client.media.open(client.predictions.get(first.prediction_id).image_url)
        assert np.array_equal(kept.as_numpy(), pixels)
        assert client.predict(Image.fromarray(pixels)).cached

    async def test_the_same_awaited(self, later: AsyncClient, cup: Path) -> None:
        assert (await later.predict(cup, annotate=True)).predicted_class == "espresso"
        assert [one.filename async for one in later.images.list()] == ["cup.jpg"]

    def test_an_inpainted_picture_comes_back_as_an_array(self, client: Client, cup: Path, tmp_path: Path) -> None:
        seen = client.predict(cup, model="inpaint-telea", mask=mask(600, 400))
        assert seen.output_url is not None
        filled = client.media.open(seen.output_url)
        assert filled.as_numpy().shape == (400, 600, 3)
        assert filled.save(tmp_path / "filled.png").read_bytes() == filled.data
        assert client.media.save(seen.output_url, tmp_path / "again.png").read_bytes() == filled.data

    def test_boxes_are_corners(self, client: Client) -> None:
        seen = client.predict(drawn(1, width=320, height=320), model="toolbox", confidence=0.0)
        assert seen.boxes().shape == (len(seen.detections or ()), 4)
        assert seen.scores().shape == (len(seen.detections or ()),)
        if seen.detections:
            x, y, width, height = seen.detections[0].box
            assert seen.boxes()[0] == pytest.approx((x, y, x + width, y + height), abs=0.01)


class TestMany:
    def test_one_bad_picture_never_fails_the_rest(self, client: Client, cup: Path) -> None:
        told = client.predict_batch([cup, b"no picture", drawn(3)])
        assert [one.ok for one in told.results] == [True, False, True]
        assert told.results[1].error is not None
        assert told.results[1].error.code == "not-a-picture"
        assert told.cost == 5.5


class TestHistory:
    def test_looked_at_drawn_repeated_and_deleted(self, client: Client, cup: Path) -> None:
        seen = client.predict(cup)
        kept = client.predictions.get(seen.prediction_id)
        assert kept.receipt.picture_sha256
        assert client.predictions.annotated(seen.prediction_id).as_pil().size == (600, 400)
        assert client.predictions.replay(seen.prediction_id).verdict == "equal"
        assert len(list(client.predictions.list(label="espresso"))) == 2
        client.predictions.delete(seen.prediction_id)
        with pytest.raises(NotFound) as gone:
            client.predictions.get(seen.prediction_id)
        assert (gone.value.code, gone.value.status) == ("no-such-prediction", 404)

    def test_long_lists_are_walked_to_their_end(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("retinue.client.rooms.PAGE", 2)
        made = [client.predict(drawn(n), top_k=1).prediction_id for n in range(5)]
        assert [one.prediction_id for one in client.predictions.list()] == made[::-1]


class TestMoney:
    def test_a_refusal_says_what_is_missing(self, server: object, new_key: object, client: Client) -> None:
        poor = Client(server.address, key=new_key(hundredths=0))  # type: ignore[attr-defined,operator]
        with pytest.raises(NotEnoughCredits) as short, poor:
            poor.predict_batch([drawn(n) for n in range(40)])
        assert (short.value.needed, short.value.available) == (110.0, 100.0)
        assert client.credits.balance().available == 10100.0
