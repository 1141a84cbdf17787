"""The one place that opens ZIP archives: what a hostile one may try is refused before a byte of it is unpacked.

Attacks on the archive itself (names that leave it, links, overlaps, sizes that lie, more than the limits in all) refuse
the whole of it; an entry that is only bad in itself (a bomb, a strange method, a broken checksum) is refused alone.
Names are for people to read, never for a path.
"""

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, TypeVar

from retinue.base.errors import Invalid, RetinueError, TooLarge, WrongKind

T = TypeVar("T")
END = b"PK\x05\x06"
END_64 = b"PK\x06\x06"
LOCATOR_64 = b"PK\x06\x07"
END_SIZE, END_64_SIZE, LOCATOR_64_SIZE = 22, 56, 20
LONGEST_COMMENT = 65_535
LOCAL_HEADER_SIZE = 30
STARTS = {b"PK\x03\x04", END}
PIECE_BYTES = 1 << 20
LONGEST_NAME = 255
ARCHIVE_NAMES = re.compile(r"\.(zip|tar|tgz|gz|bz2|xz|7z|rar|jar|iso)$", re.IGNORECASE)
JUNK = re.compile(r"(^|/)(__MACOSX(/|$)|\.DS_Store$|Thumbs\.db$|desktop\.ini$|\._[^/]*$)", re.IGNORECASE)
LEAVES = re.compile(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)|^[A-Za-z][A-Za-z0-9+.-]*://|\x00")
UNSHOWABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class NotAnArchive(WrongKind):
    code = "not-an-archive"
    title = "These bytes are no ZIP archive"


class BrokenArchive(Invalid):
    code = "broken-archive"
    title = "The archive is broken"


class HostileArchive(Invalid):
    code = "hostile-archive"
    title = "The archive tries what no honest archive does"


class ArchiveTooLarge(TooLarge):
    code = "archive-too-large"
    title = "The archive is larger than the limits allow"


class EntryTooLarge(TooLarge):
    code = "entry-too-large"
    title = "This entry is larger than the limits allow"


class EntryUnreadable(Invalid):
    code = "entry-unreadable"
    title = "This entry cannot be unpacked"


class MethodRefused(WrongKind):
    code = "compression-refused"
    title = "This entry is compressed in a way that is not accepted"


class NestedArchive(Invalid):
    code = "nested-archive"
    title = "An archive inside an archive is not opened"


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """Of a whole archive, and of the ratio to which an entry may be compressed."""

    max_bytes: int = 8 << 30
    max_entries: int = 20_000
    max_expanded_bytes: int = 16 << 30
    max_directory_bytes: int = 4 << 20  # 70,000 empty entries cost 51 MiB just to list
    max_ratio: int = 100  # deflate's own ceiling is 1032; photographs stay below 2


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in the archive. `name` is cleaned for people; `refusal` says why it cannot be read."""

    name: str
    size: int
    refusal: RetinueError | None
    info: zipfile.ZipInfo


@dataclass(frozen=True, slots=True)
class Archive:
    """Its entries may be read from several threads at once."""

    entries: list[Entry]
    _zip: zipfile.ZipFile

    def read(self, entry: Entry, *, max_bytes: int) -> bytes:
        """All of an entry; refused alone when it is too large, or broken inside."""
        return b"".join(self.pieces(entry, max_bytes=max_bytes))

    def head(self, entry: Entry, size: int) -> bytes:
        """Its first bytes, which tell what kind of content it is."""
        return next(self._pieces(entry, piece_bytes=size), b"")

    def pieces(self, entry: Entry, *, max_bytes: int) -> Iterator[bytes]:
        """Broken content shows at the latest after the last piece, where the checksum is."""
        if entry.refusal is not None:
            raise entry.refusal
        if entry.size > max_bytes:
            raise EntryTooLarge(f"{entry.size} bytes, at most {max_bytes}")
        return self._pieces(entry, piece_bytes=PIECE_BYTES)

    def _pieces(self, entry: Entry, *, piece_bytes: int) -> Iterator[bytes]:
        if entry.refusal is not None:
            raise entry.refusal
        with _translated(lambda: self._zip.open(entry.info)) as stream:
            left = entry.size
            # Never `read()` without a size: it inflates all that is there before it looks at the size it was told.
            while piece := _translated(lambda: stream.read(piece_bytes)):
                left -= len(piece)
                yield piece
            if left:
                raise EntryUnreadable("It is shorter than it says")


@contextmanager
def open_archive(source: Path | bytes | BinaryIO, limits: ArchiveLimits | None = None) -> Iterator[Archive]:
    """Blocking: call it from a thread."""
    limits = limits or ArchiveLimits()
    with _opened(source) as file:
        size = file.seek(0, 2)
        if size > limits.max_bytes:
            raise ArchiveTooLarge(f"{size} bytes, at most {limits.max_bytes}")
        told = _directory_of(file, size)
        if told.entries > limits.max_entries:
            raise ArchiveTooLarge(f"{told.entries} entries, at most {limits.max_entries}")
        if told.bytes > limits.max_directory_bytes:
            raise ArchiveTooLarge("The list of its entries alone is larger than allowed")
        with _translated(lambda: zipfile.ZipFile(file), whole=True) as opened:
            infos = opened.infolist()
            if len(infos) != told.entries:
                raise HostileArchive("It says it has another number of entries than it has")
            _check_layout(infos, told)
            yield Archive([_entry(info, limits) for info in _kept(infos, limits)], opened)


def is_archive(head: bytes) -> bool:
    """By the first bytes: whether anybody would call this a ZIP."""
    return head[:4] in STARTS


def clean_name(name: str) -> str:
    """What people may see of an entry's name: one line, forward slashes, no tricks with direction, not too long."""
    return UNSHOWABLE.sub("", name.replace("\\", "/"))[-LONGEST_NAME:].strip() or "unnamed"


