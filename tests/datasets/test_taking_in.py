"""Pictures and their masks become items, and cost what they cost: all of it or nothing."""

import asyncio
import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from retinue import assembly
from retinue.accounts.access import Identity
from retinue.base import failpoints
from retinue.datasets.content import FileContent
from retinue.datasets.handling import Asked
from retinue.datasets.importing import take_in
from retinue.datasets.kinds import Sent
from retinue.datasets.life_cycle import find
from retinue.media.sweeping import sweep
from tests.accounts.people import Person
from tests.datasets.sending import books, credits_of, items_of, make, nothing_happened, send, stored_keys, taken_in
from tests.pictures import drawn, mask, photograph

KEY = {"Idempotency-Key": "push-1"}


def grey_mask(width: int = 64, height: int = 48, *, quality: int | None = None) -> bytes:
    """A box; as JPEG its edges are noisy."""
    grey = np.zeros((height, width), np.uint8)
    grey[8:24, 16:40] = 255
    out = io.BytesIO()
    if quality is None:
        Image.fromarray(grey).save(out, "PNG")
    else:
        Image.fromarray(grey).save(out, "JPEG", quality=quality)
    return out.getvalue()


@pytest.fixture(autouse=True)
async def tools(ada: Person) -> None:
    await make(ada)


class TestOnePicture:
    async def test_it_becomes_an_item(self, ada: Person) -> None:
        told = await taken_in(ada, photograph("coffee"), name="cup.jpg", group="kitchen")
        assert told["processed_items"] == 1
        assert (told["price"], told["credits_used"], told["credits_remaining"]) == (0.65, 0.65, 99.35)
        assert told["report"] == {
            "accepted": [
                {"index": 0, "name": "kitchen/cup.jpg", "mask": None, "type": "image", "frames": None, "cost": 0.65}
            ],
            "skipped": [],
            "duplicates": [],
            "rejected": [],
        }
        [item] = await items_of(ada)
        assert (item["index"], item["group"], item["type"], item["image_path"]) == (
            0,
            "kitchen",
            "image",
            "kitchen/cup.jpg",
        )
        assert (item["width"], item["height"], item["frames"], item["mask_path"]) == (600, 400, None, None)

    async def test_its_bytes_are_kept_as_they_came(self, ada: Person, house: assembly.House) -> None:
        data = photograph("chelsea")
        await taken_in(ada, data)
        [item] = await items_of(ada)
        assert (await ada.http.get(item["url"])).content == data
        [key] = await stored_keys(house)
        assert key.startswith("images/2026/01/01/")
        assert key.endswith(".jpg")

    async def test_uploads_append(self, ada: Person) -> None:
        for seed in range(3):
            await taken_in(ada, drawn(seed))
        assert [one["index"] for one in await items_of(ada)] == [0, 1, 2]
        shown = (await ada.get("/api/v1/datasets/tools")).json()
        assert (shown["items"], shown["pictures"], shown["videos"]) == (3, 3, 0)
        assert shown["size_bytes"] == sum(len(drawn(seed)) for seed in range(3))

    async def test_many_at_once_get_an_index_each(self, ada: Person, house: assembly.House) -> None:
        await asyncio.gather(*(taken_in(ada, drawn(seed)) for seed in range(12)))
        assert [one["index"] for one in await items_of(ada)] == list(range(12))
        assert await credits_of(ada) == (92.2, 0.0)
        assert books(house) == []

    async def test_names_lose_their_way_and_their_tricks(self, ada: Person) -> None:
        await taken_in(ada, drawn(1), name="../../etc/a\u202eb.jpg", group="../x//./y")
        assert (await items_of(ada))[0]["image_path"] == "x/y/ab.jpg"

    async def test_without_a_file(self, ada: Person, house: assembly.House) -> None:
        answer = await ada.post("/api/v1/datasets/tools/items", data={"group": "x"})
        assert (answer.status_code, answer.json()["code"]) == (422, "no-file")

    async def test_two_files_that_are_both_no_mask(self, ada: Person) -> None:
        files = [("file", ("a.jpg", drawn(1))), ("other", ("b.jpg", drawn(2)))]
        answer = await ada.post("/api/v1/datasets/tools/items", files=files)
        assert (answer.status_code, answer.json()["code"]) == (422, "which-file")

    @pytest.mark.parametrize("told", [{"fps": "0"}, {"fps": "nan"}, {"fps": "fast"}, {"what": "1"}, {"dry_run": "x"}])
    async def test_parameters_that_cannot_be(self, ada: Person, house: assembly.House, told: dict[str, str]) -> None:
        answer = await send(ada, drawn(1), **told)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-parameters")
        await nothing_happened(house, ada)


