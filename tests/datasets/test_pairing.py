"""Which files of an archive belong together, told by their names alone."""

import pytest

from retinue.datasets.pairing import Matched, pair_up, without_common_root


def pairs(*paths: str) -> list[tuple[str, str, str | None]]:
    """Group, original and mask by name; nothing may be rejected."""
    found = pair_up(paths)
    assert found.rejected == []
    return named(found, paths)


def named(found: Matched, paths: tuple[str, ...]) -> list[tuple[str, str, str | None]]:
    return [
        (pair.group, paths[pair.original], paths[pair.mask] if pair.mask is not None else None) for pair in found.pairs
    ]


def rejected(*paths: str) -> dict[str, str]:
    return {paths[alone.position]: alone.reason for alone in pair_up(paths).rejected}


class TestNumbers:
    def test_the_mask_with_the_same_number(self) -> None:
        found = pairs("g/image_1.png", "g/mask_2.png", "g/video_2.mp4", "g/mask_1.png")
        assert found == [("", "g/image_1.png", "g/mask_1.png"), ("", "g/video_2.mp4", "g/mask_2.png")]

    def test_zeros_in_front_do_not_matter(self) -> None:
        assert pairs("image_001.png", "mask_1.png") == [("", "image_001.png", "mask_1.png")]

    def test_groups_do_not_mix(self) -> None:
        found = pairs("a/image_1.png", "a/mask_1.png", "b/image_1.png")
        assert found == [("a", "a/image_1.png", "a/mask_1.png"), ("b", "b/image_1.png", None)]

    def test_a_number_nobody_has(self) -> None:
        assert list(rejected("image_1.png", "image_2.png", "mask_3.png")) == ["mask_3.png"]


class TestNames:
    @pytest.mark.parametrize("mask", ["cup_mask.png", "mask-cup.png", "CUP-MASK.PNG", "maskcup.jpg", "cup.mask.png"])
    def test_the_same_name_but_for_the_word(self, mask: str) -> None:
        assert pairs("cup.jpg", "saw.jpg", mask) == [("", "cup.jpg", mask), ("", "saw.jpg", None)]

    def test_the_name_counts_before_the_number(self) -> None:
        assert pairs("cup2.jpg", "saw2.jpg", "cup2_mask.png")[0] == ("", "cup2.jpg", "cup2_mask.png")

    def test_a_lone_mask_belongs_to_a_lone_picture(self) -> None:
        assert pairs("photo.jpg", "mask.png") == [("", "photo.jpg", "mask.png")]
        assert pairs("photo.jpg", "the mask.png") == [("", "photo.jpg", "the mask.png")]

    def test_pictures_without_masks_are_fine(self) -> None:
        assert pairs("b.jpg", "a.jpg") == [("", "b.jpg", None), ("", "a.jpg", None)]


class TestConflicts:
    def test_two_originals_that_claim_one_mask_are_both_rejected(self) -> None:
        reasons = rejected("g/image_1.png", "g/video_1.mp4", "g/mask_1.png", "g/image_2.png")
        assert set(reasons) == {"g/image_1.png", "g/video_1.mp4"}
        assert "mask_1.png" in reasons["g/image_1.png"]
        assert "video_1.mp4" in reasons["g/image_1.png"]

    def test_the_rest_of_the_group_is_not_affected(self) -> None:
        paths = ("image_1.png", "video_1.mp4", "mask_1.png", "image_2.png", "mask_2.png")
        found = pair_up(paths)
        assert named(found, paths) == [("", "image_2.png", "mask_2.png")]
        assert [paths[mask] for mask in found.contested] == ["mask_1.png"]

    def test_a_mask_without_a_number_between_several_pictures(self) -> None:
        assert set(rejected("a.png", "b.png", "mask.png")) == {"a.png", "b.png"}

    def test_two_masks_for_one_picture(self) -> None:
        assert set(rejected("image_1.png", "mask_1.png", "mask_1.jpg")) == {"image_1.png"}

    def test_a_mask_alone(self) -> None:
        assert set(rejected("mask.png")) == {"mask.png"}

    def test_numbers_longer_than_any_count(self) -> None:
        assert pairs("a" + "9" * 5000 + ".png")[0][2] is None


class TestRoots:
    def test_one_folder_around_everything_is_no_group(self) -> None:
        assert without_common_root(["kit/a/1.png", "kit/b/1.png"]) == ["a/1.png", "b/1.png"]
        assert without_common_root(["kit/1.png", "kit/2.png"]) == ["1.png", "2.png"]

    def test_only_one_is_stripped(self) -> None:
        assert without_common_root(["x/y/1.png", "x/y/2.png"]) == ["y/1.png", "y/2.png"]

    def test_files_beside_the_folder_keep_it(self) -> None:
        assert without_common_root(["kit/1.png", "2.png"]) == ["kit/1.png", "2.png"]

    def test_flat(self) -> None:
        assert without_common_root(["1.png"]) == ["1.png"]
