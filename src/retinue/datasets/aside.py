"""Where an export keeps what it tells at its end: in files, which may grow with every picture as memory may not."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import IO

IN_MEMORY_BYTES = 1 << 20  # of each sheet; a larger one goes to the disk
READ_BYTES = 1 << 20


class Sheet:
    """Written to its end, then read from its beginning."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def is_empty(self) -> bool:
        return self._file.tell() == 0

    def pieces(self) -> Iterator[bytes]:
        self._file.seek(0)
        while piece := self._file.read(READ_BYTES):
            yield piece


class Aside:
    """The sheets of one export, which are gone with it."""

    def __init__(self) -> None:
        self._files = ExitStack()

    def sheet(self) -> Sheet:
        return Sheet(self._files.enter_context(tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)))

    def __enter__(self) -> "Aside":
        return self

    def __exit__(self, kind: type[BaseException] | None, why: BaseException | None, at: TracebackType | None) -> None:
        self._files.close()