class TestMasks:
    async def test_a_mask_is_kept_clean_and_costs_nothing(self, ada: Person) -> None:
        told = await taken_in(ada, drawn(1), mask=grey_mask(quality=60))
        assert told["credits_used"] == 0.65
        [item] = await items_of(ada)
        assert (item["type"], item["mask_path"]) == ("pair", "mask.png")
        kept = Image.open(io.BytesIO((await ada.http.get(item["mask_url"])).content))
        assert (kept.format, kept.mode, kept.size) == ("PNG", "1", (64, 48))
        assert np.array_equal(np.asarray(kept), np.asarray(Image.open(io.BytesIO(grey_mask()))) > 0)

    @pytest.mark.parametrize(
        ("bad", "word"),
        [
            (mask(32, 48), "32 × 48"),
            (photograph("coffee", width=64), "64 ×"),
            (drawn(5), "grey"),
            (grey_mask()[:60], "ends before it is complete"),
        ],
        ids=["another size", "a photograph of another size", "not black and white", "cut short"],
    )
    async def test_one_that_does_not_fit_says_what_was_found(
        self, ada: Person, house: assembly.House, bad: bytes, word: str
    ) -> None:
        answer = await send(ada, drawn(1), mask=bad)
        assert answer.status_code == 422
        assert word in answer.json()["detail"]
        await nothing_happened(house, ada)

    async def test_a_mask_for_a_zip_is_refused(self, ada: Person, house: assembly.House) -> None:
        from tests.corpus.archives import zipped

        answer = await send(ada, zipped(("a.jpg", drawn(1))), name="a.zip", mask=grey_mask())
        assert (answer.status_code, answer.json()["code"]) == (415, "not-taken-in")
        await nothing_happened(house, ada)


class TestDuplicates:
    async def test_the_same_picture_again_is_told_and_free(self, ada: Person, house: assembly.House) -> None:
        await taken_in(ada, drawn(1), name="a.jpg")
        before = await stored_keys(house)
        told = await taken_in(ada, drawn(1), name="b.jpg")
        assert (told["processed_items"], told["credits_used"]) == (0, 0.0)
        assert told["report"]["duplicates"] == ["b.jpg"]
        assert await stored_keys(house) == before
        assert await credits_of(ada) == (99.35, 0.0)

    async def test_with_another_mask_it_is_another_item(self, ada: Person) -> None:
        await taken_in(ada, drawn(1))
        await taken_in(ada, drawn(1), mask=mask(64, 48))
        assert [one["type"] for one in await items_of(ada)] == ["image", "pair"]

    async def test_in_another_dataset_too(self, ada: Person) -> None:
        await make(ada, "more")
        await taken_in(ada, drawn(1))
        assert (await taken_in(ada, drawn(1), to="more"))["processed_items"] == 1

    async def test_twins_at_once_become_one_item(self, ada: Person, house: assembly.House) -> None:
        answers = await asyncio.gather(*(taken_in(ada, drawn(1)) for _ in range(6)))
        assert sorted(one["processed_items"] for one in answers) == [0, 0, 0, 0, 0, 1]
        assert await credits_of(ada) == (99.35, 0.0)
        assert len(await stored_keys(house)) == 1

    async def test_a_deleted_one_may_come_again(self, ada: Person) -> None:
        await taken_in(ada, drawn(1))
        await ada.delete("/api/v1/datasets/tools/items/0")
        await taken_in(ada, drawn(1))
        assert [one["index"] for one in await items_of(ada)] == [1]


class TestDryRun:
    async def test_it_tells_everything_and_does_nothing(self, ada: Person, house: assembly.House) -> None:
        told = await taken_in(ada, drawn(1), dry_run="true")
        assert (told["price"], told["credits_used"], told["credits_remaining"]) == (0.65, 0.0, 100.0)
        assert told["report"]["accepted"][0]["index"] is None
        await nothing_happened(house, ada)

    async def test_in_the_query_too(self, ada: Person, house: assembly.House) -> None:
        answer = await ada.post("/api/v1/datasets/tools/items?dry_run=true", files={"anything": ("a.jpg", drawn(1))})
        assert answer.json()["price"] == 0.65
        await nothing_happened(house, ada)


