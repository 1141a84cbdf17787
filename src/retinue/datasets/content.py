"""Where a file's bytes come from while it is taken in: a form, a finished upload, an archive's entry."""

import contextlib
import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from retinue.base.ids import new_id
from retinue.media.archives import Archive, Entry, clean_name
from retinue.vision.errors import PictureTooBig

HEAD_BYTES = 64
COPY_BYTES = 1 << 20


class Content(Protocol):
    """Blocking: read it in a thread, one thread at a time. `name` is for people."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int: ...

    def head(self) -> bytes: ...

    def read(self, *, max_bytes: int) -> bytes: ...

    def local(self, scratch: "Scratch") -> Path:
        """A file with these bytes, which lasts as long as the scratch folder's file does."""


class Scratch:
    """Files that live for one `with`. Nothing happens on the disk until the first is asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: list[Path] = []

    def path(self) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._made.append(self._folder / new_id())
        return self._made[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for path in self._made:
            path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class FileContent:
    """A file that is open: what a form brought, or an upload that is complete."""

    name: str
    size: int
    file: BinaryIO
    path: Path | None = None

    def head(self) -> bytes:
        self.file.seek(0)
        return self.file.read(HEAD_BYTES)

    def read(self, *, max_bytes: int) -> bytes:
        if self.size > max_bytes:
            raise PictureTooBig(f"The picture has {self.size} bytes; up to {max_bytes} are allowed.")
        self.file.seek(0)
        return self.file.read()

    def local(self, scratch: Scratch) -> Path:
        if self.path is not None:
            return self.path
        self.file.seek(0)
        place = scratch.path()
        with place.open("wb") as out:
            shutil.copyfileobj(self.file, out, COPY_BYTES)
        return place


@dataclass(frozen=True, slots=True)
class EntryContent:
    """An entry of an archive that stays open; its name is without its folder."""

    name: str
    archive: Archive
    entry: Entry

    @property
    def size(self) -> int:
        return self.entry.size

    def head(self) -> bytes:
        return self.archive.head(self.entry, HEAD_BYTES)

    def read(self, *, max_bytes: int) -> bytes:
        return self.archive.read(self.entry, max_bytes=max_bytes)

    def local(self, scratch: Scratch) -> Path:
        place = scratch.path()
        with place.open("wb") as out:
            for piece in self.archive.pieces(self.entry, max_bytes=self.entry.size):
                out.write(piece)
        return place


@contextlib.contextmanager
def opened(path: Path, *, name: str) -> Iterator[FileContent]:
    with path.open("rb") as file:
        yield FileContent(shown_name(name), path.stat().st_size, file, path)


def shown_name(name: str) -> str:
    """The last part of whatever a client called it."""
    return clean_name(name).rstrip("/").rsplit("/", 1)[-1] or "unnamed"


def digest_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
