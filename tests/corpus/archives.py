"""Archives made to harm whoever opens them, and their harmless twins, all generated: group B of the safety corpus.

`refused` is the error that refuses all of it; `rejected` names entries that are refused alone, `accepted` those that
can be read. The pictures inside are real, so that the same archives serve the import of datasets.
"""

import gzip
import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property

from retinue.base.errors import RetinueError
from retinue.media.archives import (
    ArchiveTooLarge,
    BrokenArchive,
    EntryTooLarge,
    EntryUnreadable,
    HostileArchive,
    MethodRefused,
    NestedArchive,
    NotAnArchive,
)
from tests.pictures import drawn

MIB = 1 << 20


@dataclass(frozen=True)
class Case:
    name: str
    make: Callable[[], bytes]
    refused: type[RetinueError] | None = None
    rejected: Mapping[str, type[RetinueError]] = field(default_factory=dict)
    accepted: tuple[str, ...] = ()

    @cached_property
    def data(self) -> bytes:
        return self.make()

    def __str__(self) -> str:
        return self.name


def hostile_archives() -> list[Case]:
    return [*_overlaps(), *_bombs(), *_names(), *_kinds(), *_lies(), *_broken(), *_other_kinds()]


def benign_archives() -> list[Case]:
    return [
        Case("stored and deflated side by side", _stored_and_deflated, accepted=("a.jpg", "b.jpg")),
        Case("what a Mac adds", _from_a_mac, accepted=("kit/a.jpg",)),
        Case("what Windows adds", _from_windows, accepted=("kit/a.jpg",)),
        Case("names in UTF-8", lambda: zipped(("été/клещи 钳子.jpg", drawn(1))), accepted=("été/клещи 钳子.jpg",)),
        Case("names in code page 437", _code_page_437, accepted=("é.jpg",)),
        Case("a Zip64 entry", _zip64, accepted=("a.jpg",)),
        Case("sizes told after the data", _streamed, accepted=("a.jpg", "b.jpg")),
        Case("a comment", lambda: _with_comment(b"made by hand"), accepted=("a.jpg",)),
        Case("the longest comment", lambda: _with_comment(b"x" * 65_535), accepted=("a.jpg",)),
        Case("the same name twice", _same_name_twice, accepted=("a.jpg", "a.jpg")),
        Case(
            "names equal but for case",
            lambda: zipped(("A.jpg", drawn(1)), ("a.jpg", drawn(2))),
            accepted=("A.jpg", "a.jpg"),
        ),
        Case("names equal but for their Unicode form", _composed, accepted=("\u00e9.jpg", "e\u0301.jpg")),
        Case("two dots within a name", lambda: zipped(("a..b.jpg", drawn(1))), accepted=("a..b.jpg",)),
        Case("Windows' slashes", lambda: zipped(("kit\\a.jpg", drawn(1))), accepted=("kit/a.jpg",)),
        Case("a name reserved on Windows", lambda: zipped(("CON.jpg", drawn(1))), accepted=("CON.jpg",)),
        Case("only an extension for a name", lambda: zipped((".jpg", drawn(1))), accepted=(".jpg",)),
        Case("a name of 400 letters", lambda: zipped(("x" * 396 + ".jpg", drawn(1))), accepted=("x" * 251 + ".jpg",)),
        Case("a name that turns the line around", lambda: zipped(("a\u202egpj.jpg", drawn(1))), accepted=("agpj.jpg",)),
        Case("a name with a line break", lambda: zipped(("a\nb.jpg", drawn(1))), accepted=("ab.jpg",)),
        Case("a name that is a formula", lambda: zipped(("=cmd|x.jpg", drawn(1))), accepted=("=cmd|x.jpg",)),
        Case(
            "a name that is a script",
            lambda: zipped(("<img onerror=x>.jpg", drawn(1))),
            accepted=("<img onerror=x>.jpg",),
        ),
        Case("bytes between its entries", _with_gap, accepted=("a.jpg", "b.jpg")),
        Case("the marks of an end inside an entry", _end_marks_inside, accepted=("a.jpg", "note.bin")),
    ]


def zipped(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return out.getvalue()


# --- the pieces archives are made of


def local_header(name: bytes, data: bytes, *, crc: int, size: int, method: int = 8, flags: int = 0) -> bytes:
    return (
        struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, flags, method, 0, 0x21, crc, len(data), size, len(name), 0)
        + name
        + data
    )


