"""ZIPs become items: groups, pairs by number, flat ones, hostile ones."""

from typing import Any

import pytest

from retinue import assembly
from retinue.media.archives import is_archive
from tests.accounts.people import Person
from tests.corpus.archives import benign_archives, hostile_archives, zeros, zipped
from tests.corpus.pictures import benign_pictures, hostile_pictures
from tests.corpus.videos import film
from tests.datasets.sending import books, credits_of, items_of, make, nothing_happened, send, stored_keys, taken_in
from tests.pictures import drawn, mask

TWO_SECONDS = [n / 5 for n in range(10)]


@pytest.fixture(autouse=True)
async def tools(ada: Person) -> None:
    await make(ada)


async def taken_zip(person: Person, *files: tuple[str, bytes], **more: Any) -> dict[str, Any]:
    return await taken_in(person, zipped(*files), name="kit.zip", **more)


def accepted(told: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    return [(one["name"], one["type"], one["mask"]) for one in told["report"]["accepted"]]


class TestGroups:
    async def test_three_groups_with_pictures_videos_masks_and_a_note(self, ada: Person, house: assembly.House) -> None:
        told = await taken_zip(
            ada,
            ("kit/notes.txt", b"remember the pliers"),
            ("kit/first/image_1.jpg", drawn(1)),
            ("kit/first/image_2.jpg", drawn(2)),
            ("kit/first/mask_2.png", mask(64, 48)),
            ("kit/first/mask_1.png", mask(64, 48)),
            ("kit/second/video_1.mp4", film(times=TWO_SECONDS, size=(64, 48))),
            ("kit/second/mask_1.png", mask(64, 48)),
            ("kit/third/lonely.jpg", drawn(3)),
        )
        assert accepted(told) == [
            ("first/image_1.jpg", "pair", "mask_1.png"),
            ("first/image_2.jpg", "pair", "mask_2.png"),
            ("second/video_1.mp4", "video pair", "mask_1.png"),
            ("third/lonely.jpg", "image", None),
        ]
        assert told["report"]["skipped"] == ["kit/notes.txt"]
        assert told["report"]["rejected"] == []
        assert told["credits_used"] == 2.9  # three pictures at 0.70, two frames at 0.40
        assert [(one["index"], one["group"], one["frames"]) for one in await items_of(ada)] == [
            (0, "first", None),
            (1, "first", None),
            (2, "second", 2),
            (3, "third", None),
        ]
        assert books(house) == []

    async def test_a_flat_one(self, ada: Person) -> None:
        told = await taken_zip(ada, ("a.jpg", drawn(1)), ("b.jpg", drawn(2)))
        assert accepted(told) == [("a.jpg", "image", None), ("b.jpg", "image", None)]

    async def test_below_a_group_of_ones_own(self, ada: Person) -> None:
        told = await taken_zip(ada, ("x/a.jpg", drawn(1)), ("b.jpg", drawn(2)), group="monday")
        assert [name for name, _, _ in accepted(told)] == ["monday/x/a.jpg", "monday/b.jpg"]

    async def test_content_decides_not_the_name(self, ada: Person) -> None:
        told = await taken_zip(ada, ("a.txt", drawn(1)), ("b.jpg", b"hello"), ("c.mp4", drawn(2)), ("d", b"x"))
        assert accepted(told) == [("a.txt", "image", None), ("c.mp4", "image", None)]
        assert told["report"]["skipped"] == ["d"]
        assert [(one["name"], one["code"]) for one in told["report"]["rejected"]] == [("b.jpg", "not-a-picture")]

    async def test_two_originals_that_claim_one_mask(self, ada: Person) -> None:
        told = await taken_zip(
            ada,
            ("g/image_1.jpg", drawn(1)),
            ("g/photo_1.jpg", drawn(2)),
            ("g/mask_1.png", mask(64, 48)),
            ("h/x.jpg", drawn(3)),
        )
        assert accepted(told) == [("h/x.jpg", "image", None)]
        assert [one["name"] for one in told["report"]["rejected"]] == ["g/image_1.jpg", "g/photo_1.jpg"]
        assert "claim the same mask" in told["report"]["rejected"][0]["reason"]
        assert told["report"]["skipped"] == ["g/mask_1.png"]

    async def test_a_mask_of_another_size_rejects_its_picture_alone(self, ada: Person) -> None:
        told = await taken_zip(ada, ("image_1.jpg", drawn(1)), ("mask_1.png", mask(10, 10)), ("image_2.jpg", drawn(2)))
        assert accepted(told) == [("image_2.jpg", "image", None)]
        assert "10 × 10" in told["report"]["rejected"][0]["reason"]

    async def test_duplicates_within_and_before(self, ada: Person, house: assembly.House) -> None:
        await taken_in(ada, drawn(1))
        told = await taken_zip(ada, ("a.jpg", drawn(1)), ("b.jpg", drawn(2)), ("c.jpg", drawn(2)))
        assert accepted(told) == [("b.jpg", "image", None)]
        assert told["report"]["duplicates"] == ["a.jpg", "c.jpg"]
        assert told["credits_used"] == 0.70
        assert len(await stored_keys(house)) == 2

    async def test_sent_again_it_costs_nothing(self, ada: Person) -> None:
        files = [(f"{seed}.jpg", drawn(seed)) for seed in range(20)]
        await taken_zip(ada, *files)
        assert (await taken_zip(ada, *files))["credits_used"] == 0.0
        assert await credits_of(ada) == (86.0, 0.0)

    async def test_a_dry_run_tells_the_price_also_when_it_is_too_much(self, ada: Person, house: assembly.House) -> None:
        files = [(f"{seed}.jpg", drawn(seed)) for seed in range(150)]
        assert (await taken_zip(ada, *files, dry_run="true"))["price"] == 105.0
        answer = await send(ada, zipped(*files), name="kit.zip")
        assert (answer.status_code, answer.json()["needed"], answer.json()["available"]) == (402, 105.0, 100.0)
        await nothing_happened(house, ada)


class TestNothingInside:
    @pytest.mark.parametrize(
        ("files", "status", "code"),
        [
            ([("notes.txt", b"hello"), ("more/notes.txt", b"hello")], 422, "nothing-inside"),
            ([("folder/", b"")], 422, "nothing-inside"),
            ([("__MACOSX/._a.jpg", b"x")], 422, "nothing-inside"),
            ([("a.png", b"hello"), ("b.png", drawn(1)[:200])], 415, "not-a-picture"),
            ([("a.jpg", drawn(1)[:400])], 422, "broken-picture"),
            ([("mask.png", mask(64, 48))], 422, "mask-belongs-nowhere"),
        ],
    )
    async def test_the_first_reason_is_the_answer(
        self, ada: Person, house: assembly.House, files: list[tuple[str, bytes]], status: int, code: str
    ) -> None:
        answer = await send(ada, zipped(*files), name="kit.zip")
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        await nothing_happened(house, ada)


HOSTILE = [case for case in hostile_archives() if not case.accepted]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestHostile:
    """One house for the whole corpus: it must stay well through all of it."""

    async def test_every_archive_is_refused_and_leaves_nothing(self, ada: Person, house: assembly.House) -> None:
        for case in HOSTILE:
            answer = await send(ada, case.data, name="kit.zip")
            assert answer.status_code in {413, 415, 422}, case.name
            expected = case.refused or next(iter(case.rejected.values()))
            assert answer.json()["code"] == expected.code, case.name
        await nothing_happened(house, ada)
        assert (await taken_in(ada, drawn(1)))["processed_items"] == 1

    async def test_a_bad_entry_is_rejected_alone(self, ada: Person) -> None:
        for n, case in enumerate(case for case in hostile_archives() if case.accepted):
            await make(ada, f"set {n}")
            told = await taken_in(ada, case.data, name="kit.zip", to=f"set {n}")
            assert [name for name, _, _ in accepted(told)] == list(case.accepted), case.name
            assert [one["name"] for one in told["report"]["rejected"]] == list(case.rejected), case.name

    async def test_every_benign_archive_is_taken(self, ada: Person) -> None:
        for n, case in enumerate(benign_archives()):
            await make(ada, f"set {n}")
            told = await taken_in(ada, case.data, name="kit.zip", to=f"set {n}")
            taken = len(told["report"]["accepted"]) + len(told["report"]["skipped"])
            assert (taken, told["report"]["rejected"]) == (len(case.accepted), []), case.name

    async def test_every_hostile_picture_is_refused_alone(self, ada: Person, house: assembly.House) -> None:
        for case in hostile_pictures():
            answer = await send(ada, case.data, name="picture.png", dry_run="true")
            if is_archive(case.data):
                assert answer.status_code == 422, case.name
            elif case.status == "ok":
                assert answer.status_code == 200, case.name
            else:
                assert (answer.status_code, answer.json()["code"]) == (case.status, case.code), case.name
        await nothing_happened(house, ada)

    async def test_every_benign_picture_is_taken(self, ada: Person) -> None:
        for case in benign_pictures():
            told = await taken_in(ada, case.data, name="picture.png", dry_run="true")
            assert told["processed_items"] == 1, case.name

    async def test_a_bomb_in_the_middle_of_many_pictures(self, ada: Person) -> None:
        files = [(f"{seed:03}.jpg", drawn(seed)) for seed in range(100)]
        told = await taken_zip(ada, *files[:50], ("bomb.png", zeros()), *files[50:])
        assert (told["processed_items"], told["credits_used"]) == (100, 70.0)
        assert [one["name"] for one in told["report"]["rejected"]] == ["bomb.png"]
