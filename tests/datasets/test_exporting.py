"""What goes out as a ZIP, and comes back in: through our own import and through the readers of the trade."""

import contextlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from retinue import assembly
from retinue.datasets.exporting import Export
from retinue.datasets.layouts import Mark
from retinue.datasets.life_cycle import find
from tests.accounts.people import Person
from tests.corpus.archives import zipped
from tests.corpus.videos import film
from tests.datasets.sending import items_of, make, taken_in
from tests.pictures import drawn, mask


def two_boxes() -> bytes:
    grey = np.zeros((48, 64), np.uint8)
    grey[4:14, 6:26] = 255
    grey[30:40, 40:50] = 255
    out = io.BytesIO()
    Image.fromarray(grey).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
async def kit(ada: Person) -> str:
    """Three groups, pairs, lone pictures and a video."""
    await make(ada, "my kit")
    data = zipped(
        ("a/image_1.jpg", drawn(1)),
        ("a/mask_1.png", two_boxes()),
        ("a/image_2.jpg", drawn(2)),
        ("b/c/image_1.jpg", drawn(3)),
        ("b/c/mask_1.png", mask(64, 48)),
        ("film.mp4", film(times=[0, 0.5, 1.5])),
    )
    told = await taken_in(ada, data, name="kit.zip", to="my kit")
    assert told["processed_items"] == 4
    return "my kit"


async def export(person: Person, name: str, **query: Any) -> zipfile.ZipFile:
    answer = await person.get(f"/api/v1/datasets/{name}/export", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    return archive


def coco_in(archive: zipfile.ZipFile, name: str, folder: Path) -> COCO:
    (folder / "coco.json").write_bytes(archive.read(name))
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(folder / "coco.json"))


class TestOurOwn:
    async def test_what_goes_out_comes_back(self, ada: Person, kit: str) -> None:
        archive = await export(ada, kit)
        assert archive.namelist()[:3] == [
            "my_kit/a/image_000000.jpg",
            "my_kit/a/mask_000000.png",
            "my_kit/a/image_000001.jpg",
        ]
        assert archive.read("my_kit/a/image_000000.jpg") == drawn(1)
        await make(ada, "again")
        assert archive.fp is not None
        archive.fp.seek(0)
        told = await taken_in(ada, archive.fp.read(), name="again.zip", to="again")
        assert (told["report"]["rejected"], told["report"]["skipped"]) == ([], ["my_kit/items.jsonl"])
        same = ("index", "group", "type", "width", "height", "frames", "fps", "duration_s")
        before, after = await items_of(ada, kit), await items_of(ada, "again")
        assert [[one[name] for name in same] for one in after] == [[one[name] for name in same] for one in before]
        for one, other in zip(before, after, strict=True):
            for link in ("url", "mask_url"):
                assert (one[link] is None) == (other[link] is None)
                if one[link]:
                    assert (await ada.http.get(one[link])).content == (await ada.http.get(other[link])).content

    async def test_names_as_they_were_lie_beside(self, ada: Person, kit: str) -> None:
        lines = (await export(ada, kit)).read("my_kit/items.jsonl").splitlines()
        assert json.loads(lines[3])["name"] == "film.mp4"

    async def test_an_empty_one(self, ada: Person) -> None:
        await make(ada, "empty")
        for layout in ("masks", "folders", "coco", "yolo"):
            await export(ada, "empty", format=layout)

    async def test_a_deleted_item_stays_away(self, ada: Person, kit: str) -> None:
        await ada.delete(f"/api/v1/datasets/{kit}/items/0")
        assert "my_kit/a/image_000000.jpg" not in (await export(ada, kit)).namelist()