def listed(
    name: bytes, *, crc: int, packed: int, size: int, at: int, method: int = 8, flags: int = 0, mode: int = 0
) -> bytes:
    return (
        struct.pack(
            "<4sHHHHHHIIIHHHHHII",
            *(b"PK\1\2", 0x31E, 20, flags, method, 0, 0x21, crc, packed, size),
            *(len(name), 0, 0, 0, 0, mode << 16, at),
        )
        + name
    )


def assembled(body: bytes, entries: list[bytes]) -> bytes:
    directory = b"".join(entries)
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, len(entries), len(entries), len(directory), len(body), 0)
    return body + directory + end


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def _one(name: bytes = b"a.jpg", *, method: int = 8, flags: int = 0, mode: int = 0, size: int | None = None) -> bytes:
    """One picture, with one thing about it as told."""
    data = drawn(1)
    packed, crc, told = deflated(data), zlib.crc32(data), len(data) if size is None else size
    body = local_header(name, packed, crc=crc, size=told, method=method, flags=flags)
    entry = listed(name, crc=crc, packed=len(packed), size=told, at=0, method=method, flags=flags, mode=mode)
    return assembled(body, [entry])


def _patched_end(data: bytes, at: int, layout: str, *values: int) -> bytes:
    """The same archive, its end record saying something else."""
    end, patched = data.rindex(b"PK\5\6"), bytearray(data)
    struct.pack_into(layout, patched, end + at, *values)
    return bytes(patched)


# --- hostile


def _overlaps() -> list[Case]:
    return [
        Case("each entry quotes the next one's header", lambda: _quoted_overlap(250), HostileArchive),
        Case("500 entries over the same bytes", lambda: _full_overlap(500), HostileArchive),
        Case("an entry that reaches into the next", _reaching_over, HostileArchive),
        Case("an entry longer than the archive", _forged_length, HostileArchive),
        Case("an entry inside the list of entries", _inside_directory, HostileArchive),
    ]


def _bombs() -> list[Case]:
    many = {f"{n:02}.png": EntryTooLarge for n in range(16)}
    return [
        Case("zeros at 1000 to 1", lambda: zipped(("a.png", zeros())), rejected={"a.png": EntryTooLarge}),
        Case(
            "a bomb beside a picture",
            lambda: zipped(("a.png", zeros()), ("b.jpg", drawn(1))),
            rejected={"a.png": EntryTooLarge},
            accepted=("b.jpg",),
        ),
        Case("a bomb in bzip2", lambda: _packed_by(zipfile.ZIP_BZIP2), rejected={"a.png": MethodRefused}),
        Case("a bomb in LZMA", lambda: _packed_by(zipfile.ZIP_LZMA), rejected={"a.png": MethodRefused}),
        Case("sixteen bombs", lambda: _many_bombs(many), rejected=many),
        Case(
            "archives inside",
            lambda: zipped(("a.zip", _nested(1)), ("b.jpg", drawn(1))),
            rejected={"a.zip": NestedArchive},
            accepted=("b.jpg",),
        ),
        Case("six archives inside each other", lambda: _nested(6), rejected={"inner.zip": NestedArchive}),
        Case("a tar inside", lambda: zipped(("x.tar.gz", _tar("gz"))), rejected={"x.tar.gz": NestedArchive}),
        Case("more than 16 GiB in all", _too_much_in_all, ArchiveTooLarge),
        Case("70,000 entries", _many_entries, ArchiveTooLarge),
    ]


def _names() -> list[Case]:
    leaving = [
        "../../evil.png",
        "a/../../evil.png",
        "./../evil.png",
        "..",
        "/etc/evil.png",
        "C:\\evil.png",
        "c:evil.png",
        "..\\..\\evil.png",
        "a\\..\\..\\evil.png",
        "\\\\srv\\share\\x.png",
        "//srv/share/x.png",
        "file:///x.png",
        "http://127.0.0.1/x.png",
        "a\0b.png",
    ]
    cases = [Case(f"the name {name!r}", _named(name), HostileArchive) for name in leaving]
    beside = Case(
        "one bad name beside good ones",
        lambda: zipped(("a.jpg", drawn(1)), ("../b.jpg", drawn(2)), ("c.jpg", drawn(3))),
        HostileArchive,
    )
    return [*cases, beside]


def _named(name: str) -> Callable[[], bytes]:
    return lambda: _one(name.encode())


def _kinds() -> list[Case]:
    modes = {
        "a symbolic link": stat.S_IFLNK | 0o777,
        "a character device": stat.S_IFCHR | 0o666,
        "a block device": stat.S_IFBLK | 0o666,
        "a pipe": stat.S_IFIFO | 0o666,
        "a socket": stat.S_IFSOCK | 0o666,
        "a program that runs as its owner": stat.S_IFREG | 0o4755,
        "a program that runs as its group": stat.S_IFREG | 0o2755,
    }
    return [Case(f"an entry that is {name}", _of_mode(mode), HostileArchive) for name, mode in modes.items()]