@dataclass(frozen=True, slots=True)
class _Directory:
    """What the end of the archive says about the list of its entries."""

    entries: int
    bytes: int
    offset: int


@contextmanager
def _opened(source: Path | bytes | BinaryIO) -> Iterator[BinaryIO]:
    if isinstance(source, bytes):
        yield BytesIO(source)
    elif isinstance(source, Path):
        with source.open("rb") as file:
            yield file
    else:
        yield source


def _directory_of(file: BinaryIO, size: int) -> _Directory:
    """Read from the end record before `zipfile` lists anything, because listing is where the memory goes.

    The record must be the very one that `zipfile` will find, and the list must lie right before it: then nothing can
    be told to us and something else to it.
    """
    file.seek(0)
    starts_as_zip = is_archive(file.read(4))
    tail_size = min(size, END_SIZE + LONGEST_COMMENT)
    file.seek(size - tail_size)
    tail = file.read(tail_size)
    at = tail.rfind(END)
    if not starts_as_zip:
        raise NotAnArchive() if at < 0 else HostileArchive("It does not start as an archive")
    if at < 0:
        raise BrokenArchive("It has no end")
    if len(tail) - at < END_SIZE:
        raise BrokenArchive("It is cut short")
    entries, length, offset, comment = struct.unpack("<HIIH", tail[at + 10 : at + END_SIZE])
    if at + END_SIZE + comment != len(tail):
        raise HostileArchive("Something follows its end")
    end_at = size - tail_size + at
    if tail[max(0, at - LOCATOR_64_SIZE) : at].startswith(LOCATOR_64):
        told, end_at = _directory_64(file, end_at)
    else:
        told = _Directory(entries, length, offset)
    if told.offset + told.bytes != end_at:
        raise BrokenArchive("Its end does not follow the list of its entries")
    if told.entries == 0:
        raise BrokenArchive("It is empty")
    return told


def _directory_64(file: BinaryIO, end_at: int) -> tuple[_Directory, int]:
    """For large archives a second end record lies before the first; other places than right before it are refused."""
    place = end_at - LOCATOR_64_SIZE - END_64_SIZE
    if place < 0:
        raise BrokenArchive("It is cut short")
    file.seek(place)
    record = file.read(END_64_SIZE + LOCATOR_64_SIZE)
    (told_place,) = struct.unpack("<Q", record[END_64_SIZE + 8 : END_64_SIZE + 16])
    if record[:4] != END_64 or told_place != place:
        raise BrokenArchive("Its end points nowhere")
    entries, length, offset = struct.unpack("<QQQ", record[32:56])
    return _Directory(entries, length, offset), place


def _check_layout(infos: list[zipfile.ZipInfo], told: _Directory) -> None:
    """Every entry has bytes of its own: shared ones are how 42 KB become 5.5 GB."""
    in_order = sorted(infos, key=lambda info: info.header_offset)
    ends = [info.header_offset for info in in_order[1:]] + [told.offset]
    for info, end in zip(in_order, ends, strict=True):
        name = len(info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437", "replace"))
        if info.header_offset < 0 or info.header_offset + LOCAL_HEADER_SIZE + name + info.compress_size > end:
            raise HostileArchive("Its entries lie over each other")


def _kept(infos: list[zipfile.ZipInfo], limits: ArchiveLimits) -> Iterator[zipfile.ZipInfo]:
    """The files among the entries; names and kinds that no honest archive has refuse all of it."""
    expanded = 0
    for info in infos:
        mode = info.external_attr >> 16
        kind = stat.S_IFMT(mode)
        if LEAVES.search(info.orig_filename) or LEAVES.search(info.filename):
            raise HostileArchive(f"An entry's name leaves the archive: {clean_name(info.filename)[:100]!r}")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or mode & (stat.S_ISUID | stat.S_ISGID):
            raise HostileArchive(f"An entry is a link or a device: {clean_name(info.filename)[:100]!r}")
        expanded += info.file_size
        if expanded > limits.max_expanded_bytes:
            raise ArchiveTooLarge(f"It holds more than {limits.max_expanded_bytes} bytes")
        if not (info.is_dir() or JUNK.search(info.filename)):
            yield info


def _entry(info: zipfile.ZipInfo, limits: ArchiveLimits) -> Entry:
    return Entry(clean_name(info.filename), info.file_size, _refusal(info, limits), info)


def _refusal(info: zipfile.ZipInfo, limits: ArchiveLimits) -> RetinueError | None:
    if info.flag_bits & 0x1:
        return EntryUnreadable("It is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return MethodRefused("Only stored and deflated entries are read")
    if _ratio(info) > limits.max_ratio:
        return EntryTooLarge(f"It is compressed to less than one part in {limits.max_ratio}")
    if ARCHIVE_NAMES.search(info.filename):
        return NestedArchive()
    return None


def _ratio(info: zipfile.ZipInfo) -> float:
    return info.file_size / max(1, info.compress_size)


def _translated(work: Callable[[], T], *, whole: bool = False) -> T:
    """The zoo of zipfile's failures becomes ours at this one border."""
    try:
        return work()
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        OSError,
        OverflowError,
        RuntimeError,
        UnicodeError,
        ValueError,
        struct.error,
    ) as broken:
        raise (BrokenArchive() if whole else EntryUnreadable("Its bytes are broken")) from broken
