"""Files in an S3 bucket, by any vendor: created once with `If-None-Match: *`, streamed both ways, in parts when large.

Rely on nothing else: `If-Match` is not everywhere, and in some stores (OpenStack Swift) of two creations that overlap
both succeed, so keys carry an id of their own. Objects say of themselves that they are downloads of no type, so a
signed link to one never shows a page in a browser.
"""

import asyncio
import contextlib
import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from retinue.base.errors import RetinueError
from retinue.base.paths import safe_key
from retinue.base.storage import (
    BadStorageUrl,
    Entry,
    KeyTaken,
    ObjectMissing,
    Storage,
    StorageUnavailable,
    Stored,
    disk_errors_as_ours,
    in_pieces,
)

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import S3Config

PART_BYTES = 8 << 20
PARTS_AT_ONCE = 4
READ_BYTES = 256 << 10
AS_DOWNLOAD = {"Content-Type": "application/octet-stream", "Content-Disposition": "attachment"}
# obstore's own three minutes would keep a request waiting that should be told 503.
PATIENCE = timedelta(seconds=10)


class ObjectStorage(Storage):
    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        known: S3Config = {}
        if endpoint := options.pop("endpoint", ""):
            known["endpoint"] = endpoint
        if region := options.pop("region", ""):
            known["region"] = region
        if options or not parts.netloc:
            raise BadStorageUrl
        self._store = S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            config=known,
            client_options={
                "allow_http": endpoint.startswith("http://"),
                "connect_timeout": timedelta(seconds=3),
                "read_timeout": timedelta(seconds=20),
                "timeout": timedelta(hours=6),  # of a whole transfer, which may be a video of 4 GiB
            },
            retry_config={"max_retries": 3, "retry_timeout": PATIENCE},
        )

    async def put(self, key: str, data: bytes) -> None:
        try:
            with _translated(StorageUnavailable):
                await obstore.put_async(
                    self._store, safe_key(key), data, mode="create", use_multipart=False, attributes=AS_DOWNLOAD
                )
        except KeyTaken:
            # Perhaps by ourselves: the answer to our first try may have been lost.
            if await self.get(key) != data:
                raise

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes], *, max_bytes: int) -> Stored:
        """What fills more than one part is refused only if the key was taken before: parts cannot be created once."""
        pieces = _Counted(in_pieces(chunks, piece_bytes=PART_BYTES, max_bytes=max_bytes))
        first, second = await anext(pieces, b""), await anext(pieces, b"")
        if not second:
            await self.put(key, first)
        else:
            await self._put_parts(safe_key(key), _chained(first, second, pieces))
        return Stored(pieces.size, pieces.sha256.hexdigest())

    async def get(self, key: str) -> bytes:
        with _translated(ObjectMissing):
            found = await obstore.get_async(self._store, safe_key(key))
            return bytes(await found.bytes_async())

    async def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        if end is not None and start >= end:
            return
        whole = start == 0 and end is None
        wanted: GetOptions = {} if whole else {"range": {"offset": start} if end is None else (start, end)}
        with _translated(ObjectMissing):
            found = await obstore.get_async(self._store, safe_key(key), options=wanted)
            async for piece in found.stream(min_chunk_size=READ_BYTES):
                yield bytes(piece)

    async def size(self, key: str) -> int:
        with _translated(ObjectMissing):
            return (await obstore.head_async(self._store, safe_key(key)))["size"]

    async def delete(self, keys: Iterable[str]) -> None:
        with _translated(StorageUnavailable):
            await obstore.delete_async(self._store, [safe_key(key) for key in keys])

    async def list(self, prefix: str = "") -> AsyncIterator[Entry]:
        below = safe_key(prefix.rstrip("/")) if prefix else None
        with _translated(StorageUnavailable):
            async for found in obstore.list(self._store, below):
                for entry in found:
                    yield Entry(entry["path"], entry["size"], entry["last_modified"])

    @contextlib.asynccontextmanager
    async def local_file(self, key: str) -> AsyncIterator[Path]:
        with tempfile.TemporaryDirectory(prefix="retinue-") as folder:
            copy = Path(folder) / Path(safe_key(key)).name
            with disk_errors_as_ours():
                file = await asyncio.to_thread(copy.open, "wb")
                try:
                    async for piece in self.stream(key):
                        await asyncio.to_thread(file.write, piece)
                finally:
                    await asyncio.to_thread(file.close)
            yield copy

    async def signed_url(self, key: str, *, seconds: int) -> str | None:
        with _translated(StorageUnavailable):
            return await obstore.sign_async(self._store, "GET", safe_key(key), timedelta(seconds=seconds))

    async def check(self) -> None:
        # A missing bucket answers a listing with an error, but a look at a missing object with a plain "missing".
        with _translated(StorageUnavailable):
            await anext(aiter(obstore.list(self._store, "health", chunk_size=1)), None)

    async def room(self) -> int | None:
        return None

    async def _put_parts(self, key: str, pieces: AsyncIterator[bytes]) -> None:
        with _translated(StorageUnavailable):
            if await self._is_there(key):
                raise KeyTaken
            await obstore.put_async(
                self._store,
                key,
                pieces,
                use_multipart=True,
                chunk_size=PART_BYTES,
                max_concurrency=PARTS_AT_ONCE,
                attributes=AS_DOWNLOAD,
            )

    async def _is_there(self, key: str) -> bool:
        try:
            await self.size(key)
        except ObjectMissing:
            return False
        return True


class _Counted:
    """Pieces passed on, with their size and hash so far."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self.size = 0
        self.sha256 = hashlib.sha256()

    def __aiter__(self) -> "_Counted":
        return self

    async def __anext__(self) -> bytes:
        piece = await anext(self._pieces)
        await asyncio.to_thread(self.sha256.update, piece)
        self.size += len(piece)
        return piece


async def _chained(first: bytes, second: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    yield second
    async for piece in rest:
        yield piece


@contextlib.contextmanager
def _translated(missing: type[RetinueError]) -> Iterator[None]:
    """The one border at which obstore's words, which hold addresses and answers of the store, become ours."""
    try:
        yield
    except FileNotFoundError as failure:
        raise missing from failure
    except AlreadyExistsError as failure:
        raise KeyTaken from failure
    except BaseError as failure:
        raise StorageUnavailable from failure