def _of_mode(mode: int) -> Callable[[], bytes]:
    return lambda: _one(mode=mode)


def _lies() -> list[Case]:
    return [
        Case("it counts 65,535 entries", lambda: _counting(2, told=0xFFFF), ArchiveTooLarge),
        Case("it counts one entry of 5,000", lambda: _counting(5000, told=1), HostileArchive),
        Case("it counts none", lambda: _counting(2, told=0), BrokenArchive),
        Case("a large count hidden in a second end", _hidden_count, ArchiveTooLarge),
        Case("sizes of 2^63", _sizes_beyond_all, HostileArchive),
        Case("its list begins elsewhere", lambda: _patched_end(_one(), 16, "<I", 3), BrokenArchive),
        Case("a size that is too small", lambda: _one(size=100), rejected={"a.jpg": EntryUnreadable}),
        Case("a size that is too large", lambda: _one(size=len(drawn(1)) + 1), rejected={"a.jpg": EntryUnreadable}),
        Case("64 MiB that say they are 100 bytes", _more_than_told, rejected={"a.png": EntryUnreadable}),
        Case("another name before the data", _two_names, rejected={"a.jpg": EntryUnreadable}),
    ]


def _broken() -> list[Case]:
    return [
        Case("encrypted", lambda: _one(flags=1), rejected={"a.jpg": EntryUnreadable}),
        Case("method 99", lambda: _one(method=99), rejected={"a.jpg": MethodRefused}),
        Case("a wrong checksum", _wrong_checksum, rejected={"a.jpg": EntryUnreadable}),
        Case("data that is no deflate", _no_deflate, rejected={"a.jpg": EntryUnreadable}),
        Case("a name that is no UTF-8", lambda: _one(b"\xff\xfe.jpg", flags=0x800), BrokenArchive),
        Case("cut in the middle", lambda: _one()[:200], BrokenArchive),
        Case("without its last byte", lambda: _one()[:-1], BrokenArchive),
        Case("two ends", lambda: _one() + _one()[-22:], BrokenArchive),
        Case("an archive behind an archive", lambda: _one() + _one(), BrokenArchive),
        Case("an end inside the comment", lambda: _with_comment(_one()[-22:]), BrokenArchive),
        Case("a long comment full of ends", lambda: _with_comment(b"PK\5\6" * 16_000), BrokenArchive),
        Case("something behind the end", lambda: _one() + b"more", HostileArchive),
        Case("empty", lambda: assembled(b"", []), BrokenArchive),
        Case("only the first four bytes", lambda: b"PK\3\4", BrokenArchive),
        Case("one good entry, one cut", _one_broken, rejected={"b.jpg": EntryUnreadable}, accepted=("a.jpg",)),
    ]


def _other_kinds() -> list[Case]:
    return [
        Case("a tar", lambda: _tar(""), NotAnArchive),
        Case("a tar.gz", lambda: _tar("gz"), NotAnArchive),
        Case("a gzip", lambda: gzip.compress(drawn(1)), NotAnArchive),
        Case("a 7z", lambda: b"7z\xbc\xaf\x27\x1c" + bytes(100), NotAnArchive),
        Case("a rar", lambda: b"Rar!\x1a\x07\x01\0" + bytes(100), NotAnArchive),
        Case("nothing", lambda: b"", NotAnArchive),
        Case("64 KiB of zeros", lambda: bytes(65_536), NotAnArchive),
        Case("a picture with an archive behind it", lambda: drawn(1) + _one(), HostileArchive),
        Case("an archive behind eight bytes of a PNG", lambda: b"\x89PNG\r\n\x1a\n" + _one(), HostileArchive),
    ]


@cache
def zeros() -> bytes:
    return bytes(64 * MIB)