class TestPaying:
    async def test_too_few_credits_leave_nothing(self, ada: Person, admin: Person, house: assembly.House) -> None:
        await admin.post(f"/api/v1/admin/users/{ada.user.email}/credits", json={"amount": -99.5, "reason": "test"})
        answer = await send(ada, drawn(1))
        assert (answer.status_code, answer.json()["code"]) == (402, "not-enough-credits")
        assert (answer.json()["needed"], answer.json()["available"]) == (0.65, 0.5)
        assert await items_of(ada) == []
        assert await stored_keys(house) == set()

    async def test_a_failure_before_the_charge_leaves_nothing(self, ada: Person, house: assembly.House) -> None:
        failpoints.arm("before_dataset_charge=raise")
        data = drawn(1)
        sent = Sent(FileContent("a.jpg", len(data), io.BytesIO(data)))
        dataset = house.database.read_now(lambda now: find(now, "tools", owner_id=ada.user.id))
        caller = Identity(ada.user.id, ada.user.email, "user")
        with pytest.raises(failpoints.FailpointHit):
            await take_in(assembly.importer_of(house), sent, Asked(dataset), caller)
        await nothing_happened(house, ada)


class TestOnce:
    async def test_a_repeat_gets_the_stored_report(self, ada: Person) -> None:
        first = await send(ada, drawn(1), headers=KEY)
        again = await send(ada, drawn(1), headers=KEY)
        assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
        assert await credits_of(ada) == (99.35, 0.0)

    async def test_another_file_under_the_key_is_refused(self, ada: Person) -> None:
        await send(ada, drawn(1), headers=KEY)
        answer = await send(ada, drawn(2), headers=KEY)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")

    async def test_a_refused_upload_leaves_the_key_free(self, ada: Person) -> None:
        assert (await send(ada, drawn(1)[:300], headers=KEY)).status_code == 422
        assert (await send(ada, drawn(1), headers=KEY)).status_code == 200


class TestItems:
    async def test_one_by_its_index(self, ada: Person) -> None:
        await taken_in(ada, drawn(1))
        assert (await ada.get("/api/v1/datasets/tools/items/0")).json()["times"] is None
        assert (await ada.get("/api/v1/datasets/tools/items/1")).status_code == 404
        assert (await ada.get(f"/api/v1/datasets/tools/items/{2**70}")).status_code == 404

    async def test_by_group_and_page(self, ada: Person) -> None:
        for seed in range(4):
            await taken_in(ada, drawn(seed), group="ab"[seed % 2])
        told = (await ada.get("/api/v1/datasets/tools/items?group=b&limit=1")).json()
        assert [one["index"] for one in told["items"]] == [1]
        told = (await ada.get(f"/api/v1/datasets/tools/items?group=b&limit=1&cursor={told['next_cursor']}")).json()
        assert ([one["index"] for one in told["items"]], told["next_cursor"]) == ([3], None)

    async def test_a_deleted_item_takes_its_files_along(self, ada: Person, house: assembly.House) -> None:
        await taken_in(ada, drawn(1), mask=grey_mask())
        [item] = await items_of(ada)
        assert (await ada.delete("/api/v1/datasets/tools/items/0")).status_code == 204
        assert (await ada.http.get(item["url"])).status_code == 410
        await sweep(house.database, house.storage, house.clock, retention_days=0)
        assert await stored_keys(house) == set()
        shown = (await ada.get("/api/v1/datasets/tools")).json()
        assert (shown["items"], shown["size_bytes"]) == (0, 0)
        assert books(house) == []

    async def test_retention_of_live_pictures_does_not_touch_them(self, ada: Person, house: assembly.House) -> None:
        await taken_in(ada, drawn(1))
        house.clock.advance(days=400)  # type: ignore[attr-defined]
        assert await sweep(house.database, house.storage, house.clock, retention_days=30) == 0

    async def test_a_picture_in_a_dataset_and_in_a_prediction_are_two_files(self, ada: Person) -> None:
        await taken_in(ada, drawn(1))
        told = (await ada.post("/api/v1/predict", files={"file": ("x.jpg", drawn(1))})).json()
        await ada.delete(f"/api/v1/predictions/{told['prediction_id']}")
        [item] = await items_of(ada)
        assert hashlib.sha256((await ada.http.get(item["url"])).content).digest() == hashlib.sha256(drawn(1)).digest()
