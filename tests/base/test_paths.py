"""No name leads out of its folder."""

from pathlib import Path

import pytest

from retinue.base.paths import MAX_KEY_LENGTH, BadKey, inside, safe_key

TRAVERSALS = [
    "..",
    "../canary",
    "../../canary",
    "a/../../canary",
    "a/../canary",
    "a/..",
    "./a",
    "a/./b",
    "a/.",
    ".",
    "",
    "/",
    "/canary",
    "//canary",
    "a//b",
    "a/",
    "/etc/passwd",
    "\\canary",
    "..\\canary",
    "a\\..\\..\\canary",
    "C:/canary",
    "C:\\canary",
    "C:canary",
    "\\\\server\\share\\canary",
    "//server/share/canary",
    "file:///canary",
    "file:canary",
    "s3://bucket/canary",
    "~/canary",
    "~root/canary",
    "$HOME/canary",
    "%2e%2e/canary",
    "..%2fcanary",
    "%252e%252e%252fcanary",
    "..;/canary",
    "a?../../canary",
    "a#../../canary",
    "a\x00/../canary",
    "canary\x00.png",
    "..\n/canary",
    "a\n",
    "a\r\n/canary",
    "．．/canary",  # full-width dots, which some normalisation turns into ..
    "..／canary",  # full-width slash
    "․․/canary",  # one dot leaders
    "..\u2215canary",
    "..\xc0\xafcanary",
    "a/\u202e/canary",
    ".incoming/canary",
    "a/.hidden",
    "-rf",
    "a b",
    "é",
    "a" * (MAX_KEY_LENGTH + 1),
]


class TestAKey:
    @pytest.mark.parametrize("key", TRAVERSALS)
    def test_that_is_a_traversal_in_any_spelling_is_refused(self, key: str, tmp_path: Path) -> None:
        with pytest.raises(BadKey):
            safe_key(key)
        with pytest.raises(BadKey):
            inside(tmp_path, key)

    @pytest.mark.parametrize(
        "key",
        [
            "a",
            "originals/2026/11/20/0193-ab.jpg",
            "jobs/7/epoch=3/part_1.jsonl",
            "_x/A.B-c",
            "a..b",
            "a" * MAX_KEY_LENGTH,
        ],
    )
    def test_of_ours_is_taken_as_it_is(self, key: str, tmp_path: Path) -> None:
        assert safe_key(key) == key
        assert inside(tmp_path, key) == tmp_path / key

    def test_is_refused_without_repeating_it(self) -> None:
        with pytest.raises(BadKey) as refusal:
            safe_key("../secret-token")
        assert "secret-token" not in refusal.value.detail


class TestASymbolicLink:
    def test_on_the_way_is_not_followed(self, tmp_path: Path) -> None:
        root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
        root.mkdir()
        elsewhere.mkdir()
        (root / "a").symlink_to(elsewhere)
        with pytest.raises(BadKey):
            inside(root, "a/file")

    def test_at_the_end_is_not_followed_even_to_a_neighbour(self, tmp_path: Path) -> None:
        (tmp_path / "real").write_bytes(b"1")
        (tmp_path / "link").symlink_to(tmp_path / "real")
        with pytest.raises(BadKey):
            inside(tmp_path, "link")
        assert inside(tmp_path, "real").read_bytes() == b"1"