def _quoted_overlap(count: int) -> bytes:
    """Fifield's: a stored block in front of each entry makes the next one's header part of its content."""
    kernel = bytes(MIB)
    packed, crc, size = deflated(kernel), zlib.crc32(kernel), len(kernel)
    names = [b"f%03d.png" % n for n in range(count)]
    parts = [local_header(names[-1], packed, crc=crc, size=size)]
    told = [(names[-1], crc, len(packed), size)]
    content, inner = kernel, packed
    for name in reversed(names[:-1]):
        quoted = parts[0][: 30 + len(name)]
        block = b"\0" + struct.pack("<HH", len(quoted), len(quoted) ^ 0xFFFF)
        inner, content = block + quoted + inner, quoted + content
        crc = zlib.crc32(content)
        header = local_header(name, b"", crc=crc, size=len(content))
        parts.insert(0, header[:18] + struct.pack("<I", len(inner)) + header[22:] + block)
        told.insert(0, (name, crc, len(inner), len(content)))
    offsets = [0]
    for piece in parts[:-1]:
        offsets.append(offsets[-1] + len(piece))
    entries = [
        listed(name, crc=crc, packed=packed_size, size=size, at=at)
        for (name, crc, packed_size, size), at in zip(told, offsets, strict=True)
    ]
    return assembled(b"".join(parts), entries)


def _full_overlap(count: int) -> bytes:
    kernel = bytes(MIB)
    packed, crc = deflated(kernel), zlib.crc32(kernel)
    body = local_header(b"a.png", packed, crc=crc, size=MIB)
    return assembled(body, [listed(b"%d.png" % n, crc=crc, packed=len(packed), size=MIB, at=0) for n in range(count)])


def _reaching_over() -> bytes:
    data = drawn(1)
    first = local_header(b"a.jpg", data, crc=zlib.crc32(data), size=len(data), method=0)
    entries = [
        listed(b"a.jpg", crc=zlib.crc32(data), packed=len(data) + 10, size=len(data) + 10, at=0, method=0),
        listed(b"b.jpg", crc=zlib.crc32(data), packed=len(data), size=len(data), at=len(first), method=0),
    ]
    return assembled(first + first, entries)


def _forged_length() -> bytes:
    data = drawn(1)
    body = local_header(b"a.jpg", data, crc=zlib.crc32(data), size=len(data), method=0)
    forged = listed(b"a.jpg", crc=0, packed=0xFFFFFFFE, size=0xFFFFFFFE, at=0, method=0)
    return assembled(body, [forged, forged])


def _inside_directory() -> bytes:
    data = drawn(1)
    body = local_header(b"a.jpg", data, crc=zlib.crc32(data), size=len(data), method=0)
    return assembled(body, [listed(b"a.jpg", crc=0, packed=20, size=20, at=len(body) - 10, method=0)])


def _packed_by(method: int) -> bytes:
    return zipped(("a.png", zeros()), method=method)


def _many_bombs(names: Iterable[str]) -> bytes:
    packed, crc = deflated(zeros()), zlib.crc32(zeros())
    body, entries = b"", []
    for name in names:
        told = {"crc": crc, "size": len(zeros())}
        entries.append(listed(name.encode(), packed=len(packed), at=len(body), **told))
        body += local_header(name.encode(), packed, **told)
    return assembled(body, entries)


def _nested(depth: int) -> bytes:
    return zipped(("inner.zip", _nested(depth - 1))) if depth else zipped(("a.jpg", drawn(1)))


def _too_much_in_all() -> bytes:
    """Five thousand entries that each say 4 MiB, within the ratio."""
    packed, body, entries = bytes(42_000), b"", []
    for n in range(5000):
        name = b"%04d.png" % n
        entries.append(listed(name, crc=0, packed=len(packed), size=4 * MIB, at=len(body)))
        body += local_header(name, b"", crc=0, size=4 * MIB)
    return assembled(body, [entry[:20] + struct.pack("<I", 0) + entry[24:] for entry in entries])


@cache
def _many_entries() -> bytes:
    body, entries, at = [], [], 0
    for n in range(70_000):
        name = b"%05d" % n
        entries.append(listed(name, crc=0, packed=0, size=0, at=at, method=0))
        body.append(local_header(name, b"", crc=0, size=0, method=0))
        at += len(body[-1])
    directory = b"".join(entries)
    return _with_end_64(b"".join(body) + directory, count=70_000, directory=len(directory), at=at)


def _with_end_64(data: bytes, *, count: int, directory: int, at: int) -> bytes:
    record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, directory, at)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(data), 1)
    return data + record + locator + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 2**32 - 1, 2**32 - 1, 0)


def _counting(count: int, *, told: int) -> bytes:
    files = [(f"{n}.jpg", drawn(n % 3)) for n in range(count)]
    return _patched_end(zipped(*files, method=zipfile.ZIP_STORED), 8, "<HH", told, told)


def _hidden_count() -> bytes:
    """The old end record counts two; the new one, which wins in every reader, counts 70,000."""
    big = _many_entries()
    return _patched_end(big, 8, "<HHII", 2, 2, 100, 0)