class TestCoco:
    async def test_it_is_read_by_its_own_tools(self, ada: Person, kit: str, tmp_path: Path) -> None:
        archive = await export(ada, kit, format="coco")
        coco = coco_in(archive, "my_kit/annotations/instances_all.json", tmp_path)
        assert [one["file_name"] for one in coco.loadImgs(coco.getImgIds())] == [
            "image_000000.jpg",
            "image_000001.jpg",
            "image_000002.jpg",
        ]
        assert [one["name"] for one in coco.loadCats(coco.getCatIds())] == ["a", "b/c"]
        found = coco.loadAnns(coco.getAnnIds(imgIds=[1]))
        assert [(one["bbox"], one["area"]) for one in found] == [([6, 4, 20, 10], 200), ([40, 30, 10, 10], 100)]
        whole = sum(coco.annToMask(one) for one in found)
        assert np.array_equal(whole * 255, np.asarray(Image.open(io.BytesIO(two_boxes()))))
        assert archive.read("my_kit/images/image_000002.jpg") == drawn(3)
        assert archive.read("my_kit/left-out.txt") == b"film.mp4\n"

    async def test_others_may_tell_more(self, ada: Person, kit: str, house: assembly.House, tmp_path: Path) -> None:
        class Pliers:
            async def marks(self, items: Any) -> dict[str, list[Mark]]:
                return {items[1].id: [Mark("pliers", (1, 2, 3, 4), 12)]}

            def files(self) -> Iterator[tuple[str, bytes]]:
                yield "pliers.txt", b"one"

        dataset = house.database.read_now(lambda now: find(now, kit, owner_id=ada.user.id))
        export = Export(house.database, house.storage, dataset, "coco", more=lambda _: Pliers())
        data = b"".join([piece async for piece in export.stream()])
        archive = zipfile.ZipFile(io.BytesIO(data))
        assert archive.read("my_kit/pliers.txt") == b"one"
        coco = coco_in(archive, "my_kit/annotations/instances_all.json", tmp_path)
        [found] = coco.loadAnns(coco.getAnnIds(imgIds=[2]))
        assert (coco.loadCats(found["category_id"])[0]["name"], found["bbox"]) == ("pliers", [1, 2, 3, 4])


class TestYolo:
    async def test_boxes_as_shares(self, ada: Person, kit: str) -> None:
        archive = await export(ada, kit, format="yolo")
        lines = archive.read("my_kit/labels/train/image_000000.txt").decode().splitlines()
        assert [[float(number) for number in line.split()] for line in lines] == [
            pytest.approx([0, 16 / 64, 9 / 48, 20 / 64, 10 / 48], abs=1e-6),
            pytest.approx([0, 45 / 64, 35 / 48, 10 / 64, 10 / 48], abs=1e-6),
        ]
        assert archive.read("my_kit/labels/train/image_000001.txt") == b""
        told = archive.read("my_kit/data.yaml").decode()
        assert "train: images/train" in told
        assert '1: "b/c"' in told


class TestFolders:
    async def test_a_folder_per_class(self, ada: Person, kit: str) -> None:
        names = (await export(ada, kit, format="folders")).namelist()
        assert names == [
            "my_kit/a/image_000000.jpg",
            "my_kit/a/image_000001.jpg",
            "my_kit/b_c/image_000002.jpg",
            "my_kit/left-out.txt",
        ]


class TestSplit:
    @pytest.fixture
    async def many(self, ada: Person) -> str:
        await make(ada, "many")
        files = [(f"{seed:03}.jpg", drawn(seed)) for seed in range(60)]
        await taken_in(ada, zipped(*files), name="many.zip", to="many")
        return "many"

    @staticmethod
    def parts(archive: zipfile.ZipFile) -> dict[str, str]:
        return {name.split("/")[-1]: name.split("/")[1] for name in archive.namelist() if name.endswith(".jpg")}

    async def test_by_shares_and_seed(self, ada: Person, many: str) -> None:
        first = self.parts(await export(ada, many, split="80/10/10", seed=1))
        assert set(first.values()) == {"train", "val", "test"}
        assert 38 <= list(first.values()).count("train") <= 58
        assert self.parts(await export(ada, many, split="80,10,10", seed=1)) == first
        assert self.parts(await export(ada, many, split="80/10/10", seed=2)) != first

    async def test_nobody_moves_when_others_join(self, ada: Person, many: str) -> None:
        before = self.parts(await export(ada, many, split="50/25/25"))
        await taken_in(ada, drawn(1000), to=many)
        after = self.parts(await export(ada, many, split="50/25/25"))
        assert {name: after[name] for name in before} == before

    async def test_all_of_one(self, ada: Person, many: str) -> None:
        assert set(self.parts(await export(ada, many, split="1/0/0")).values()) == {"train"}

    @pytest.mark.parametrize("split", ["80", "0/0/0", "a/b/c", "-1/1/1", "80/10/10/5"])
    async def test_no_split_at_all(self, ada: Person, split: str) -> None:
        await make(ada)
        answer = await ada.get("/api/v1/datasets/tools/export", params={"split": split})
        assert (answer.status_code, answer.json()["code"]) == (422, "bad-split")


class TestRefusals:
    async def test_another_format_and_somebody_elses(self, ada: Person, bob: Person, kit: str) -> None:
        assert (await ada.get(f"/api/v1/datasets/{kit}/export?format=pascal")).status_code == 422
        assert (await bob.get(f"/api/v1/datasets/{kit}/export")).status_code == 404

    async def test_a_file_that_is_gone_is_named(self, ada: Person, kit: str, house: assembly.House) -> None:
        keys = [entry.key async for entry in house.storage.list("images/") if entry.key.endswith("mp4")]
        await house.storage.delete(keys)
        assert (await export(ada, kit)).read("my_kit/left-out.txt") == b"film.mp4\n"
