"""How every room keeps files: keys that are written once and never change, in a folder or in an S3 bucket."""

import asyncio
import contextlib
import errno
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from retinue.base.errors import Conflict, Invalid, NotFound, RetinueError, StorageFull, TooLarge, Unavailable

READ_BYTES = 1 << 20


class ObjectMissing(NotFound):
    code = "file-missing"
    title = "This file is not in the store"


class KeyTaken(Conflict):
    """Somebody wrote other bytes under this key before."""

    code = "key-taken"
    title = "Another file is stored under this name"


class StorageUnavailable(Unavailable):
    code = "storage-unavailable"
    title = "The file store does not answer"


class BadStorageUrl(Invalid):
    code = "bad-storage-url"
    title = "The store is a folder or s3://bucket/prefix?endpoint=…&region=…, and nothing else"


@dataclass(frozen=True, slots=True)
class Stored:
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Entry:
    key: str
    size: int
    modified: datetime


class Storage(Protocol):
    """What a put returned for is durable and whole; what it failed for is not there.

    The errors are those above, `StorageFull` and `BadKey`. Threads come in by `asyncio.run_coroutine_threadsafe`.
    """

    async def put(self, key: str, data: bytes) -> None:
        """The same bytes again are fine, other bytes are `KeyTaken`."""

    async def put_many(self, files: Sequence[tuple[str, bytes]]) -> None:
        """The same for each of them; after a failure some may be there, and whoever named them takes them back."""
        for outcome in await asyncio.gather(*(self.put(key, data) for key, data in files), return_exceptions=True):
            if outcome is not None:
                raise outcome

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes], *, max_bytes: int) -> Stored:
        """More than `max_bytes` is `TooLarge`; whatever `chunks` raises passes through. Nothing is kept then."""

    async def put_file(self, key: str, file: Path) -> Stored:
        return await self.put_stream(key, _read(file), max_bytes=(await asyncio.to_thread(file.stat)).st_size)

    async def get(self, key: str) -> bytes: ...

    def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` up to, without, `end`; both lie within the file."""

    async def size(self, key: str) -> int: ...

    async def delete(self, keys: Iterable[str]) -> None:
        """Keys that are not there are fine."""

    def list(self, prefix: str = "") -> AsyncIterator[Entry]:
        """Everything below the folder `prefix`, in no promised order."""

    def local_file(self, key: str) -> AbstractAsyncContextManager[Path]:
        """A file to read while the context is open: the stored one itself or a copy. Never write to it."""

    async def signed_url(self, key: str, *, seconds: int) -> str | None:
        """A link that the store itself answers, as a download without a name; None where only our own route can."""

    async def check(self) -> None:
        """Raises `StorageUnavailable` when the store cannot be used. Writes nothing."""

    async def room(self) -> int | None:
        """Free bytes; None where nobody knows."""


def open_storage(url: str) -> Storage:
    """`/folder`, `file:///folder` or `s3://bucket/prefix?endpoint=…&region=…` with the usual AWS_* credentials."""
    parts = urlsplit(url)
    if parts.scheme == "s3":
        from retinue.base.object_storage import ObjectStorage

        return ObjectStorage(url)
    if parts.scheme not in {"", "file"}:
        raise BadStorageUrl
    from retinue.base.folder_storage import FolderStorage

    return FolderStorage(Path(parts.path if parts.scheme == "file" else url))


async def in_pieces(chunks: AsyncIterator[bytes], *, piece_bytes: int, max_bytes: int) -> AsyncIterator[bytes]:
    """The same bytes in pieces of at least `piece_bytes`, but for the last; refused once they are more than allowed."""
    waiting: list[bytes] = []
    waiting_bytes = total = 0
    async for chunk in chunks:
        total += len(chunk)
        if total > max_bytes:
            raise TooLarge(max_bytes=max_bytes)
        waiting.append(chunk)
        waiting_bytes += len(chunk)
        if waiting_bytes >= piece_bytes:
            yield b"".join(waiting)
            waiting, waiting_bytes = [], 0
    if waiting_bytes:
        yield b"".join(waiting)


@contextlib.contextmanager
def disk_errors_as_ours(*, missing: type[RetinueError] = StorageUnavailable) -> Iterator[None]:
    """The border at which the operating system's words, which hold paths, become ours."""
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as failure:
        raise missing from failure
    except OSError as failure:
        if failure.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StorageFull from failure
        raise StorageUnavailable from failure


async def _read(file: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(file.open, "rb") as opened:
        while chunk := await asyncio.to_thread(opened.read, READ_BYTES):
            yield chunk
