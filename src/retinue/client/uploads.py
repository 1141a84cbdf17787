"""Large files in pieces: what a broken line loses is one piece, and an upload that was begun goes on where it stood."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

from retinue.client.asking import Plan, Request, Work, given, place
from retinue.client.errors import Unreachable, WrongOffset
from retinue.client.rooms import Room, S, Told, operation

PIECE_BYTES = 8 << 20
PIECE_S = 300.0
OnProgress = Callable[[int, int], object]  # bytes that have arrived, bytes in all


class Upload(Told):
    upload_id: str
    filename: str
    size: int
    offset: int
    is_complete: bool
    expires_at: datetime


class Uploads(Room[S]):
    @operation
    def send(
        self,
        file: str | Path,
        *,
        name: str | None = None,
        resume: str | None = None,
        on_begun: Callable[[str], object] | None = None,
        on_progress: OnProgress | None = None,
        piece_bytes: int = PIECE_BYTES,
    ) -> Plan[Upload]:
        """All of it, checked by its SHA-256. `resume` goes on with an upload that was begun, by the id that `on_begun`
        was told: also in another process, within a day."""
        return (
            yield from self._send(
                Path(file),
                name=name,
                resume=resume,
                on_begun=on_begun,
                on_progress=on_progress,
                piece_bytes=piece_bytes,
            )
        )

    @operation
    def offset(self, upload_id: str) -> Plan[int]:
        """Where it goes on."""
        return (yield from self._offset(upload_id))

    @operation
    def drop(self, upload_id: str) -> Plan[None]:
        """Give its room back at once."""
        yield from self._settle(Request("DELETE", place("/uploads/{}", upload_id)))

    def _send(
        self,
        file: Path,
        *,
        name: str | None = None,
        resume: str | None = None,
        on_begun: Callable[[str], object] | None = None,
        on_progress: OnProgress | None = None,
        piece_bytes: int = PIECE_BYTES,
    ) -> Plan[Upload]:
        size: int = yield Work(lambda: file.stat().st_size)
        if resume is None:
            upload_id, offset = (yield from self._begin(file, name or file.name, size)), 0
            if on_begun is not None:
                on_begun(upload_id)
        else:
            upload_id, offset = resume, (yield from self._offset(resume))
        while offset < size:
            if on_progress is not None:
                on_progress(offset, size)
            piece: bytes = yield Work(partial(_read, file, offset, piece_bytes))
            offset = yield from self._append(upload_id, offset, piece)
        if on_progress is not None:
            on_progress(size, size)
        complete = Request("POST", place("/uploads/{}/complete", upload_id), may_repeat=True, timeout_s=PIECE_S)
        return (yield from self._ask(complete, Upload))

    def _begin(self, file: Path, name: str, size: int) -> Plan[str]:
        digest: str = yield Work(partial(_sha256, file))
        request = Request("POST", place("/uploads"), json=given(filename=name, size=size, sha256=digest))
        begun: Upload = yield from self._ask(request, Upload)
        return begun.upload_id

    def _append(self, upload_id: str, offset: int, piece: bytes) -> Plan[int]:
        """Gives where it goes on, whatever became of this piece: bytes that came before a cut are kept."""
        request = Request(
            "PATCH",
            place("/uploads/{}", upload_id),
            body=piece,
            headers={"Upload-Offset": str(offset), "Content-Type": "application/octet-stream"},
            timeout_s=PIECE_S,
            may_repeat=True,  # a piece that has come already is refused with where it goes on
        )
        try:
            appended: Upload = yield from self._ask(request, Upload)
        except WrongOffset as elsewhere:
            return elsewhere.offset
        except Unreachable:
            return (yield from self._offset(upload_id))
        return appended.offset

    def _offset(self, upload_id: str) -> Plan[int]:
        answer = yield from self._settle(Request("HEAD", place("/uploads/{}", upload_id)))
        return int(answer.headers["upload-offset"])


def _read(file: Path, offset: int, count: int) -> bytes:
    with file.open("rb") as stream:
        stream.seek(offset)
        return stream.read(count)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
