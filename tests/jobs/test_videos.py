"""Videos in jobs: a frame is an item with its own price and time, and inpainted frames become a film again."""

import io
import zipfile
from pathlib import Path
from typing import Any

import orjson
import pytest

from retinue import assembly
from retinue.base.database import Database
from retinue.credits.verifying import verify
from retinue.vision.video import probe
from tests.accounts.people import Person
from tests.corpus.videos import film
from tests.jobs.asking import order, until_over
from tests.pictures import drawn, mask
from tests.predictions.asking import credits_of

THREE_SECONDS = [n / 10 for n in range(30)]


@pytest.fixture(autouse=True)
def _sound_afterwards(house: assembly.House, database: Database) -> object:
    yield
    assert database.read_now(lambda now: verify(now, more=assembly.LEDGER_CHECKS.more)) == []


async def take_in(person: Person, name: str, data: bytes, *, beside: bytes | None = None, **more: str) -> None:
    files = {"file": (name, data)} | ({"mask": ("mask.png", beside)} if beside else {})
    answer = await person.post("/api/v1/datasets/photos/items", files=files, data=more)
    assert answer.status_code == 200, answer.text


@pytest.fixture
async def photos(ada: Person) -> None:
    await ada.post("/api/v1/datasets", json={"name": "photos"})


async def results_of(person: Person, inference_id: str, *, limit: int = 200) -> dict[str, list[Any]]:
    """Everything, page by page."""
    found: dict[str, list[Any]] = {"images": [], "videos": [], "failed": []}
    cursor = None
    while True:
        asked = {"limit": str(limit), **({"cursor": cursor} if cursor else {})}
        page = (await person.get(f"/api/v1/inferences/{inference_id}/results", params=asked)).json()
        for kind in found:
            found[kind] += page[kind]
        if (cursor := page["next_cursor"]) is None:
            return found


@pytest.mark.usefixtures("photos")
class TestLookingAtAFilm:
    async def test_every_frame_is_answered_at_its_time_and_price(self, ada: Person) -> None:
        await take_in(ada, "bench.mp4", film(times=THREE_SECONDS), fps="2")
        await take_in(ada, "one.jpg", drawn(1))
        before, _ = await credits_of(ada)
        dry = await ada.post("/api/v1/inferences", json={"dataset": "photos", "dry_run": True})
        assert (dry.json()["items"], dry.json()["price"]) == (7, 6 * 1.5 + 2.75)
        begun = await order(ada)
        ended = await until_over(ada, begun["inference_id"])
        assert (ended["status"], ended["done"]) == ("COMPLETED", 7)
        assert await credits_of(ada) == (before - 11.75, 0.0)
        found = await results_of(ada, begun["inference_id"], limit=4)
        assert [one["original_path"] for one in found["images"]] == ["one.jpg"]
        frames = [frame for video in found["videos"] for frame in video["frames"]]
        assert [(one["frame"], one["time_s"]) for one in frames] == [(n, n / 2) for n in range(6)]
        assert {one["prediction"]["cost"] for one in frames} == {1.5}
        video = found["videos"][0]
        assert (video["original_path"], video["frames_total"], video["output_url"]) == ("bench.mp4", 6, None)
        assert video["duration_s"] == pytest.approx(2.9, abs=0.2)

    async def test_one_frame_can_be_shown_and_asked_again(self, ada: Person) -> None:
        await take_in(ada, "bench.mp4", film(times=THREE_SECONDS))
        begun = await order(ada, parameters={"annotate": True})
        await until_over(ada, begun["inference_id"])
        (video,) = (await results_of(ada, begun["inference_id"]))["videos"]
        last = video["frames"][-1]["prediction"]
        assert last["frame"] == {"number": 2, "time_s": 2.0, "fps": 1.0}
        assert (await ada.http.get(last["annotated_url"])).headers["content-type"] == "image/jpeg"
        place = f"/api/v1/predictions/{last['prediction_id']}"
        assert (await ada.get(f"{place}/annotated")).headers["content-type"] == "image/jpeg"
        again = (await ada.post(f"{place}/replay")).json()
        assert again["verdict"] == "equal", again

    async def test_as_lines_and_as_coco_a_frame_has_a_name_of_its_own(self, ada: Person) -> None:
        await take_in(ada, "bench.mp4", film(times=THREE_SECONDS))
        begun = await order(ada, model="toolbox")
        await until_over(ada, begun["inference_id"])
        place = f"/api/v1/inferences/{begun['inference_id']}/download"
        lines = [orjson.loads(line) for line in (await ada.get(place, params={"format": "jsonl"})).text.splitlines()]
        assert [line["frame"]["time_s"] for line in lines] == [0.0, 1.0, 2.0]
        coco = (await ada.get(place, params={"format": "coco"})).json()
        assert [one["file_name"] for one in coco["images"]] == [f"bench/frame_{n:06d}.png" for n in range(3)]
        archive = await ada.get(place, params={"annotated": "true"})
        with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
            drawn_frames = [f"annotated/bench/frame_{n:06d}.jpg" for n in range(3)]
            assert opened.namelist() == [*drawn_frames, "results.jsonl"]
            assert all(opened.read(name).startswith(b"\xff\xd8") for name in drawn_frames)

    async def test_frames_over_several_chunks(self, ada: Person) -> None:
        """Sixteen to a chunk: the second begins in the middle of the film."""
        await take_in(ada, "bench.mp4", film(times=THREE_SECONDS), fps="source")
        begun = await order(ada)
        ended = await until_over(ada, begun["inference_id"])
        assert ended["done"] == 30
        found = await results_of(ada, begun["inference_id"])
        frames = [frame for video in found["videos"] for frame in video["frames"]]
        assert sorted(one["time_s"] for one in frames) == THREE_SECONDS


