"""Large files in pieces: an upload begins, grows at its end, survives every interruption, and is complete or gone.

Each piece becomes a file of the store and a row in one step after the other, so what `offset` says is durable on every
node. Pieces that no row names, and uploads that nobody finished within a day, are swept.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa
from starlette.requests import ClientDisconnect

from retinue.base.clock import Clock
from retinue.base.database import CommitInDoubt, Database, Transaction
from retinue.base.errors import Conflict, Gone, Invalid, NotFound, TooLarge, TooMany
from retinue.base.failpoints import reach
from retinue.base.ids import new_id
from retinue.base.storage import Storage
from retinue.media import quota
from retinue.media.quota import Quota
from retinue.media.tables import Upload, UploadPart

FOLDER = "uploads"
LIFE = timedelta(hours=24)  # from the last piece on
LARGEST = 8 << 30
MOST_UNDER_WAY = 16
PIECE_BYTES = 16 << 20  # of a body that is cut, at most this much has to be sent again


class NoSuchUpload(NotFound):
    code = "no-such-upload"
    title = "There is no such upload"


class UploadExpired(Gone):
    code = "upload-expired"
    title = "This upload was not finished in time; begin it anew"


class WrongOffset(Conflict):
    code = "wrong-offset"
    title = "The upload goes on at another place"


class UploadIncomplete(Conflict):
    code = "upload-incomplete"
    title = "This upload is not complete yet"


class UploadComplete(Conflict):
    code = "upload-complete"
    title = "This upload is complete already"


class TooManyUploads(TooMany):
    code = "too-many-uploads"
    title = "You have too many uploads under way"


class UploadTooLarge(TooLarge):
    code = "upload-too-large"
    title = "This is more than the upload may have"


class ChecksumDiffers(Invalid):
    code = "checksum-differs"
    title = "What arrived is not what was announced"


@dataclass(frozen=True, slots=True)
class Uploads:
    """The parts that uploads need. Assembled files lie in `folder` while they are read."""

    database: Database
    storage: Storage
    quota: Quota
    clock: Clock
    folder: Path

    async def begin(self, owner_id: str, *, filename: str, size: int, sha256: str | None) -> Upload:
        """Its room is taken from the start, so that a long upload does not fail at its end."""
        if size > LARGEST:
            raise UploadTooLarge(f"{size} bytes, at most {LARGEST}")
        return await self.database.write(
            lambda now: _begin(now, owner_id, self.quota, filename=filename, size=size, sha256=sha256)
        )

    async def find(self, owner_id: str, upload_id: str) -> Upload:
        return await self.database.read(lambda now: upload_of(now, owner_id, upload_id))

    async def append(self, owner_id: str, upload_id: str, *, offset: int, body: AsyncIterator[bytes]) -> Upload:
        """Whatever of the body arrives is kept, also when the rest never does."""
        upload = await self.find(owner_id, upload_id)
        if upload.is_complete():
            raise UploadComplete()
        if offset != upload.received_bytes:
            raise _wrong_offset(upload)
        async for piece in _pieces(body, most=upload.size_bytes - offset):
            upload = await self._add(upload, piece)
        return upload

    async def complete(self, owner_id: str, upload_id: str) -> Upload:
        """All of it is there, and is what was announced. Doing it twice is fine."""
        upload = await self.find(owner_id, upload_id)
        if upload.is_complete():
            return upload
        if upload.received_bytes != upload.size_bytes:
            raise UploadIncomplete(
                f"{upload.received_bytes} of {upload.size_bytes} bytes have arrived", offset=upload.received_bytes
            )
        if upload.sha256 is not None and (found := await self._digest(upload.id)) != upload.sha256:
            raise ChecksumDiffers(f"The SHA-256 is {found}; announced was {upload.sha256}")
        reach("before_upload_complete")
        return await self.database.write(lambda now: _complete(now, owner_id, upload_id))

    @asynccontextmanager
    async def complete_file(self, owner_id: str, upload_id: str) -> AsyncIterator[tuple[Path, str]]:
        """The finished upload as one file to read, and its name. One that came in one piece is not copied."""
        upload = await self.find(owner_id, upload_id)
        if not upload.is_complete():
            raise UploadIncomplete("Finish it with POST …/complete first", offset=upload.received_bytes)
        keys = await self.database.read(lambda now: _keys(now, upload_id))
        if len(keys) == 1:
            async with self.storage.local_file(keys[0]) as path:
                yield path, upload.filename
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        place = self.folder / new_id()
        try:
            await self._assemble(keys, place)
            yield place, upload.filename
        finally:
            await asyncio.to_thread(place.unlink, missing_ok=True)

    async def drop(self, owner_id: str, upload_id: str) -> None:
        await self.database.write(lambda now: forget(now, upload_of(now, owner_id, upload_id)))

    async def _add(self, upload: Upload, piece: bytes) -> Upload:
        key = f"{FOLDER}/{upload.id}/{new_id(self.clock.now())}"
        await self.storage.put(key, piece)
        reach("before_upload_part")
        try:
            return await self.database.write(lambda now: _add(now, upload, key, len(piece)))
        except CommitInDoubt:
            raise
        except Exception:
            await self.storage.delete([key])
            raise

    async def _assemble(self, keys: Sequence[str], place: Path) -> None:
        with await asyncio.to_thread(place.open, "xb") as out:
            for key in keys:
                async for chunk in self.storage.stream(key):
                    await asyncio.to_thread(out.write, chunk)

    async def _digest(self, upload_id: str) -> str:
        told = hashlib.sha256()
        for key in await self.database.read(lambda now: _keys(now, upload_id)):
            async for chunk in self.storage.stream(key):
                await asyncio.to_thread(told.update, chunk)
        return told.hexdigest()


def upload_of(now: Transaction, owner_id: str, upload_id: str) -> Upload:
    found = now.first(sa.select(Upload).where(Upload.id == upload_id, Upload.owner_id == owner_id))
    if found is None:
        raise NoSuchUpload()
    if found.expires_at <= now.time:
        raise UploadExpired()
    return found


def forget(now: Transaction, upload: Upload) -> None:
    """Its room is free at once; the sweeper takes its pieces."""
    now.execute(sa.delete(UploadPart).where(UploadPart.upload_id == upload.id))
    if now.changed(sa.delete(Upload).where(Upload.id == upload.id)):
        quota.give_back(now, upload.owner_id, size_bytes=upload.size_bytes, files=1)


async def sweep(uploads: Uploads) -> int:
    """Expired uploads, and every piece whose upload is gone. Safe to kill anywhere; gives how many files went."""
    await uploads.database.write(_forget_expired)
    gone, waiting = 0, []
    async for entry in uploads.storage.list(FOLDER + "/"):
        waiting.append(entry)
        if len(waiting) == 500:
            gone += await _delete_unnamed(uploads, [one.key for one in waiting])
            waiting = []
    return gone + await _delete_unnamed(uploads, [one.key for one in waiting])


def _begin(now: Transaction, owner_id: str, limits: Quota, *, filename: str, size: int, sha256: str | None) -> Upload:
    limits.take(now, owner_id, size_bytes=size, files=1)  # locks the owner's row: two beginnings are counted in turn
    mine = sa.select(sa.func.count()).where(
        Upload.owner_id == owner_id, Upload.completed_at.is_(None), Upload.expires_at > now.time
    )
    if (now.value(mine) or 0) >= MOST_UNDER_WAY:
        raise TooManyUploads(f"Finish or drop some of your {MOST_UNDER_WAY} uploads first")
    upload_id = new_id(now.time)
    now.insert(
        Upload,
        {
            "id": upload_id,
            "owner_id": owner_id,
            "filename": filename,
            "size_bytes": size,
            "received_bytes": 0,
            "sha256": sha256,
            "created_at": now.time,
            "expires_at": now.time + LIFE,
        },
    )
    return upload_of(now, owner_id, upload_id)


def _add(now: Transaction, upload: Upload, key: str, size: int) -> Upload:
    """Of two that append at the same place one wins."""
    moved = now.changed(
        sa.update(Upload)
        .where(
            Upload.id == upload.id,
            Upload.received_bytes == upload.received_bytes,
            Upload.completed_at.is_(None),
        )
        .values(received_bytes=upload.received_bytes + size, expires_at=now.time + LIFE)
    )
    present = upload_of(now, upload.owner_id, upload.id)
    if not moved:
        raise _wrong_offset(present)
    now.insert(UploadPart, {"upload_id": upload.id, "start": upload.received_bytes, "size_bytes": size, "key": key})
    return present


def _complete(now: Transaction, owner_id: str, upload_id: str) -> Upload:
    now.execute(
        sa.update(Upload)
        .where(Upload.id == upload_id, Upload.completed_at.is_(None))
        .values(completed_at=now.time, expires_at=now.time + LIFE)
    )
    return upload_of(now, owner_id, upload_id)


def _keys(now: Transaction, upload_id: str) -> list[str]:
    parts = sa.select(UploadPart.key).where(UploadPart.upload_id == upload_id).order_by(UploadPart.start)
    return list(now.execute(parts).scalars())


def _wrong_offset(upload: Upload) -> WrongOffset:
    return WrongOffset(f"It goes on at byte {upload.received_bytes}", offset=upload.received_bytes)


def _forget_expired(now: Transaction) -> None:
    for upload in now.all(sa.select(Upload).where(Upload.expires_at <= now.time).limit(200)):
        forget(now, upload)


async def _delete_unnamed(uploads: Uploads, keys: Sequence[str]) -> int:
    """A piece of an upload that is there may be about to get its row, so only those of uploads that are gone."""
    ids = {key.split("/")[1] for key in keys}
    there = await uploads.database.read(
        lambda now: set(now.execute(sa.select(Upload.id).where(Upload.id.in_(ids))).scalars())
    )
    gone = [key for key in keys if key.split("/")[1] not in there]
    await uploads.storage.delete(gone)
    return len(gone)


async def _pieces(body: AsyncIterator[bytes], *, most: int) -> AsyncIterator[bytes]:
    """Pieces worth a file each. Where the line is cut, what has arrived until then is the last of them."""
    waiting: list[bytes] = []
    size, left = 0, most
    try:
        async for chunk in body:
            left -= len(chunk)
            if left < 0:
                raise UploadTooLarge("More bytes arrived than were announced")
            waiting.append(chunk)
            size += len(chunk)
            if size >= PIECE_BYTES:
                yield b"".join(waiting)
                waiting, size = [], 0
    except ClientDisconnect:
        pass  # nobody reads the answer; what arrived is worth keeping
    if waiting:
        yield b"".join(waiting)
