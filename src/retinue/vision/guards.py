"""What is refused of each kind of picture before a decoder touches it.

Pillow's decoders are the second fence. This first one costs microseconds and looks for what they would only notice
after they took memory or time: its readers of headers are loops in Python, and 20 MiB of small parts keep one busy for
seconds. Headers are read where nobody else can be served meanwhile, so each limit below is what Pillow reads in about
30 ms of processor time. Where a kind has several limits they are shares of one budget: half of one and half of another
are all that may be spent.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from itertools import islice

from retinue.vision.errors import BrokenPicture, PictureTooBig
from retinue.vision.exif import Tag, read_tags
from retinue.vision.sniffing import BMP, GIF, JPEG, PNG, TIFF, WEBP, Kind, Limits

MAX_JPEG_SCANS = 100  # a photograph has about ten; a thousand keep a decoder busy for seconds
MAX_JPEG_SEGMENTS = 2000  # 15 ms with 20 MB in them; a photograph has 5 to 50, with a depth map inside some hundreds
MAX_JPEG_EXIFS = 32  # 5 ms; Pillow joins each to all before it, so 1,990 take 3 s; a camera writes one
MAX_JPEG_PROFILES = 512  # 10 ms; Pillow sorts the parts of a colour profile, of which there can be 255
MAX_JPEG_RESOURCES = 20_000  # 10 ms; Photoshop writes about fifty
MAX_JPEG_TABLE_BYTES = 16_384  # 2 ms; frames and quantisation tables; 20 MB take 1 s; a photograph has 600 bytes
MAX_JPEG_JUNK_BYTES = 16_384  # 5 ms, skipped byte by byte
MAX_PNG_CHUNKS = 20_000  # 8 ms to count; usual writers make chunks of 8 KiB and more
MAX_PNG_NOTES = 2000  # 10 ms; chunks before the pixels; usual writers make five
MAX_PNG_NOTE_BYTES = 4 * 1024 * 1024  # 15 ms; the longest colour profiles have two
MAX_PNG_UNFOLDED_BYTES = 8 * 1024 * 1024  # 35 ms; Pillow unfolds one megabyte of each text and profile, asked or not
MAX_WEBP_CHUNKS = 20_000  # 8 ms; two for each frame of an animation
MAX_GIF_BLOCKS = 4000  # 2 ms; the blocks before the first frame, 255 bytes each, and each byte of junk between them
MAX_TIFF_PARTS = 20_000  # 25 ms; strips or tiles; the highest picture has 16,384 rows, and some write one in a strip
MAX_TIFF_VALUES = 4096  # 8 ms; of the other tags that describe the pixels, where a palette is the longest with 768
MAX_BMP_RUNS_BYTES = 2 * 1024 * 1024  # 0.5 s when decoded; Pillow unpacks runs in Python
MOST_DEFLATED = 1040  # deflate cannot pack more than 1,032 bytes into one
MOST_UNFOLDED = 1024 * 1024  # where Pillow stops

PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
TILE_WIDTH, TILE_HEIGHT = 322, 323
STRIPS, TILES = 273, 324  # where they lie
TIFF_TEXTS = {700, 34675}  # XMP and the colour profile: long by nature, and cheap as long as they are bytes
TIFF_PIXELS = {256, 257, 258, 259, 262, 266, 274, 277, 278, 282, 283, 284, 296, 320, 322, 323, 338, 339, 530}
BYTE_UNITS, FRACTION_UNITS = {1, 2, 7}, {5, 10}
FRACTION_COST = 8  # an object each; a whole number is a tenth of that


def refuse_before_opening(kind: Kind, data: bytes, limits: Limits) -> None:
    """What a decoder would allocate for or stumble over while it only reads the header."""
    OPENING[kind](data, limits)


def refuse_before_decoding(kind: Kind, data: bytes) -> None:
    """What only matters once the pixels are wanted."""
    if kind in DECODING:
        DECODING[kind](data)


def _jpeg_header(data: bytes, limits: Limits) -> None:
    spent = 0.0
    for marker, start, end, skipped_bytes in _jpeg_segments(data, reach=MAX_JPEG_JUNK_BYTES + 2):
        if marker == SCAN:
            return
        spent += SEGMENT_SHARE
        if skipped_bytes:
            spent += skipped_bytes / MAX_JPEG_JUNK_BYTES
        if marker in TAKEN_APART:
            spent += _jpeg_share(marker, data, start, end)
        if spent > 1:
            raise PictureTooBig("The JPEG has more before its pixels than a picture needs.")


def _jpeg_share(marker: int, data: bytes, start: int, end: int) -> float:
    """Of what may be spent, what Pillow spends on this segment beyond skipping it."""
    if marker == APP1 and data.startswith(b"Exif\0\0", start):
        return 1 / MAX_JPEG_EXIFS
    if marker == APP2 and data.startswith(b"ICC_PROFILE\0", start):
        return 1 / MAX_JPEG_PROFILES
    if marker == APP13 and data.startswith(b"Photoshop 3.0\0", start):
        return data.count(b"8BIM", start, end) / MAX_JPEG_RESOURCES
    return (end - start) / MAX_JPEG_TABLE_BYTES if marker in JPEG_TABLES else 0


def _png_header(data: bytes, limits: Limits) -> None:
    spent, has_pixels = 0.0, False
    for chunks, (name, start, end) in enumerate(_png_chunks(data)):
        if has_pixels or name == b"IDAT":
            has_pixels = True
        else:
            spent += 1 / MAX_PNG_NOTES + (end - start) / MAX_PNG_NOTE_BYTES
            spent += _unfolded_bytes(name, data, start, end) / MAX_PNG_UNFOLDED_BYTES
        if spent > 1 or chunks >= MAX_PNG_CHUNKS:
            raise PictureTooBig("The PNG has more in it than a picture needs.")


def _unfolded_bytes(name: bytes, data: bytes, start: int, end: int) -> int:
    """The most that Pillow unfolds of this chunk; an international text says behind its name whether it is folded."""
    flag = data.find(b"\0", start, end) + 1
    is_folded = name in {b"iCCP", b"zTXt"} or (name == b"iTXt" and data[flag : flag + 1] != b"\0")
    return min((end - start) * MOST_DEFLATED, MOST_UNFOLDED) if is_folded else 0


def _webp_header(data: bytes, limits: Limits) -> None:
    """The decoder reserves two canvases when it opens the file: 2 GiB for the largest one."""
    chunk, body = data[12:16], data[20:30]
    if len(body) < 10:
        raise BrokenPicture("The picture ends before its size is told.")
    if chunk == b"VP8X":
        limits.check(1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little"))
    elif chunk == b"VP8 ":
        limits.check(int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF)
    elif chunk == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        limits.check(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    else:
        raise BrokenPicture("The WebP file begins with a part that no WebP begins with.")
    _count_webp_chunks(data)


def _count_webp_chunks(data: bytes) -> None:
    """Those inside a frame too: the decoder reads what a frame holds behind its picture as if it were outside."""
    at, chunks = 12, 0
    end = min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    while at + 8 <= end:
        name, size = WEBP_CHUNK.unpack_from(data, at)
        at += 24 if name == b"ANMF" else 8 + size + (size & 1)
        chunks += 1
        if chunks > MAX_WEBP_CHUNKS:
            raise PictureTooBig(f"The WebP file has more than {MAX_WEBP_CHUNKS} parts.")


def _gif_header(data: bytes, limits: Limits) -> None:
    """Walks as Pillow does over everything before the first frame; what is cut off there is left to the decoder."""
    at, blocks = 13 + _gif_palette_bytes(data[10:11]), 0
    while blocks <= MAX_GIF_BLOCKS:
        mark = GIF_MARK.search(data, at, at + MAX_GIF_BLOCKS + 1)
        begin = mark.start() if mark else min(len(data), at + MAX_GIF_BLOCKS + 1)
        blocks += begin - at
        if blocks <= MAX_GIF_BLOCKS and data[begin : begin + 1] != b"!":
            return
        at, read = _gif_extension_end(data, begin + 1)
        blocks += read
    raise PictureTooBig("The GIF has more before its first frame than a picture needs.")


def _gif_extension_end(data: bytes, at: int) -> tuple[int, int]:
    """Where Pillow goes on, and how many blocks it read: only in a comment does an empty first block end them."""
    ahead = 0 if data[at : at + 1] == b"\xfe" else 2 if data[at : at + 13] == b"\xff\x0bNETSCAPE2.0" else 1
    at, blocks = at + 1, 0
    while blocks <= MAX_GIF_BLOCKS:
        length = int.from_bytes(data[at : at + 1])
        at, blocks = at + 1 + length, blocks + 1
        if not length and blocks > ahead:
            break
    return at, blocks


def _gif_palette_bytes(flags: bytes) -> int:
    return 3 << (1 + (flags[0] & 7)) if flags and flags[0] & 0x80 else 0


def _bmp_header(data: bytes, limits: Limits) -> None:
    if len(data) < 34 or data[14:18] == b"\x0c\0\0\0":
        return
    if data[22:26] == b"\0\0\0\x80":
        raise BrokenPicture("The bitmap's height is no number of rows.")  # −2³¹ has no positive twin
    if data[30:34] in {b"\1\0\0\0", b"\2\0\0\0"} and len(data) > MAX_BMP_RUNS_BYTES:
        raise PictureTooBig("A bitmap packed in runs may have two megabytes.")


def _tiff_header(data: bytes, limits: Limits) -> None:
    """Tags that add up to more than the file holds, tiles larger than a picture may be, and too many of them."""
    sides = {TILE_WIDTH: 1, TILE_HEIGHT: 1}
    held_bytes, spent = 0, 0.0
    for tag in read_tags(data):
        held_bytes += tag.outside_bytes
        spent += _tiff_share(tag)
        if spent > 1:
            raise PictureTooBig("The TIFF has more strips, tiles or values than a picture needs.")
        if tag.number in sides:
            sides[tag.number] = max(tag.value, 1)
    if held_bytes > len(data):
        raise BrokenPicture("The TIFF's tags claim more bytes than the file has.")
    limits.check(sides[TILE_WIDTH], sides[TILE_HEIGHT])


def _tiff_share(tag: Tag) -> float:
    """Of what may be spent, what Pillow spends on this tag; the tags that it leaves alone are not counted."""
    cost = tag.values * (FRACTION_COST if tag.unit in FRACTION_UNITS else 1)
    if tag.number in {STRIPS, TILES}:
        return cost / MAX_TIFF_PARTS
    if tag.number in TIFF_PIXELS or (tag.number in TIFF_TEXTS and tag.unit not in BYTE_UNITS):
        return cost / MAX_TIFF_VALUES
    return 0


def _jpeg_scans(data: bytes) -> None:
    # Inside compressed data FF is always followed by 00 or a restart marker, so the count can only be too high.
    # The search takes a third of what bytes.count does: 60 us for 0.2 MB.
    if sum(1 for _ in islice(JPEG_SCAN.finditer(data), MAX_JPEG_SCANS + 1)) <= MAX_JPEG_SCANS:
        return
    scans = 0
    for segments, (marker, *_) in enumerate(_jpeg_segments(data, reach=len(data))):
        scans += marker == SCAN
        if scans > MAX_JPEG_SCANS or segments > 2 * MAX_JPEG_SEGMENTS:
            raise PictureTooBig(f"The JPEG has more than {MAX_JPEG_SCANS} scans.")
        if marker == END:
            return


def _png_pixels(data: bytes) -> None:
    """Pillow skips the checksums of pixel data and paints missing rows black; both would be answered with a guess."""
    view, packed_bytes, is_whole = memoryview(data), 0, False
    for name, start, end in _png_chunks(data):
        if zlib.crc32(view[start - 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            raise BrokenPicture("A checksum inside the PNG is wrong.")
        packed_bytes += end - start if name == b"IDAT" else 0
        is_whole = name == b"IEND"
    if not is_whole:
        raise BrokenPicture("The PNG ends before it is complete.")
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    if packed_bytes * MOST_DEFLATED < height * (width * depth * PNG_CHANNELS.get(colour, 1) // 8):
        raise BrokenPicture("The PNG holds far fewer pixels than it says.")


OPENING: dict[Kind, Callable[[bytes, Limits], None]] = {
    JPEG: _jpeg_header,
    PNG: _png_header,
    WEBP: _webp_header,
    GIF: _gif_header,
    BMP: _bmp_header,
    TIFF: _tiff_header,
}
DECODING: dict[Kind, Callable[[bytes], None]] = {JPEG: _jpeg_scans, PNG: _png_pixels}

NONE, SCAN, END, APP1, APP2, APP13 = 0x00, 0xDA, 0xD9, 0xE1, 0xE2, 0xED
JPEG_TABLES = {*range(0xC0, 0xD0), 0xDB, 0xDE} - {0xC4, 0xC8, 0xCC}  # frames and quantisation tables
TAKEN_APART = JPEG_TABLES | {APP1, APP2, APP13}
SEGMENT_SHARE = 1 / MAX_JPEG_SEGMENTS
JPEG_MARK = re.compile(rb"\xff[\xc0-\xc7\xc9-\xcf\xd9-\xef\xfe]")  # all that Pillow reads a length after, and the end
JPEG_SCAN = re.compile(rb"\xff\xda")
GIF_MARK = re.compile(rb"[!,;]")
WEBP_CHUNK = struct.Struct("<4sI")


def _jpeg_segments(data: bytes, *, reach: int) -> Iterator[tuple[int, int, int, int]]:
    """(marker, start, end, bytes skipped before it), where the next is looked for no further than `reach` bytes ahead.

    Pillow does not stop at the end mark, so neither does this. The last one has no marker, only what was skipped.
    """
    at = 2
    while mark := JPEG_MARK.search(data, at, at + reach):
        start = end = mark.end()
        marker = data[start - 1]
        if marker != END:
            end = start + 2 if start + 2 > len(data) else start + max(data[start] << 8 | data[start + 1], 2)
        yield marker, start + 2, end, start - 2 - at
        at = end
    yield NONE, at, at, max(min(len(data) - at, reach), 0)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, end) of each whole chunk's content, up to the picture's end."""
    at = 8
    while (end := at + 8 + int.from_bytes(data[at : at + 4], "big")) + 4 <= len(data):
        name = data[at + 4 : at + 8]
        yield name, at + 8, end
        if name == b"IEND":
            return
        at = end + 4
