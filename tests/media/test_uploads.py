"""Large files arrive in pieces, go on after every cut, and are complete or gone."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from retinue import assembly
from retinue.base.clock import SetClock
from retinue.base.database import Transaction
from retinue.media import quota, uploads
from retinue.media.quota import Quota, QuotaExceeded
from retinue.media.uploads import Uploads
from tests.accounts.people import Person, with_key
from tests.corpus.archives import zipped
from tests.pictures import drawn, mask


@pytest.fixture
def waiting(house: assembly.House) -> Uploads:
    return assembly.uploads_of(house)


async def begin(person: Person, size: int, *, filename: str = "kit.zip", **more: Any) -> str:
    answer = await person.post("/api/v1/uploads", json={"filename": filename, "size": size, **more})
    assert answer.status_code == 201, answer.text
    upload_id: str = answer.json()["upload_id"]
    return upload_id


async def append(person: Person, upload_id: str, data: bytes, *, at: int) -> Any:
    headers = {"Upload-Offset": str(at), "Content-Type": "application/octet-stream"}
    return await person.patch(f"/api/v1/uploads/{upload_id}", content=data, headers=headers)


async def offset_of(person: Person, upload_id: str) -> int:
    answer = await person.ask("HEAD", f"/api/v1/uploads/{upload_id}")
    assert answer.status_code == 204
    return int(answer.headers["upload-offset"])


async def complete(person: Person, upload_id: str) -> Any:
    return await person.post(f"/api/v1/uploads/{upload_id}/complete")


async def keys(house: assembly.House) -> set[str]:
    return {entry.key async for entry in house.storage.list()}


def used(house: assembly.House, person: Person) -> tuple[int, int]:
    found = house.database.read_now(lambda now: quota.used_by(now, person.user.id))
    return found.size_bytes, found.files


class TestRoad:
    async def test_begun_appended_and_completed(self, ada: Person, waiting: Uploads) -> None:
        data = random.Random(1).randbytes(1000)
        upload_id = await begin(ada, 1000, sha256=hashlib.sha256(data).hexdigest())
        assert (await append(ada, upload_id, data[:600], at=0)).headers["upload-offset"] == "600"
        assert await offset_of(ada, upload_id) == 600
        assert (await append(ada, upload_id, data[600:], at=600)).json()["offset"] == 1000
        done = await complete(ada, upload_id)
        assert (done.status_code, done.json()["is_complete"]) == (200, True)
        async with waiting.complete_file(ada.user.id, upload_id) as (path, name):
            assert (path.read_bytes(), name) == (data, "kit.zip")
        assert not path.exists()

    async def test_large_bodies_become_several_pieces(
        self, ada: Person, house: assembly.House, waiting: Uploads
    ) -> None:
        data = random.Random(2).randbytes(uploads.PIECE_BYTES * 2 + 5)
        upload_id = await begin(ada, len(data))
        assert (await append(ada, upload_id, data, at=0)).status_code == 200
        await complete(ada, upload_id)
        assert len(await keys(house)) >= 2
        async with waiting.complete_file(ada.user.id, upload_id) as (path, _):
            assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(data).digest()

    async def test_completing_twice_is_fine(self, ada: Person) -> None:
        upload_id = await begin(ada, 1)
        await append(ada, upload_id, b"x", at=0)
        assert [(await complete(ada, upload_id)).status_code for _ in range(2)] == [200, 200]
        assert (await append(ada, upload_id, b"y", at=1)).json()["code"] == "upload-complete"


class TestCut:
    async def test_what_arrived_before_the_cut_is_kept(self, ada: Person, waiting: Uploads) -> None:
        data = random.Random(3).randbytes(100_000)

        async def cut_at_60_percent() -> AsyncIterator[bytes]:
            for start in range(0, 60_000, 5_000):
                yield data[start : start + 5_000]
            raise ClientDisconnect

        upload_id = await begin(ada, len(data), sha256=hashlib.sha256(data).hexdigest())
        await waiting.append(ada.user.id, upload_id, offset=0, body=cut_at_60_percent())
        at = await offset_of(ada, upload_id)
        assert at == 60_000
        assert (await append(ada, upload_id, data[at:], at=at)).status_code == 200
        assert (await complete(ada, upload_id)).status_code == 200


class TestRefusals:
    async def test_another_offset(self, ada: Person, house: assembly.House) -> None:
        upload_id = await begin(ada, 10)
        await append(ada, upload_id, b"12345", at=0)
        for at in (0, 4, 6, 10):
            answer = await append(ada, upload_id, b"x", at=at)
            assert (answer.status_code, answer.json()["code"], answer.json()["offset"]) == (409, "wrong-offset", 5)
        assert len(await keys(house)) == 1

    async def test_of_two_at_the_same_place_one_wins(self, ada: Person, house: assembly.House) -> None:
        upload_id = await begin(ada, 3)
        answers = await asyncio.gather(*(append(ada, upload_id, letter, at=0) for letter in (b"a", b"b", b"c", b"d")))
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
        assert await offset_of(ada, upload_id) == 1
        assert len(await keys(house)) == 1

    async def test_more_than_announced(self, ada: Person) -> None:
        upload_id = await begin(ada, 3)
        assert (await append(ada, upload_id, b"1234", at=0)).status_code == 413
        assert await offset_of(ada, upload_id) == 0

    async def test_completing_too_early(self, ada: Person) -> None:
        upload_id = await begin(ada, 3)
        await append(ada, upload_id, b"12", at=0)
        answer = await complete(ada, upload_id)
        assert (answer.status_code, answer.json()["code"], answer.json()["offset"]) == (409, "upload-incomplete", 2)

    async def test_another_checksum(self, ada: Person) -> None:
        upload_id = await begin(ada, 3, sha256="0" * 64)
        await append(ada, upload_id, b"123", at=0)
        assert (await complete(ada, upload_id)).json()["code"] == "checksum-differs"

    @pytest.mark.parametrize(
        "told",
        [
            {"filename": "a.zip", "size": 0},
            {"filename": "a.zip", "size": -1},
            {"filename": "a.zip", "size": 2**63},
            {"filename": "", "size": 1},
            {"filename": "a\x00", "size": 1},
            {"filename": "a.zip", "size": 1, "sha256": "xyz"},
            {"filename": "a.zip"},
        ],
    )
    async def test_what_cannot_be_begun(self, ada: Person, told: dict[str, Any]) -> None:
        assert (await ada.post("/api/v1/uploads", json=told)).status_code == 422

    async def test_larger_than_any_archive_may_be(self, ada: Person) -> None:
        answer = await ada.post("/api/v1/uploads", json={"filename": "a.zip", "size": (8 << 30) + 1})
        assert (answer.status_code, answer.json()["code"]) == (413, "upload-too-large")

    @pytest.mark.parametrize("offset", ["", "-1", "x", str(2**70)])
    async def test_offsets_that_are_none(self, ada: Person, offset: str) -> None:
        upload_id = await begin(ada, 3)
        headers = {"Upload-Offset": offset}
        assert (await ada.patch(f"/api/v1/uploads/{upload_id}", content=b"x", headers=headers)).status_code == 422

    async def test_somebody_elses(self, ada: Person, bob: Person) -> None:
        upload_id = await begin(ada, 3)
        assert (await append(bob, upload_id, b"x", at=0)).status_code == 404
        assert (await complete(bob, upload_id)).status_code == 404
        assert (await bob.delete(f"/api/v1/uploads/{upload_id}")).status_code == 404

    async def test_a_name_is_cleaned(self, ada: Person) -> None:
        answer = await ada.post("/api/v1/uploads", json={"filename": "../a\r\n\u202eb.zip", "size": 1})
        assert answer.json()["filename"] == "../ab.zip"


class TestRoom:
    async def test_sixteen_under_way_and_no_more(self, ada: Person, bob: Person) -> None:
        ids = [await begin(ada, 1) for _ in range(16)]
        answer = await ada.post("/api/v1/uploads", json={"filename": "a.zip", "size": 1})
        assert (answer.status_code, answer.json()["code"]) == (429, "too-many-uploads")
        await begin(bob, 1)
        await ada.delete(f"/api/v1/uploads/{ids[0]}")
        await begin(ada, 1)

    async def test_announced_bytes_count_until_it_is_dropped(self, ada: Person, house: assembly.House) -> None:
        upload_id = await begin(ada, 8 << 30)
        await begin(ada, 8 << 30)
        answer = await ada.post("/api/v1/uploads", json={"filename": "a.zip", "size": 5 << 30})
        assert (answer.status_code, answer.json()["code"]) == (413, "quota-exceeded")
        assert answer.json()["used_bytes"] == 16 << 30
        await ada.delete(f"/api/v1/uploads/{upload_id}")
        await begin(ada, 5 << 30)
        assert used(house, ada) == (13 << 30, 2)

    async def test_the_number_of_files_counts_too(self, ada: Person, house: assembly.House) -> None:
        limits = Quota(max_bytes=1 << 20, max_files=2)

        def take(now: Transaction) -> None:
            limits.take(now, ada.user.id, size_bytes=1, files=2)
            with pytest.raises(QuotaExceeded):
                limits.take(now, ada.user.id, size_bytes=1, files=1)

        house.database.write_now(take)
        assert used(house, ada) == (1, 2)


class TestExpiry:
    async def test_an_unfinished_one_goes_after_a_day(
        self, ada: Person, house: assembly.House, waiting: Uploads, clock: SetClock
    ) -> None:
        lasting = with_key(house, ada)
        upload_id = await begin(lasting, 10)
        await append(lasting, upload_id, b"12345", at=0)
        clock.advance(hours=23)
        assert await uploads.sweep(waiting) == 0
        await append(lasting, upload_id, b"6", at=5)
        clock.advance(hours=23)
        assert await uploads.sweep(waiting) == 0
        clock.advance(hours=2)
        assert (await append(lasting, upload_id, b"7", at=6)).status_code == 410
        assert await uploads.sweep(waiting) == 2
        assert await keys(house) == set()
        assert used(house, ada) == (0, 0)
        assert (await append(lasting, upload_id, b"7", at=6)).status_code == 404

    async def test_a_piece_without_a_row_goes_with_its_upload(
        self, ada: Person, house: assembly.House, waiting: Uploads
    ) -> None:
        upload_id = await begin(ada, 10)
        await house.storage.put(f"uploads/{upload_id}/lost", b"killed before its row was written")
        assert await uploads.sweep(waiting) == 0
        await ada.delete(f"/api/v1/uploads/{upload_id}")
        assert await uploads.sweep(waiting) == 1


class TestIntoADataset:
    async def test_a_finished_one_is_used_up(self, ada: Person, house: assembly.House, waiting: Uploads) -> None:
        await ada.post("/api/v1/datasets", json={"name": "tools"})
        data = zipped(("a.jpg", drawn(1)), ("b.jpg", drawn(2)))
        upload_id = await begin(ada, len(data))
        path = "/api/v1/datasets/tools/items"
        assert (await ada.post(path, json={"upload_id": upload_id})).json()["code"] == "upload-incomplete"
        for start in range(0, len(data), 1000):
            await append(ada, upload_id, data[start : start + 1000], at=start)
        await complete(ada, upload_id)
        assert (await ada.post(path, json={"upload_id": upload_id, "dry_run": True})).json()["price"] == 1.4
        told = await ada.post(path, json={"upload_id": upload_id}, headers={"Idempotency-Key": "k"})
        assert (told.status_code, told.json()["processed_items"]) == (200, 2)
        assert (await ada.post(path, json={"upload_id": upload_id})).status_code == 404
        await uploads.sweep(waiting)
        assert {key.split("/")[0] for key in await keys(house)} == {"images"}
        assert used(house, ada) == (len(drawn(1)) + len(drawn(2)), 2)

    async def test_a_refused_one_can_be_tried_again(self, ada: Person) -> None:
        await ada.post("/api/v1/datasets", json={"name": "tools"})
        upload_id = await begin(ada, 5, filename="a.jpg")
        await append(ada, upload_id, b"hello", at=0)
        await complete(ada, upload_id)
        answer = await ada.post("/api/v1/datasets/tools/items", json={"upload_id": upload_id})
        assert answer.status_code == 415
        assert await offset_of(ada, upload_id) == 5

    async def test_a_picture_in_one_and_its_mask_in_the_form(self, ada: Person) -> None:
        await ada.post("/api/v1/datasets", json={"name": "tools"})
        upload_id = await begin(ada, len(drawn(1)), filename="a.jpg")
        await append(ada, upload_id, drawn(1), at=0)
        await complete(ada, upload_id)
        answer = await ada.post(
            "/api/v1/datasets/tools/items", data={"upload_id": upload_id}, files={"mask": ("m.png", mask(64, 48))}
        )
        assert answer.json()["report"]["accepted"][0]["type"] == "pair"
