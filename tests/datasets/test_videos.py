"""Videos become items by the frames that are taken from them; hostile ones are refused and reach nothing."""

import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from retinue import assembly
from retinue.vision.video import encode_video
from tests.accounts.people import Person
from tests.corpus.archives import zipped
from tests.corpus.videos import BENIGN, HOSTILE, UNDECIDED, Canary, film
from tests.datasets.sending import books, credits_of, items_of, make, nothing_happened, send, taken_in
from tests.pictures import drawn, mask

THREE_SECONDS = [n / 5 for n in range(15)]
SECRET = "told to nobody"


@pytest.fixture(autouse=True)
async def tools(ada: Person) -> None:
    await make(ada)


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Canary]:
    (tmp_path / "secret").write_text(SECRET)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield Canary(listener.getsockname()[1], tmp_path / "secret")
        with pytest.raises(BlockingIOError):
            listener.accept()


def mask_film(folder: Path, *, seconds: int = 3, size: tuple[int, int] = (96, 64), grey: int = 255) -> bytes:
    """A white box that moves."""

    def pictures() -> Iterator[tuple[float, np.ndarray]]:
        for second in range(seconds):
            pixels = np.zeros((size[1], size[0], 3), np.uint8)
            pixels[8:32, 8 + 8 * second : 40 + 8 * second] = grey
            yield float(second), pixels

    path = folder / "mask.mp4"
    encode_video(pictures(), path, duration_s=seconds)
    return path.read_bytes()


class TestOneVideo:
    async def test_it_costs_its_frames_and_keeps_their_times(self, ada: Person, house: assembly.House) -> None:
        data = film(times=THREE_SECONDS)
        told = await taken_in(ada, data, name="bench.mp4")
        assert (told["report"]["accepted"][0]["frames"], told["credits_used"]) == (3, 1.2)
        item = (await ada.get("/api/v1/datasets/tools/items/0")).json()
        assert (item["type"], item["width"], item["height"], item["fps"]) == ("video", 96, 64, 1.0)
        assert (item["frames"], item["times"], item["duration_s"]) == (3, [0.0, 1.0, 2.0], 2.9)
        kept = (await ada.http.get(item["url"])).content
        assert hashlib.sha256(kept).digest() == hashlib.sha256(data).digest()
        assert books(house) == []

    async def test_more_frames_when_told(self, ada: Person) -> None:
        told = await taken_in(ada, film(times=THREE_SECONDS), fps="2.5", dry_run="true")
        assert (told["report"]["accepted"][0]["frames"], told["price"]) == (8, 3.2)

    async def test_every_frame_at_its_own_time(self, ada: Person) -> None:
        await taken_in(ada, film(times=[0, 0.1, 0.9, 1.0, 1.9]), fps="source")
        item = (await ada.get("/api/v1/datasets/tools/items/0")).json()
        assert (item["fps"], item["times"]) == (None, [0.0, 0.1, 0.9, 1.0, 1.9])

    async def test_more_frames_than_allowed(self, ada: Person, house: assembly.House) -> None:
        answer = await send(ada, film(times=[0, 50]), fps="240")
        assert (answer.status_code, answer.json()["code"]) == (413, "video-too-large")
        await nothing_happened(house, ada)

    async def test_too_few_credits(self, ada: Person, house: assembly.House) -> None:
        answer = await send(ada, film(times=THREE_SECONDS), fps="100")
        assert (answer.status_code, answer.json()["needed"]) == (402, 116.0)
        await nothing_happened(house, ada)


class TestMasks:
    async def test_a_picture_for_all_of_the_film(self, ada: Person) -> None:
        told = await taken_in(ada, film(times=THREE_SECONDS), mask=mask(96, 64))
        assert (told["report"]["accepted"][0]["type"], told["credits_used"]) == ("video pair", 1.2)

    async def test_a_film_with_a_mask_for_each_frame(self, ada: Person, tmp_path: Path) -> None:
        told = await taken_in(ada, film(times=THREE_SECONDS), mask=mask_film(tmp_path))
        assert (told["report"]["accepted"][0]["type"], told["credits_used"]) == ("video pair", 1.2)
        [item] = await items_of(ada)
        head = await ada.http.head(item["mask_url"])
        assert head.headers["content-type"] == "video/mp4"

    async def test_one_that_ends_too_early(self, ada: Person, house: assembly.House, tmp_path: Path) -> None:
        answer = await send(ada, film(times=THREE_SECONDS), mask=mask_film(tmp_path, seconds=2))
        assert (answer.status_code, answer.json()["code"]) == (422, "bad-mask")
        assert "2 frames" in answer.json()["detail"]
        await nothing_happened(house, ada)

    async def test_one_that_is_grey(self, ada: Person, house: assembly.House, tmp_path: Path) -> None:
        films = [mask_film(tmp_path, size=(48, 32)), film(times=THREE_SECONDS)]
        for bad, words in zip(films, ["48 × 32", "At 0.00 s"], strict=True):
            answer = await send(ada, film(times=THREE_SECONDS), mask=bad)
            assert (answer.status_code, answer.json()["code"]) == (422, "bad-mask")
            assert words in answer.json()["detail"]
        await nothing_happened(house, ada)

    async def test_a_film_cannot_mask_a_picture(self, ada: Person, house: assembly.House, tmp_path: Path) -> None:
        answer = await send(ada, drawn(1), mask=mask_film(tmp_path))
        assert (answer.status_code, answer.json()["code"]) == (415, "not-taken-in")
        archive = zipped(("image_1.jpg", drawn(1)), ("mask_1.mp4", mask_film(tmp_path)))
        answer = await send(ada, archive, name="kit.zip")
        assert (answer.status_code, answer.json()["code"]) == (422, "bad-mask")
        await nothing_happened(house, ada)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestCorpus:
    """What the database is makes no difference here."""

    async def test_hostile_ones_are_refused(self, ada: Person, house: assembly.House, canary: Canary) -> None:
        for case in HOSTILE:
            answer = await send(ada, case.make(canary), name="film.mp4")
            assert answer.status_code in {413, 415, 422}, case.name
            assert SECRET not in answer.text
        await nothing_happened(house, ada)
        assert list((house.settings.data_dir / "incoming").glob("*")) == []

    async def test_in_an_archive_they_are_refused_alone(self, ada: Person, canary: Canary) -> None:
        bad = [(f"{n:02}.mp4", case.make(canary)) for n, case in enumerate(HOSTILE[::5])]
        told = await taken_in(ada, zipped(("good.jpg", drawn(1)), *bad), name="kit.zip")
        assert [one["name"] for one in told["report"]["accepted"]] == ["good.jpg"]
        assert [one["name"] for one in told["report"]["rejected"]] == [name for name, _ in bad]
        assert await credits_of(ada) == (99.3, 0.0)

    async def test_undecided_ones_stay_within_limits(self, ada: Person, canary: Canary) -> None:
        for case in UNDECIDED:
            answer = await send(ada, case.make(canary), name="film.mp4", dry_run="true")
            assert answer.status_code in {200, 413, 415, 422}, case.name

    async def test_benign_ones_are_taken(self, ada: Person) -> None:
        for case in BENIGN[::3]:
            told = await taken_in(ada, case.make(), name="film.mp4", dry_run="true")
            assert told["processed_items"] == 1, case.name