@pytest.mark.usefixtures("photos")
class TestFillingAFilm:
    async def test_the_frames_become_a_film_of_the_same_length(self, ada: Person, tmp_path: Path) -> None:
        await take_in(ada, "bench.mp4", film(times=THREE_SECONDS), beside=mask(96, 64), group="kit")
        begun = await order(ada, model="inpaint-telea")
        ended = await until_over(ada, begun["inference_id"])
        assert (ended["status"], ended["done"]) == ("COMPLETED", 3)
        (video,) = (await results_of(ada, begun["inference_id"]))["videos"]
        assert (video["output_path"], len(video["frames"])) == ("kit/bench.mp4", 3)
        fetched = await ada.http.get(video["output_url"])
        assert fetched.headers["content-type"] == "video/mp4"
        (tmp_path / "film.mp4").write_bytes(fetched.content)
        facts = probe(tmp_path / "film.mp4")
        assert facts.duration_s == pytest.approx(video["duration_s"], abs=0.05)
        assert (facts.width, facts.height) == (96, 64)
        archive = await ada.get(f"/api/v1/inferences/{begun['inference_id']}/download")
        with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
            assert sorted(opened.namelist()) == ["outputs/kit/bench.mp4", "results.jsonl"]
            assert opened.read("outputs/kit/bench.mp4") == fetched.content

    async def test_without_a_mask_every_frame_fails_with_the_reason_and_costs_nothing(self, ada: Person) -> None:
        await take_in(ada, "bench.mp4", film(times=THREE_SECONDS))
        before = await credits_of(ada)
        begun = await order(ada, model="inpaint-telea")
        ended = await until_over(ada, begun["inference_id"])
        assert (ended["status"], ended["failed"]) == ("FAILED", 3)
        found = await results_of(ada, begun["inference_id"])
        assert [(one["frame"], one["time_s"], one["code"]) for one in found["failed"]] == [
            (n, float(n), "mask-needed") for n in range(3)
        ]
        assert await credits_of(ada) == before
        again = await ada.post(f"/api/v1/inferences/{begun['inference_id']}/retry")
        assert (again.json()["items"], again.json()["price"]) == (3, 4.5)
        assert (await until_over(ada, again.json()["inference_id"]))["failed"] == 3
