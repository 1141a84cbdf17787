"""Files that are kept: whole or not at all, written once, streamed both ways, in a folder and in S3 alike."""

import asyncio
import errno
import hashlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from retinue.base.errors import NotFound, StorageFull, TooLarge, Unavailable
from retinue.base.folder_storage import FolderStorage
from retinue.base.paths import BadKey
from retinue.base.storage import (
    BadStorageUrl,
    KeyTaken,
    ObjectMissing,
    Storage,
    StorageUnavailable,
    in_pieces,
    open_storage,
)
from tests.servers.s3 import S3Server

MIB = 1 << 20
PICTURE = os.urandom(100_000)


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.slow)])
def storage(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    if request.param == "folder":
        return open_storage(str(tmp_path / "files"))
    server: S3Server = request.getfixturevalue("s3_server")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return open_storage(server.fresh_url())


@pytest.fixture
def folder(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "files")


async def chunks(*given: bytes) -> AsyncIterator[bytes]:
    for chunk in given:
        yield chunk


async def broken_off(*given: bytes) -> AsyncIterator[bytes]:
    for chunk in given:
        yield chunk
    raise ConnectionResetError("the client went away")


async def keys_in(storage: Storage, prefix: str = "") -> list[str]:
    return sorted([entry.key async for entry in storage.list(prefix)])


async def read(storage: Storage, key: str, *between: int) -> bytes:
    return b"".join([piece async for piece in storage.stream(key, *between)])


class TestPut:
    async def test_what_was_put_is_there_whole(self, storage: Storage) -> None:
        await storage.put("originals/2026/a.jpg", PICTURE)
        assert await storage.get("originals/2026/a.jpg") == PICTURE
        assert await storage.size("originals/2026/a.jpg") == len(PICTURE)

    async def test_an_empty_file_is_a_file(self, storage: Storage) -> None:
        await storage.put("a", b"")
        assert await storage.get("a") == b""
        assert await read(storage, "a") == b""

    async def test_the_same_bytes_again_are_fine(self, storage: Storage) -> None:
        await storage.put("a", b"one")
        await storage.put("a", b"one")

    async def test_a_key_never_changes_its_content(self, storage: Storage) -> None:
        await storage.put("a", b"one")
        with pytest.raises(KeyTaken):
            await storage.put("a", b"two")
        with pytest.raises(KeyTaken):
            await storage.put_stream("a", chunks(b"other"), max_bytes=10)
        assert await storage.get("a") == b"one"

    async def test_many_at_once_are_all_there(self, storage: Storage) -> None:
        files = [(f"images/{n % 2}/{n}.jpg", PICTURE + bytes([n])) for n in range(20)]
        await storage.put_many(files)
        assert [await storage.get(key) for key, _ in files] == [data for _, data in files]
        await storage.put_many([])

    async def test_of_many_none_replaces_what_is_there(self, storage: Storage) -> None:
        await storage.put("images/1.jpg", b"first")
        with pytest.raises(KeyTaken):
            await storage.put_many([("images/0.jpg", b"another"), ("images/1.jpg", b"second")])
        assert await storage.get("images/1.jpg") == b"first"

    async def test_a_key_that_is_no_key_is_refused_by_every_verb(self, storage: Storage) -> None:
        verbs: list[Callable[[], Any]] = [
            lambda: storage.put("../a", b""),
            lambda: storage.put_stream("../a", chunks(b""), max_bytes=1),
            lambda: storage.get("../a"),
            lambda: read(storage, "../a"),
            lambda: storage.size("../a"),
            lambda: storage.delete(["../a"]),
            lambda: keys_in(storage, "../a"),
            lambda: (
                storage.signed_url("../a", seconds=1) if not isinstance(storage, FolderStorage) else storage.get("../a")
            ),
        ]
        for verb in verbs:
            with pytest.raises(BadKey):
                await verb()
        with pytest.raises(BadKey):
            async with storage.local_file("../a"):
                pass


class TestPutStream:
    async def test_a_large_file_comes_back_byte_for_byte(self, storage: Storage) -> None:
        parts = [os.urandom(MIB) for _ in range(20)]
        stored = await storage.put_stream("video.mp4", chunks(*parts), max_bytes=20 * MIB)
        whole = b"".join(parts)
        assert stored.size == 20 * MIB
        assert stored.sha256 == hashlib.sha256(whole).hexdigest()
        assert await read(storage, "video.mp4") == whole

    async def test_a_small_one_too_in_whatever_crumbs_it_comes(self, storage: Storage) -> None:
        stored = await storage.put_stream("a", chunks(b"", b"o", b"", b"ne"), max_bytes=3)
        assert stored.size == 3
        assert await storage.get("a") == b"one"

    @pytest.mark.parametrize("size", [4, 20 * MIB])
    async def test_too_much_is_refused_and_nothing_is_kept(self, storage: Storage, size: int) -> None:
        quarter = bytes(size // 4)
        with pytest.raises(TooLarge):
            await storage.put_stream("a", chunks(quarter, quarter, quarter, quarter, b"!"), max_bytes=size)
        assert await keys_in(storage) == []

    @pytest.mark.parametrize("size", [1, 10 * MIB])
    async def test_a_client_that_goes_away_leaves_nothing(self, storage: Storage, size: int) -> None:
        with pytest.raises(ConnectionResetError):
            await storage.put_stream("a", broken_off(bytes(size), bytes(size)), max_bytes=100 * MIB)
        assert await keys_in(storage) == []

    async def test_a_large_one_does_not_replace_what_is_there(self, storage: Storage) -> None:
        await storage.put("a", b"one")
        with pytest.raises(KeyTaken):
            await storage.put_stream("a", chunks(bytes(10 * MIB), bytes(10 * MIB)), max_bytes=20 * MIB)
        assert await storage.get("a") == b"one"

    async def test_a_file_on_this_disk_goes_in_whole(self, storage: Storage, tmp_path: Path) -> None:
        weights = tmp_path / "weights.onnx"
        weights.write_bytes(PICTURE)
        assert (await storage.put_file("models/1/weights.onnx", weights)).size == len(PICTURE)
        assert await storage.get("models/1/weights.onnx") == PICTURE


class TestRead:
    async def test_a_range_is_from_start_up_to_end(self, storage: Storage) -> None:
        await storage.put("a", bytes(range(200)))
        assert await read(storage, "a", 5, 10) == bytes(range(5, 10))
        assert await read(storage, "a", 190) == bytes(range(190, 200))
        assert await read(storage, "a", 199, 200) == b"\xc7"
        assert await read(storage, "a", 7, 7) == b""

    async def test_a_range_of_a_large_file_comes_in_pieces(self, storage: Storage) -> None:
        whole = os.urandom(2 * MIB)
        await storage.put("a", whole)
        pieces = [piece async for piece in storage.stream("a", 1000, 2 * MIB - 1000)]
        assert b"".join(pieces) == whole[1000:-1000]
        assert max(map(len, pieces)) <= MIB

    async def test_what_is_missing_is_said_to_be_missing(self, storage: Storage) -> None:
        await storage.put("there/a", b"")
        for key in ("nowhere", "nowhere/at/all", "there/b", "there"):
            with pytest.raises(ObjectMissing):
                await storage.get(key)
            with pytest.raises(ObjectMissing):
                await storage.size(key)
            with pytest.raises(ObjectMissing):
                await read(storage, key)
            with pytest.raises(ObjectMissing):
                async with storage.local_file(key):
                    pass
        assert issubclass(ObjectMissing, NotFound)

    async def test_a_local_file_can_be_opened_by_its_path(self, storage: Storage) -> None:
        await storage.put("videos/a.mp4", PICTURE)
        async with storage.local_file("videos/a.mp4") as file:
            assert file.name == "a.mp4"
            assert file.read_bytes() == PICTURE
        assert await storage.get("videos/a.mp4") == PICTURE


class TestListAndDelete:
    async def test_a_listing_tells_key_size_and_time(self, storage: Storage) -> None:
        for key in ("jobs/1/a", "jobs/1/b/c", "jobs/12/a", "originals/a"):
            await storage.put(key, key.encode())
        assert await keys_in(storage) == ["jobs/1/a", "jobs/1/b/c", "jobs/12/a", "originals/a"]
        assert await keys_in(storage, "jobs/1") == ["jobs/1/a", "jobs/1/b/c"]
        assert await keys_in(storage, "jobs/1/") == ["jobs/1/a", "jobs/1/b/c"]
        assert await keys_in(storage, "nothing") == []
        (entry,) = [entry async for entry in storage.list("originals")]
        assert entry.size == len("originals/a")
        assert abs(entry.modified.timestamp() - time.time()) < 60

    async def test_what_is_deleted_is_gone_and_may_be_deleted_again(self, storage: Storage) -> None:
        for key in ("a/1", "a/2", "b"):
            await storage.put(key, b"1")
        await storage.delete(["a/1", "b", "never-there", "a/1/below-a-file"])
        await storage.delete(["a/1"])
        await storage.delete([])
        assert await keys_in(storage) == ["a/2"]

    async def test_a_deleted_key_can_be_put_anew(self, storage: Storage) -> None:
        await storage.put("a/b/c", b"1")
        await storage.delete(["a/b/c"])
        await storage.put("a/b/c", b"2")
        assert await storage.get("a/b/c") == b"2"


class TestHealth:
    async def test_a_store_in_order_passes_its_check(self, storage: Storage) -> None:
        await storage.check()
        assert await keys_in(storage) == []

    async def test_only_a_folder_knows_its_room(self, storage: Storage) -> None:
        room = await storage.room()
        assert (room is not None and room > 0) if isinstance(storage, FolderStorage) else room is None

    @pytest.mark.parametrize(
        "url", ["s3://", "s3://bucket?endpoint=http://x&color=red", "gs://bucket", "http://host/a"]
    )
    def test_an_address_that_is_no_store_is_refused(self, url: str) -> None:
        with pytest.raises(BadStorageUrl):
            open_storage(url)


class TestAFolder:
    async def test_that_went_away_is_unavailable(self, tmp_path: Path) -> None:
        storage = FolderStorage(tmp_path / "files")
        (tmp_path / "files").rename(tmp_path / "unplugged")
        with pytest.raises(StorageUnavailable):
            await storage.check()
        with pytest.raises(StorageUnavailable):
            await storage.put("a", b"1")
        assert issubclass(StorageUnavailable, Unavailable)

    async def test_of_many_writers_of_one_key_one_wins(self, folder: FolderStorage) -> None:
        tried = await asyncio.gather(*(folder.put("a", b"%d" % n) for n in range(8)), return_exceptions=True)
        assert sorted(map(repr, tried)) == sorted([*map(repr, [KeyTaken()] * 7), "None"])
        assert await folder.get("a") == b"%d" % tried.index(None)

    async def test_leaves_nothing_aside_and_no_empty_folders(self, folder: FolderStorage, tmp_path: Path) -> None:
        await folder.put("a/b/c", b"1")
        await folder.put_stream("a/b/d", chunks(b"1"), max_bytes=1)
        await folder.delete(["a/b/c", "a/b/d"])
        assert sorted(path.name for path in (tmp_path / "files").rglob("*")) == [".incoming"]

    async def test_writers_and_a_deleter_of_one_folder_do_not_meet_in_error(self, folder: FolderStorage) -> None:
        async def put_and_delete(n: int) -> None:
            for turn in range(10):
                await folder.put(f"a/b/{n}-{turn}", b"1")
                await folder.delete([f"a/b/{n}-{turn}"])

        await asyncio.gather(*(put_and_delete(n) for n in range(8)))
        assert await keys_in(folder) == []

    async def test_files_are_for_their_owner_only(self, folder: FolderStorage, tmp_path: Path) -> None:
        await folder.put("a/b", b"1")
        assert (tmp_path / "files/a/b").stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "files/a").stat().st_mode & 0o777 == 0o700

    async def test_symbolic_links_in_it_are_not_followed(self, folder: FolderStorage, tmp_path: Path) -> None:
        (tmp_path / "canary").write_bytes(b"canary")
        (tmp_path / "files/link").symlink_to(tmp_path / "canary")
        with pytest.raises(BadKey):
            await folder.get("link")
        with pytest.raises(BadKey):
            await folder.put("link", b"1")
        assert await keys_in(folder) == []
        assert (tmp_path / "canary").read_bytes() == b"canary"

    async def test_a_writer_that_is_cancelled_leaves_nothing(self, folder: FolderStorage, tmp_path: Path) -> None:
        started = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            while True:
                yield bytes(MIB)
                started.set()

        writing = asyncio.create_task(folder.put_stream("a", endless(), max_bytes=1000 * MIB))
        await started.wait()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert await keys_in(folder) == []
        assert list((tmp_path / "files/.incoming").iterdir()) == []

    async def test_what_a_killed_process_left_is_swept_after_a_day(self, tmp_path: Path) -> None:
        FolderStorage(tmp_path / "files")
        old, young = tmp_path / "files/.incoming/old", tmp_path / "files/.incoming/young"
        (old / "half").mkdir(parents=True)
        young.write_bytes(b"1")
        os.utime(old, (time.time() - 90_000,) * 2)
        FolderStorage(tmp_path / "files")
        assert not old.exists()
        assert young.exists()

    def test_a_process_killed_while_it_writes_leaves_only_whole_files(self, tmp_path: Path) -> None:
        script = """
import asyncio, sys
from pathlib import Path
from retinue.base.folder_storage import FolderStorage

async def main():
    storage = FolderStorage(Path(sys.argv[1]))
    async def writer(n):
        for turn in range(10_000):
            await storage.put(f"w{n}/{turn}", bytes([n]) * 300_000)
            print(f"w{n}/{turn}", flush=True)
    await asyncio.gather(*(writer(n) for n in range(4)))

asyncio.run(main())
"""
        with subprocess.Popen(
            [sys.executable, "-c", script, tmp_path / "files"], stdout=subprocess.PIPE, text=True
        ) as writing:
            assert writing.stdout is not None
            acknowledged = [writing.stdout.readline().strip() for _ in range(40)]
            writing.kill()
        there = set((tmp_path / "files").glob("w*/*"))
        assert {tmp_path / "files" / key for key in acknowledged} <= there
        assert {path.stat().st_size for path in there} == {300_000}


class FailingSystem:
    """The operating system's calls, of which the n-th fails, and only that one: SQLite's way to try every place."""

    CALLS = ("open", "write", "fdatasync", "fsync", "link", "mkdir", "close")

    def __init__(self, patch: pytest.MonkeyPatch, *, at: int, failure: int) -> None:
        self.calls: list[str] = []
        for name in self.CALLS:
            patch.setattr(os, name, self._failing(name, getattr(os, name), at=at, failure=failure))

    def _failing(self, name: str, real: Callable[..., Any], *, at: int, failure: int) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            if len(self.calls) == at:
                raise OSError(failure, os.strerror(failure))
            return real(*args, **kwargs)

        return call


class TestAFailingDisk:
    @pytest.mark.parametrize("failure", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS])
    async def test_wherever_it_fails_the_answer_is_one_of_ours_and_nothing_half_is_seen(
        self, tmp_path: Path, failure: int
    ) -> None:
        expected = StorageFull if failure in {errno.ENOSPC, errno.EDQUOT} else StorageUnavailable
        for at in range(1, 100):
            storage = FolderStorage(tmp_path / f"files-{at}")
            with pytest.MonkeyPatch.context() as patch:
                system = FailingSystem(patch, at=at, failure=failure)
                try:
                    await storage.put("a/b/c", PICTURE)
                except expected:
                    failed = True
                else:
                    failed = False
            if not failed and len(system.calls) < at:
                break
            seen = await keys_in(storage)
            assert seen in ([], ["a/b/c"])
            if seen:
                assert await storage.get("a/b/c") == PICTURE
            await storage.put("a/b/c", PICTURE)
            assert await storage.get("a/b/c") == PICTURE
        assert at > 12  # open, write, sync, link and sync again, for the file and two new folders

    async def test_bytes_are_synced_before_they_get_their_name_and_the_name_before_put_returns(
        self, folder: FolderStorage
    ) -> None:
        await folder.put("a/first", b"1")
        for put in (folder.put("a/b", PICTURE), folder.put_stream("a/c", chunks(PICTURE), max_bytes=len(PICTURE))):
            with pytest.MonkeyPatch.context() as patch:
                system = FailingSystem(patch, at=0, failure=0)
                await put
            order = [call for call in system.calls if call not in {"open", "close"}]
            assert order == ["write", "fdatasync", "link", "fsync"]

    async def test_a_full_disk_says_so_in_our_words(self, folder: FolderStorage, tmp_path: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            FailingSystem(patch, at=2, failure=errno.ENOSPC)
            with pytest.raises(StorageFull) as full:
                await folder.put("a", b"1")
        assert str(tmp_path) not in full.value.detail


@pytest.mark.slow
class TestS3:
    async def test_a_signed_link_is_a_download_until_it_ends(self, s3_storage: Storage) -> None:
        await s3_storage.put("a/page.html", b"<script>")
        link = await s3_storage.signed_url("a/page.html", seconds=60)
        assert link is not None
        status, headers, body = fetch(link)
        assert (status, body) == (200, b"<script>")
        assert headers["Content-Disposition"] == "attachment"
        assert headers["Content-Type"] == "application/octet-stream"
        assert fetch(link.replace("page.html", "other.html"))[0] == 403

    async def test_an_outage_is_unavailable_for_every_verb_within_seconds(
        self, own_s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in own_s3_server.environment.items():
            monkeypatch.setenv(name, value)
        storage = open_storage(own_s3_server.fresh_url())
        await storage.put("a", b"1")
        own_s3_server.kill()
        verbs = [storage.put("b", b"1"), storage.get("a"), storage.size("a"), storage.delete(["a"]), storage.check()]
        started = time.monotonic()
        outcomes = await asyncio.gather(*verbs, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [StorageUnavailable] * len(verbs)
        assert time.monotonic() - started < 60

    async def test_a_bucket_that_is_not_there_is_unavailable_not_missing(
        self, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in s3_server.environment.items():
            monkeypatch.setenv(name, value)
        storage = open_storage(s3_server.fresh_url().replace("s3://", "s3://no-such-"))
        for attempt in (storage.check(), storage.put("a", b"1")):
            with pytest.raises(StorageUnavailable):
                await attempt

    @pytest.fixture
    def s3_storage(self, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Storage:
        for name, value in s3_server.environment.items():
            monkeypatch.setenv(name, value)
        return open_storage(s3_server.fresh_url())


class TestPieces:
    async def test_are_as_large_as_wanted_but_the_last(self) -> None:
        pieces = [p async for p in in_pieces(chunks(b"ab", b"c", b"def", b"g"), piece_bytes=3, max_bytes=7)]
        assert pieces == [b"abc", b"def", b"g"]


def fetch(link: str) -> tuple[int, dict[str, str], bytes]:
    try:
        with urllib.request.urlopen(link, timeout=60) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, dict(refused.headers), b""