def _sizes_beyond_all() -> bytes:
    data = drawn(1)
    extra = struct.pack("<HHQQ", 1, 16, 2**63, 2**63)
    entry = bytearray(listed(b"a.jpg", crc=0, packed=0xFFFFFFFF, size=0xFFFFFFFF, at=0, method=0) + extra)
    struct.pack_into("<H", entry, 30, len(extra))
    return assembled(local_header(b"a.jpg", data, crc=0, size=len(data), method=0), [bytes(entry)])


def _more_than_told() -> bytes:
    packed = deflated(zeros())
    body = local_header(b"a.png", packed, crc=0, size=100)
    return assembled(body, [listed(b"a.png", crc=0, packed=len(packed), size=100, at=0)])


def _two_names() -> bytes:
    return _one().replace(b"a.jpg", b"b.jpg", 1)


def _wrong_checksum() -> bytes:
    data = bytearray(zipped(("a.jpg", drawn(1)), method=zipfile.ZIP_STORED))
    data[200] ^= 0xFF
    return bytes(data)


def _no_deflate() -> bytes:
    body = local_header(b"a.jpg", b"\xff" * 600, crc=0, size=700)
    return assembled(body, [listed(b"a.jpg", crc=0, packed=600, size=700, at=0)])


def _one_broken() -> bytes:
    data = bytearray(zipped(("a.jpg", drawn(1)), ("b.jpg", drawn(2)), method=zipfile.ZIP_STORED))
    data[len(drawn(1)) + 200] ^= 0xFF
    return bytes(data)


def _tar(kind: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{kind}") as archive:  # type: ignore[call-overload]
        told = tarfile.TarInfo("a.jpg")
        told.size = len(drawn(1))
        archive.addfile(told, io.BytesIO(drawn(1)))
    return out.getvalue()


# --- benign


def _stored_and_deflated() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.jpg", drawn(1), zipfile.ZIP_STORED)
        archive.writestr("b.jpg", drawn(2), zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _from_a_mac() -> bytes:
    return zipped(
        ("kit/", b""), ("kit/a.jpg", drawn(1)), ("__MACOSX/kit/._a.jpg", b"\0\5\x16\7"), ("kit/.DS_Store", b"\0Bud1")
    )


def _from_windows() -> bytes:
    return zipped(("kit/a.jpg", drawn(1)), ("kit/Thumbs.db", b"\xd0\xcf\x11\xe0"), ("kit/desktop.ini", b"[x]"))


def _code_page_437() -> bytes:
    return _one("é.jpg".encode("cp437"))


def _zip64() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, archive.open("a.jpg", "w", force_zip64=True) as file:
        file.write(drawn(1))
    data = out.getvalue()
    end = data.rindex(b"PK\5\6")
    count, length, at = struct.unpack("<HII", data[end + 10 : end + 20])
    return _with_end_64(data[:end], count=count, directory=length, at=at)


class _OneWay(io.RawIOBase):
    """A stream that cannot go back, so that sizes can only be told afterwards."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.pieces.append(bytes(data))
        return len(data)


def _streamed() -> bytes:
    out = _OneWay()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", drawn(1))
        archive.writestr("b.jpg", drawn(2))
    return b"".join(out.pieces)


def _with_comment(comment: bytes) -> bytes:
    plain = _one()
    return plain[:-2] + struct.pack("<H", len(comment)) + comment


def _same_name_twice() -> bytes:
    one = b"a.jpg"
    body, entries = b"", []
    for seed in (1, 2):
        data = drawn(seed)
        entries.append(listed(one, crc=zlib.crc32(data), packed=len(data), size=len(data), at=len(body), method=0))
        body += local_header(one, data, crc=zlib.crc32(data), size=len(data), method=0)
    return assembled(body, entries)


def _composed() -> bytes:
    return zipped(("\u00e9.jpg", drawn(1)), ("e\u0301.jpg", drawn(2)))


def _with_gap() -> bytes:
    body, entries = b"", []
    for name, seed in ((b"a.jpg", 1), (b"b.jpg", 2)):
        data = drawn(seed)
        entries.append(listed(name, crc=zlib.crc32(data), packed=len(data), size=len(data), at=len(body), method=0))
        body += local_header(name, data, crc=zlib.crc32(data), size=len(data), method=0) + bytes(16)
    return assembled(body, entries)


def _end_marks_inside() -> bytes:
    return zipped(("a.jpg", drawn(1)), ("note.bin", b"PK\5\6" + bytes(40)), method=zipfile.ZIP_STORED)
