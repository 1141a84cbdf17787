"""What an MP4's boxes must not say: that its pictures lie in another file. Read before FFmpeg opens it."""

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

from retinue.vision.errors import BrokenVideo


def refuse_outside_media(file: BinaryIO) -> None:
    """MP4 may say that its pictures lie in another file (`dref`). FFmpeg skips some of these and reads garbage."""
    size = file.seek(0, os.SEEK_END)
    for start, end in _boxes(file, 0, size, path=(b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref")):
        for _, flags_at, _ in _children(file, start + 8, end):
            file.seek(flags_at + 3)
            if file.read(1) not in (b"\x01", b""):
                raise BrokenVideo("The video's pictures lie in another file.")


def _boxes(file: BinaryIO, start: int, end: int, *, path: tuple[bytes, ...]) -> Iterator[tuple[int, int]]:
    for kind, inner, after in _children(file, start, end):
        if kind != path[0]:
            continue
        if len(path) == 1:
            yield inner, after
        else:
            yield from _boxes(file, inner, after, path=path[1:])


def _children(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, first byte inside, first byte behind) of each box; a head that lies ends the list."""
    while start + 8 <= end:
        file.seek(start)
        length, kind = struct.unpack(">I4s", file.read(8))
        head = 8
        if length == 1:
            length, head = int.from_bytes(file.read(8), "big"), 16
        elif length == 0:
            length = end - start
        if length < head or start + length > end:
            return
        yield kind, start + head, start + length
        start += length
