"""Pictures that must be refused, their benign twins, and what each must be answered with, made when asked for.

`status` is 413 (too big in any measure), 415 (no kind that is read), 422 (right kind, broken inside) or "ok".
"""

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageOps

Status = Literal[413, 415, 422, "ok"]
Colour = tuple[int, int, int]
CODES: dict[Status, str | None] = {
    413: "picture-too-large",
    415: "not-a-picture",
    422: "broken-picture",
    "ok": None,
}
WIDTH, HEIGHT = 64, 48
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
FLAG = (RED, GREEN, BLUE, WHITE)
GREYS = ((0,) * 3, (85,) * 3, (170,) * 3, (255,) * 3)


@dataclass(frozen=True)
class Case:
    """One input. `size` and `colours` (of the four quadrants, by rows) are told where the picture must be right."""

    name: str
    make: Callable[[], bytes]
    status: Status
    size: tuple[int, int] | None = None
    colours: tuple[Colour, ...] | None = None

    @property
    def code(self) -> str | None:
        return CODES[self.status]

    @property
    def data(self) -> bytes:
        """Made anew each time: all of them together are a gigabyte."""
        return self.make()

    def __str__(self) -> str:
        return self.name


def hostile_pictures() -> list[Case]:
    """Everything that a stranger may send as a picture to do harm, most of it refused."""
    return [*_oversized(), *_bombs(), *slow_headers(), *_broken(), *_other_kinds(), *_polyglots(), *_strange_but_fine()]


def benign_pictures() -> list[Case]:
    """What must be accepted, so that refusing everything is no way to pass; with the right size and colours."""
    return [*_at_the_limits(), *_pngs(), *_jpegs(), *_tiffs(), *_gifs_webps_bmps(), *_turned()]


def mutated_pictures(count: int, *, seed: int = 7) -> Iterator[bytes]:
    """Valid files of every kind with flipped, cut, repeated and inserted bytes; the same ones for the same seed."""
    dice = random.Random(seed)
    seeds = [case.data for case in benign_pictures() if case.size == (WIDTH, HEIGHT)]
    for _ in range(count):
        data = bytearray(dice.choice(seeds))
        for _ in range(dice.choice((1, 1, 2, 8))):
            _mutate(data, dice)
        yield bytes(data)


def _mutate(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(data)) if data else 0
    match dice.randrange(5):
        case 0 if data:
            data[at] ^= 1 << dice.randrange(8)
        case 1:
            del data[at : at + dice.choice((1, 4, 64))]
        case 2:
            data[at:at] = dice.randbytes(dice.choice((1, 4, 64)))
        case 3:
            data[at:at] = data[at : at + 64]
        case 4:
            data[at : at + 4] = dice.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\x80\0\0\0"))


# --- the pieces files are made of


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(
    width: int,
    height: int,
    *,
    depth: int = 8,
    colour: int = 0,
    extra: bytes = b"",
    rows: int | None = None,
    pixels: bytes | None = None,
    interlace: int = 0,
    palette: bytes = b"",
) -> bytes:
    """colour: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA. All zeros unless `pixels` gives the filtered rows."""
    if pixels is None:
        row = bytes(1 + (width * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour] * depth + 7) // 8)
        packer = zlib.compressobj(9 if width * height < 10**6 else 1)
        packed = b"".join([*(packer.compress(row) for _ in range(height if rows is None else rows)), packer.flush()])
    else:
        packed = zlib.compress(pixels)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))
    plte = chunk(b"PLTE", palette) if palette else b""
    return b"\x89PNG\r\n\x1a\n" + head + plte + extra + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def segment(marker: int, content: bytes) -> bytes:
    """Of a JPEG."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content


def gif(width: int, height: int, frames: int, *, frame_width: int = 1, frame_height: int = 1) -> bytes:
    one = b"\x21\xf9\x04\0\1\0\0\0\x2c" + struct.pack("<HHHHB", 0, 0, frame_width, frame_height, 0) + b"\2\2\x44\1\0"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff" + one * frames + b";"


def tiff(tags: list[tuple[int, int, int, int]], *, tail: bytes = b"", following: int = 0) -> bytes:
    """tags: (number, type, count, value or offset)."""
    table = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + table + struct.pack("<I", following) + tail


def grey_tiff(width: int, height: int, *more: tuple[int, int, int, int], following: int = 0) -> bytes:
    """Uncompressed grey zeros; `more` are further tags."""
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (277, 3, 1, 1)]
    start = 8 + 2 + 12 * (len(tags) + 3 + len(more)) + 4
    strips = [(273, 4, 1, start), (278, 4, 1, height), (279, 4, 1, min(width * height, 2**31))]
    pixels = bytes(min(width * height, 10_000))
    return tiff(sorted([*tags, *strips, *more]), tail=pixels, following=following)


def bmp_header(width: int, height: int) -> bytes:
    return (
        b"BM"
        + struct.pack("<IHHI", 58, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    )


def webp_canvas(width: int, height: int) -> bytes:
    """An extended WebP that claims a canvas and holds one tiny frame."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    small = saved(flag(), "WEBP", lossless=True)[12:]
    body = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + sides + small
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def flag() -> Image.Image:
    """Red and green over blue and white."""
    picture = Image.new("RGB", (WIDTH, HEIGHT))
    for place, colour in enumerate(FLAG):
        picture.paste(colour, (place % 2 * 32, place // 2 * 24, place % 2 * 32 + 32, place // 2 * 24 + 24))
    return picture


def greys() -> Image.Image:
    return Image.fromarray(np.kron(np.array([[0, 85], [170, 255]], np.uint8), np.ones((24, 32), np.uint8)))


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)  # type: ignore[arg-type]
    return stream.getvalue()


def jpeg_head(width: int, height: int, *, start: int = 0xC0) -> bytes:
    """Start of image, frame and scan with no data."""
    frame = struct.pack(">BBHBHHB", 0xFF, start, 11, 8, height, width, 1) + b"\1\x11\0"
    return b"\xff\xd8" + frame + b"\xff\xda\0\x08\1\1\0\0\x3f\0" + bytes(64) + b"\xff\xd9"


def with_exif(exif: bytes, jpeg: bytes | None = None) -> bytes:
    jpeg = jpeg or saved(flag(), "JPEG", quality=95, subsampling=0)
    parts = [exif[i : i + 65_000] for i in range(0, len(exif), 65_000)]
    told = b"".join(b"\xff\xe1" + struct.pack(">H", len(part) + 8) + b"Exif\0\0" + part for part in parts)
    return jpeg[:2] + told + jpeg[2:]


# --- what must be refused


def _oversized() -> list[Case]:
    return [
        Case("png-50000-squared-in-86-bytes", lambda: png(50_000, 50_000, depth=1, rows=1), 413),
        Case("png-169-megapixels-in-20-kilobytes", lambda: png(13_000, 13_000, depth=1), 413),
        Case("png-one-pixel-wide-200000-high", lambda: png(1, 200_000), 413),
        Case("png-200000-wide-one-pixel-high", lambda: png(200_000, 1), 413),
        Case("gif-65535-squared", lambda: gif(65_535, 65_535, 1), 413),
        Case("gif-frame-larger-than-its-screen", lambda: gif(10, 10, 1, frame_width=60_000, frame_height=60_000), 413),
        Case("jpeg-65500-squared", lambda: jpeg_head(65_500, 65_500), 413),
        Case("bmp-60000-squared", lambda: bmp_header(60_000, 60_000), 413),
        Case("tiff-100000-squared", lambda: grey_tiff(100_000, 100_000), 413),
        Case("tiff-tile-of-60000-squared-in-a-small-picture", _huge_tile, 413),
        Case("webp-canvas-of-16384-squared", lambda: webp_canvas(16_384, 16_384), 413),
        Case("one-byte-more-than-20-MiB", lambda: _padded(saved(flag(), "PNG"), 20 * 1024 * 1024 + 1), 413),
        Case("just-over-40-megapixels", lambda: png(8000, 5001, depth=1), 413),
        Case("just-over-the-longest-side", lambda: png(16_385, 2), 413),
    ]


def _bombs() -> list[Case]:
    text = b"k\0\0" + zlib.compress(bytes(40 << 20), 9)
    profile = b"p\0\0" + zlib.compress(bytes(60 << 20), 9)
    scan = _progressive_with_scans
    return [
        Case("png-compressed-text-of-40-MB", lambda: png(8, 8, extra=chunk(b"zTXt", text)), 422),
        Case("png-colour-profile-of-60-MB", lambda: png(8, 8, extra=chunk(b"iCCP", profile)), 422),
        Case("png-with-5000-texts", lambda: png(8, 8, extra=chunk(b"tEXt", b"k\0" + b"x" * 1000) * 5000), 413),
        Case("png-with-500-texts", lambda: png(8, 8, extra=chunk(b"tEXt", b"k\0" + b"x" * 1000) * 500), "ok", (8, 8)),
        Case("gif-of-20000-frames", lambda: gif(64, 64, 20_000), "ok", (64, 64)),
        Case("apng-of-300-frames", lambda: _animated("PNG", 300), "ok", (WIDTH, HEIGHT)),
        Case("webp-of-300-frames", lambda: _animated("WEBP", 300), "ok", (WIDTH, HEIGHT), FLAG),
        Case("jpeg-of-1500-scans", lambda: scan(1500), 413),
        Case("jpeg-of-101-scans", lambda: scan(101), 413),
        Case("exif-whose-tags-all-claim-1-MB", _exif_of_overlapping_tags, "ok", (WIDTH, HEIGHT), FLAG),
        Case("tiff-whose-tags-all-claim-the-whole-file", _tiff_of_overlapping_tags, 422),
        Case("png-36-megapixels-of-16-bit-rgba", lambda: png(6000, 6000, depth=16, colour=6), "ok", (6000, 6000)),
    ]


def slow_headers() -> list[Case]:
    """Nothing large to decode, only very many small parts before the pixels, which are read one by one."""
    return [*_slow_jpegs(), *_slow_pngs(), *_slow_gifs(), *_slow_webps(), *_slow_tiffs(), *_slow_bmps()]


def _slow_jpegs() -> list[Case]:
    jpeg = saved(flag(), "JPEG")
    table = segment(0xDB, (b"\0" + b"\1" * 64) * 1000)
    frame = segment(0xC0, b"\x08\0\x08\0\x08\1" + bytes(65_499))
    resources = segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\0\0" * 5400)
    hidden = (b"\xff\xf0\x7f\xf0" + b"\xff\xfe\0\2" * 8000).ljust(0x7FF2, b"\0")
    profile = [b"ICC_PROFILE\0" + b"x" * 10_000 + struct.pack(">H", place) for place in range(1990)]
    random.Random(1).shuffle(profile)

    def exif(size: int, count: int) -> bytes:
        return segment(0xE1, b"Exif\0\0" + bytes(size)) * count

    before = {
        "a-million-comments": lambda: b"\xff\xfe\0\2" * 1_000_000,
        "a-million-applications": lambda: b"\xff\xe5\0\2" * 1_000_000,
        "five-million-fill-bytes": lambda: b"\xff" * 5_000_000,
        "ten-million-plain-bytes": lambda: b"\xff\0" * 10_000_000,
        "five-million-restarts": lambda: b"\xff\xd0" * 5_000_000,
        "1990-exifs-of-10-KB": lambda: exif(10_000, 1990),
        "300-exifs-of-64-KB": lambda: exif(65_000, 300),
        "300-quantisation-tables": lambda: table * 300,
        "300-frames-of-20000-layers": lambda: frame * 300,
        "a-million-photoshop-resources": lambda: resources * 300,
        "a-colour-profile-in-1990-parts": lambda: b"".join(segment(0xE2, part) for part in profile),
        "comments-behind-an-end-mark": lambda: b"\xff\xd9" + b"\xff\xfe\0\2" * 5_000_000,
        "comments-where-others-read-a-length": lambda: hidden * 600,
    }
    return [
        Case("jpeg-with-junk-between-its-segments", lambda: jpeg[:20] + bytes(5_000_000) + jpeg[20:], 413),
        *(
            Case(f"jpeg-of-{name}", lambda more=more: jpeg[:2] + more() + jpeg[2:], 413)
            for name, more in before.items()
        ),
    ]


def _slow_pngs() -> list[Case]:
    folded = zlib.compress(b"\xff" * (1 << 20), 9)  # a megabyte that is no UTF-8
    extras = {
        "half-a-million-empty-texts": lambda: chunk(b"tEXt", b"") * 500_000,
        "half-a-million-empty-pixel-chunks": lambda: chunk(b"IDAT", b"") * 500_000,
        "19990-private-chunks": lambda: chunk(b"abCd", b"") * 19_990,
        "a-text-of-19-MB": lambda: chunk(b"tEXt", b"k\0" + bytes(19 << 20)),
        "500-folded-texts-that-are-none": lambda: chunk(b"iTXt", b"k\0\1\0\0\0" + folded) * 500,
        "60-folded-texts": lambda: chunk(b"zTXt", b"k\0\0" + folded) * 60,
        "60-colour-profiles": lambda: chunk(b"iCCP", b"p\0\0" + folded) * 60,
    }
    return [Case(f"png-of-{name}", lambda e=extra: png(8, 8, extra=e()), 413) for name, extra in extras.items()]


def _slow_gifs() -> list[Case]:
    one_frame = gif(8, 8, 1)
    after_size = one_frame.index(b"\x21\xf9")
    blocks = b"\1a" * 5_000_000 + b"\0"
    extras = {
        "a-comment-in-many-blocks": b"\x21\xfe" + blocks,
        "a-million-empty-comments": b"\x21\xfe\0" * 1_000_000,
        "twenty-million-zeros": bytes(20_000_000),
        "junk-before-a-million-comments": b"\0" + b"\x21\xfe\0" * 1_000_000,
        "blocks-behind-an-empty-control": b"\x21\xf9\0" + blocks,
        "blocks-behind-an-empty-loop": b"\x21\xff\x0bNETSCAPE2.0\0" + blocks,
    }
    return [
        Case(f"gif-of-{name}", lambda e=extra: one_frame[:after_size] + e + one_frame[after_size:], 413)
        for name, extra in extras.items()
    ]


def _slow_webps() -> list[Case]:
    whole = saved(flag(), "WEBP", lossless=True)[12:]
    sides = (WIDTH - 1).to_bytes(3, "little") + (HEIGHT - 1).to_bytes(3, "little")
    unknown = b"abcd\0\0\0\0" * 2_500_000

    def extended(body: bytes, flags: int = 0) -> bytes:
        body = b"VP8X" + struct.pack("<II", 10, flags) + sides + body
        return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body

    def in_a_frame() -> bytes:
        frame = bytes(6) + sides + b"\x64\0\0\0" + whole + unknown
        return extended(b"ANIM\6\0\0\0" + bytes(6) + b"ANMF" + struct.pack("<I", len(frame)) + frame, flags=2)

    return [
        Case("webp-of-unknown-parts", lambda: extended(whole + unknown), 413),
        Case("webp-of-unknown-parts-in-a-frame", in_a_frame, 413),
    ]


def _slow_tiffs() -> list[Case]:
    long_tags = {"resolution": 282, "depth": 258, "format": 339, "notes": 700, "profile": 34675, "palette": 320}
    return [
        Case("tiff-of-a-million-strips", _tiff_of_many_strips, 413),
        Case("tiff-of-99999-tiles", _tiff_of_many_tiles, 413),
        Case("tiff-of-strips-told-in-bytes", lambda: _tiff_with_long_tag(273, 1, 8_000_000), 413),
        Case("tiff-of-4000-tags", lambda: grey_tiff(40, 20, *((40_000 + i, 4, 1, i) for i in range(4000))), 413),
        *(
            Case(f"tiff-of-a-million-fractions-as-{name}", lambda n=number: _tiff_with_long_tag(n, 5, 1_000_000), 413)
            for name, number in long_tags.items()
        ),
    ]


def _slow_bmps() -> list[Case]:
    return [Case("bmp-of-a-million-runs", _bmp_of_many_runs, 413)]


def _broken() -> list[Case]:
    whole_png, whole_jpeg = saved(flag(), "PNG"), saved(flag(), "JPEG", quality=95)
    magic = {"png": b"\x89PNG\r\n\x1a\n", "jpeg": b"\xff\xd8\xff", "gif": b"GIF89a", "bmp": b"BM", "tiff": b"II*\0"}
    magic["webp"] = b"RIFF\x10\0\0\0WEBP"
    others = {kind: saved(flag(), kind) for kind in ("GIF", "BMP", "TIFF", "WEBP")}
    floats = np.full((HEIGHT, WIDTH), 0.5, np.float32)
    floats[3, 4], floats[5, 6] = np.nan, np.inf
    return [
        Case("png-truncated", lambda: whole_png[: len(whole_png) // 2], 422),
        Case("png-without-its-end", lambda: whole_png[:-12], 422),
        Case("png-with-a-wrong-checksum-in-its-pixels", lambda: _flip(whole_png, whole_png.index(b"IDAT") + 8), 422),
        Case("png-with-a-wrong-header-checksum", lambda: _flip(whole_png, 29), 422),
        Case("png-of-one-row-that-claims-5000", lambda: png(7000, 5000, depth=16, colour=6, rows=1), 422),
        Case("png-of-no-pixels", lambda: png(0, 0), 422),
        Case("jpeg-truncated", lambda: whole_jpeg[: len(whole_jpeg) // 2], 422),
        *(Case(f"{kind.lower()}-truncated", lambda d=d: d[: len(d) // 2], 422) for kind, d in others.items()),
        *(Case(f"{kind}-magic-only", lambda start=start: start, 422) for kind, start in magic.items()),
        Case("empty", lambda: b"", 422),
        Case("bmp-height-minus-two-to-the-31", lambda: bmp_header(8, -(2**31)), 422),
        Case("tiff-tag-of-a-billion-values", lambda: grey_tiff(8, 8, (700, 4, 0x3FFFFFFF, 8)), 422),
        Case("tiff-strip-outside-the-file", lambda: tiff([(256, 4, 1, 8), (257, 4, 1, 8), (273, 4, 4, 2**31)]), 422),
        Case("tiff-table-outside-the-file", lambda: b"II*\0\xff\xff\xff\x7f", 422),
        Case("tiff-of-floats-that-are-no-numbers", lambda: saved(Image.fromarray(floats), "TIFF"), 422),
        Case("jpeg-of-a-lossless-kind", lambda: jpeg_head(8, 8, start=0xC3), 422),
    ]


def _other_kinds() -> list[Case]:
    dice = random.Random(38)
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    texts = {
        "single-byte": b"\x89",
        "random-64-KB": b"\x01" + dice.randbytes(65_535),
        "zeros-64-KB": bytes(65_536),
        "svg-with-billion-laughs": f'<!DOCTYPE s [<!ENTITY l0 "l">{laughs}]><svg>&l9;</svg>'.encode(),
        "svg-that-reads-files": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "svg-that-fetches": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="http://169.254.169.254/"/></svg>',
        "svg-with-script": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(x) run\n",
        "dos-eps": b"\xc5\xd0\xd3\xc6" + bytes(60),
        "postscript": b"%!PS\n/Courier findfont\n",
        "pdf": b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n",
        "ico-of-65535-entries": b"\0\0\1\0\xff\xff" + bytes(64),
        "fits": b"SIMPLE  =                    T" + b" " * 2850,
        "psd": b"8BPS\0\1" + bytes(64),
        "jpeg-2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(64),
        "jpeg-2000-stream": b"\xff\x4f\xff\x51" + bytes(64),
        "heic": b"\0\0\0\x18ftypheic" + bytes(64),
        "avif": b"\0\0\0\x18ftypavif" + bytes(64),
        "ppm": b"P6 8 8 255\n" + bytes(192),
        "pcx": b"\x0a\x05\x01\x08" + bytes(128),
        "dds": b"DDS " + bytes(124),
        "icns": b"icns\0\0\0\x10" + bytes(8),
        "flash-video-sprite": b"\0\0\0\0\x11\xaf" + bytes(122),
        "radiance": b"#?RADIANCE\n",
        "wave-sound-in-the-same-wrapper": b"RIFF\x24\0\0\0WAVEfmt " + bytes(32),
        "a-text-that-begins-with-BM": b"BMW builds cars, and this is no bitmap at all.",
        "html": b"<!DOCTYPE html><script>alert(1)</script>",
        "zip": b"PK\3\4" + bytes(60),
        "elf": b"\x7fELF" + bytes(60),
    }
    return [Case(name, lambda data=data: data, 415) for name, data in texts.items()]


def _polyglots() -> list[Case]:
    """Files that are also something else. As pictures they are what they begin with; the tail is never looked at."""
    script = b"<script>alert(document.domain)</script>"
    whole_png, whole_gif = saved(flag(), "PNG"), saved(flag(), "GIF")
    jpeg = saved(flag(), "JPEG", quality=95, subsampling=0)
    comment = b"\xff\xfe" + struct.pack(">H", len(script) + 2) + script
    dicom = bytearray(grey_tiff(40, 20))
    dicom[128:132] = b"DICM"
    return [
        Case("png-with-a-script-behind", lambda: whole_png + script, "ok", (WIDTH, HEIGHT), FLAG),
        Case("png-with-a-pdf-behind", lambda: whole_png + b"%PDF-1.7\n", "ok", (WIDTH, HEIGHT), FLAG),
        Case("pdf-with-a-png-behind", lambda: b"%PDF-1.7\n" + whole_png, 415),
        Case("gif-with-a-zip-behind", lambda: whole_gif + b"PK\3\4" + bytes(60), "ok", (WIDTH, HEIGHT), FLAG),
        Case("gif-that-is-a-script", lambda: b"GIF89a/*" + bytes(20) + b"*/=1;alert(1)", 422),
        Case("jpeg-with-html-in-its-comment", lambda: jpeg[:2] + comment + jpeg[2:], "ok", (WIDTH, HEIGHT), FLAG),
        Case("jpeg-with-a-zip-behind", lambda: jpeg + b"PK\5\6" + bytes(18), "ok", (WIDTH, HEIGHT), FLAG),
        Case("tiff-with-dicom-mark", lambda: bytes(dicom), "ok", (40, 20)),
    ]


def _strange_but_fine() -> list[Case]:
    """EXIF that cannot be understood refuses no picture, and a table of pages that never ends is never walked."""
    script = b"<script>alert(1)</script>"
    oriented = lambda value: tiff([(274, 3, 1, value)])  # noqa: E731
    exifs = {
        "orientation-99": oriented(99),
        "orientation-0": oriented(0),
        "gps": tiff([(34853, 4, 1, 26)], tail=tiff([(1, 2, 2, 78)])[8:]),
        "maker-note-of-60-KB": tiff([(37500, 7, 60_000, 26)], tail=bytes(60_000)),
        "table-that-points-to-itself": tiff([(34665, 4, 1, 8), (274, 3, 1, 1)], following=8),
        "script-in-description": tiff([(270, 2, len(script), 26)], tail=script),
        "nonsense": b"II*\0\xff\xff\xff\xff",
        "tag-count-lies": b"II*\0" + struct.pack("<IH", 8, 0xFFFF),
    }
    return [
        *(Case(f"exif-{n}", lambda e=e: with_exif(e), "ok", (WIDTH, HEIGHT), FLAG) for n, e in exifs.items()),
        Case("tiff-page-that-follows-itself", lambda: grey_tiff(40, 20, following=8), "ok", (40, 20)),
        Case("noise", _noise, "ok", (640, 480)),
        Case("checkerboard-at-stride-8", _checkerboard, "ok", (640, 480)),
        Case("palette-index-out-of-range", _palette_out_of_range, "ok", (WIDTH, HEIGHT)),
    ]


# --- what must be accepted


def _at_the_limits() -> list[Case]:
    return [
        Case("exactly-40-megapixels", lambda: png(8000, 5000, depth=1), "ok", (8000, 5000)),
        Case("exactly-20-MiB", lambda: _padded(saved(flag(), "PNG"), 20 * 1024 * 1024), "ok", None, FLAG),
        Case("16384-by-2", lambda: png(16_384, 2), "ok", (16_384, 2)),
        Case("one-pixel", lambda: png(1, 1), "ok", (1, 1)),
    ]


def _pngs() -> list[Case]:
    size = (WIDTH, HEIGHT)
    clear = flag().convert("RGBA")
    clear.putalpha(Image.fromarray(np.repeat(np.array([255, 0], np.uint8), 24)[:, None].repeat(WIDTH, 1)))
    half_clear = (RED, GREEN, WHITE, WHITE)  # whatever hides under full transparency is not seen: the paper is white
    black = Image.new("L", size, 0)
    black.putalpha(Image.fromarray(np.kron(np.array([[255, 128], [0, 255]], np.uint8), np.ones((24, 32), np.uint8))))
    on_paper = ((0,) * 3, (127,) * 3, (255,) * 3, (0,) * 3)
    palette = flag().quantize(16)
    keyed = {"extra": chunk(b"tRNS", struct.pack(">HHH", 0, 0, 255))}
    return [
        Case("png", lambda: saved(flag(), "PNG"), "ok", size, FLAG),
        Case("png-grey", lambda: saved(greys(), "PNG"), "ok", size, GREYS),
        Case(
            "png-1-bit",
            lambda: saved(greys().convert("1", dither=0), "PNG"),
            "ok",
            size,
            ((0,) * 3,) * 2 + (WHITE,) * 2,
        ),
        Case("png-2-bit-grey", lambda: _grey_png(2), "ok", size, GREYS),
        Case("png-4-bit-grey", lambda: _grey_png(4), "ok", size, GREYS),
        Case("png-16-bit-grey", lambda: _grey_png(16), "ok", size, GREYS),
        Case("png-16-bit-rgb", _deep_png, "ok", size, FLAG),
        Case("png-palette", lambda: saved(palette, "PNG"), "ok", size, FLAG),
        Case("png-palette-with-transparency", _transparent_palette, "ok", size, (WHITE, GREEN, BLUE, WHITE)),
        Case("png-rgba", lambda: saved(clear, "PNG"), "ok", size, half_clear),
        Case("png-grey-and-alpha", lambda: saved(black, "PNG"), "ok", size, on_paper),
        Case("png-rgb-with-a-transparent-colour", lambda: _rgb_png(**keyed), "ok", size, (RED, GREEN, WHITE, WHITE)),
        Case("png-interlaced", _interlaced, "ok", size, FLAG),
        Case("png-animated", lambda: _animated("PNG", 3), "ok", size, FLAG),
        Case("png-exif-turned", _png_with_exif, "ok", (HEIGHT, WIDTH), (BLUE, RED, WHITE, GREEN)),
    ]


def _jpegs() -> list[Case]:
    size = (WIDTH, HEIGHT)
    fine = {"quality": 95, "subsampling": 0}
    return [
        Case("jpeg", lambda: saved(flag(), "JPEG", **fine), "ok", size, FLAG),
        Case("jpeg-grey", lambda: saved(greys(), "JPEG", quality=95), "ok", size, GREYS),
        Case("jpeg-progressive", lambda: saved(flag(), "JPEG", progressive=True, **fine), "ok", size, FLAG),
        Case("jpeg-cmyk", lambda: saved(flag().convert("CMYK"), "JPEG", quality=95), "ok", size, FLAG),
        Case("jpeg-ycck", _ycck, "ok", size, FLAG),
        Case("jpeg-rgb-inside", lambda: saved(flag(), "JPEG", quality=95, keep_rgb=True), "ok", size, FLAG),
        Case("jpeg-half-colour", lambda: saved(flag(), "JPEG", quality=95, subsampling=2), "ok", size, FLAG),
        Case("jpeg-with-restarts", lambda: saved(flag(), "JPEG", restart_marker_blocks=2, **fine), "ok", size, FLAG),
        Case("jpeg-of-two-pictures", _two_in_one, "ok", size, FLAG),
        Case("jpeg-with-all-a-camera-writes", _camera_jpeg, "ok", size, FLAG),
        Case("jpeg-of-100-scans", lambda: _progressive_with_scans(100), "ok", size),
    ]


def _tiffs() -> list[Case]:
    size = (WIDTH, HEIGHT)
    wide = Image.fromarray(np.asarray(greys(), np.uint16) * 257)
    unit = Image.fromarray(np.asarray(greys(), np.float32) / 255)
    bytes_as_floats = Image.fromarray(np.asarray(greys(), np.float32))
    pages = {"save_all": True, "append_images": [greys().convert("RGB")]}
    inverted = {"tiffinfo": {262: 0}}
    kinds = {
        "tiff": (flag(), {}, FLAG),
        "tiff-packed": (flag(), {"compression": "tiff_lzw"}, FLAG),
        "tiff-deflated": (flag(), {"compression": "tiff_adobe_deflate"}, FLAG),
        "tiff-jpeg": (flag(), {"compression": "jpeg", "quality": 95}, FLAG),
        "tiff-multi-page": (flag(), pages, FLAG),
        "tiff-big": (flag(), {"big_tiff": True}, FLAG),
        "tiff-cmyk": (flag().convert("CMYK"), {}, FLAG),
        "tiff-rgba": (flag().convert("RGBA"), {}, FLAG),
        "tiff-16-bit": (wide, {}, GREYS),
        "tiff-16-bit-packed": (wide, {"compression": "tiff_lzw"}, GREYS),
        "tiff-16-bit-white-is-zero": (Image.fromarray(65535 - np.asarray(wide)), inverted, GREYS),
        "tiff-floats-to-one": (unit, {}, GREYS),
        "tiff-floats-to-255": (bytes_as_floats, {}, GREYS),
        "tiff-1-bit": (greys().convert("1", dither=0), {}, ((0,) * 3,) * 2 + (WHITE,) * 2),
    }
    return [
        Case("tiff-of-16384-strips", _tiff_of_one_row_strips, "ok", (8, 16_384)),
        *(Case(n, lambda p=p, o=o: saved(p, "TIFF", **o), "ok", size, colours) for n, (p, o, colours) in kinds.items()),
    ]


def _gifs_webps_bmps() -> list[Case]:
    size = (WIDTH, HEIGHT)
    return [
        Case("gif", lambda: saved(flag(), "GIF"), "ok", size, FLAG),
        Case("gif-animated", lambda: _animated("GIF", 5), "ok", size, FLAG),
        Case("webp", lambda: saved(flag(), "WEBP", quality=95), "ok", size, FLAG),
        Case("webp-lossless", lambda: saved(flag(), "WEBP", lossless=True), "ok", size, FLAG),
        Case("webp-animated", lambda: _animated("WEBP", 5), "ok", size, FLAG),
        Case("webp-exif-turned", _webp_with_exif, "ok", (HEIGHT, WIDTH), (BLUE, RED, WHITE, GREEN)),
        Case("bmp", lambda: saved(flag(), "BMP"), "ok", size, FLAG),
        Case("bmp-palette", lambda: saved(flag().quantize(16), "BMP"), "ok", size, FLAG),
        Case("bmp-grey", lambda: saved(greys(), "BMP"), "ok", size, GREYS),
        Case("bmp-top-down", _top_down_bmp, "ok", size, FLAG),
    ]


def _turned() -> list[Case]:
    """A flag stored turned and mirrored in all eight ways, which EXIF sets right again."""
    ways = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_90"}
    ways |= {7: "TRANSVERSE", 8: "ROTATE_270"}
    cases = []
    for value in range(1, 9):
        stored = flag() if value == 1 else flag().transpose(Image.Transpose[ways[value]])
        for kind in ("JPEG", "TIFF"):
            name = f"{kind.lower()}-orientation-{value}"
            cases.append(Case(name, lambda s=stored, k=kind, v=value: oriented(s, k, v), "ok", (WIDTH, HEIGHT), FLAG))
    return cases


def oriented(picture: Image.Image, kind: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[274] = orientation
    more = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    return saved(picture, kind, exif=exif, **more)


# --- single files that take some making


def _padded(data: bytes, size: int) -> bytes:
    return data + bytes(size - len(data))


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


def _huge_tile() -> bytes:
    tags = [(256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, 8), (259, 3, 1, 5), (262, 3, 1, 1), (322, 4, 1, 60_000)]
    return tiff([*tags, (323, 4, 1, 60_000), (324, 4, 1, 8), (325, 4, 1, 8)])


def _tiff_of_many_strips() -> bytes:
    count, start = 1_000_000, 8 + 2 + 12 * 8 + 4
    tags = [(256, 4, 1, 64), (257, 4, 1, 64), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    tags += [(273, 4, count, start), (278, 4, 1, 1), (279, 4, 1, 64)]
    return tiff(tags, tail=struct.pack("<I", 8) * count)


def _tiff_of_many_tiles() -> bytes:
    count, start = 99_999, 8 + 2 + 12 * 9 + 4
    tags = [(256, 4, 1, 16_384), (257, 4, 1, 1600), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    tags += [(322, 4, 1, 16), (323, 4, 1, 16), (324, 4, count, start), (325, 4, 1, 64)]
    return tiff(tags, tail=struct.pack("<I", 8) * count)


def _tiff_with_long_tag(number: int, unit: int, count: int) -> bytes:
    tags = [(256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8)]
    tags += [(277, 3, 1, 1), (278, 4, 1, 8), (279, 4, 1, 64)]
    kept = [tag for tag in tags if tag[0] != number]
    start = 8 + 2 + 12 * (len(kept) + 1) + 4
    return tiff(sorted([*kept, (number, unit, count, start)]), tail=b"\1\0\0\0\1\0\0\0" * 1_000_000)


def _tiff_of_one_row_strips() -> bytes:
    """As high as a picture may be."""
    rows, start = 16_384, 8 + 2 + 12 * 8 + 4
    tags = [(256, 4, 1, 8), (257, 4, 1, rows), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    tags += [(273, 4, rows, start), (278, 4, 1, 1), (279, 4, 1, 8)]
    return tiff(tags, tail=struct.pack("<I", 8) * rows)


def _bmp_of_many_runs() -> bytes:
    """Each run is one pixel long."""
    width, height = 4096, 400
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, 0, 0, 0, 256, 0) + bytes(1024)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + 1024) + head + (b"\1\5" * width + b"\0\0") * height


def _progressive_with_scans(count: int) -> bytes:
    """Repeats the first refinement scan of a progressive JPEG."""
    data = saved(flag(), "JPEG", progressive=True, quality=95)
    starts = [at for at in range(len(data) - 1) if data[at : at + 2] == b"\xff\xda"]
    second = data[
        starts[1] : data.index(b"\xff\xc4", starts[1]) if b"\xff\xc4" in data[starts[1] : starts[2]] else starts[2]
    ]
    return data[: starts[1]] + second * (count - len(starts)) + data[starts[1] :]


def _exif_of_overlapping_tags() -> bytes:
    tags = [(40_000 + i, 7, 1_000_000, 8) for i in range(1000)]
    return with_exif(tiff(tags, tail=bytes(1_000_000)))


def _tiff_of_overlapping_tags() -> bytes:
    return grey_tiff(40, 20, *((40_000 + i, 7, 10_000, 0) for i in range(1000)))


def _animated(kind: str, frames: int) -> bytes:
    rest = [Image.new("RGB", (WIDTH, HEIGHT), (i % 256, 40, 90)) for i in range(frames - 1)]
    more = {"lossless": True} if kind == "WEBP" else {}
    return saved(flag(), kind, save_all=True, append_images=rest, **more)


def _noise() -> bytes:
    return saved(Image.fromarray(np.random.default_rng(58).integers(0, 256, (480, 640, 3), np.uint8)), "PNG")


def _checkerboard() -> bytes:
    return saved(Image.fromarray((np.indices((480, 640)) // 8).sum(0).astype(np.uint8) % 2 * 255), "PNG")


def _palette_out_of_range() -> bytes:
    rows = (b"\0" + bytes([200]) * WIDTH) * HEIGHT
    return png(WIDTH, HEIGHT, colour=3, pixels=rows, palette=bytes(9))


def _grey_png(depth: int) -> bytes:
    if depth == 16:
        values = (np.asarray(greys(), np.uint16) * 257).astype(">u2")
        return png(WIDTH, HEIGHT, depth=16, pixels=b"".join(b"\0" + row.tobytes() for row in values))
    values = np.asarray(greys()) // (255 // (2**depth - 1))
    bits = np.unpackbits(values[:, :, None], axis=2)[:, :, 8 - depth :].reshape(HEIGHT, -1)
    return png(WIDTH, HEIGHT, depth=depth, pixels=b"".join(b"\0" + row.tobytes() for row in np.packbits(bits, axis=1)))


def _rgb_png(extra: bytes) -> bytes:
    rows = b"".join(b"\0" + row.tobytes() for row in np.asarray(flag()))
    return png(WIDTH, HEIGHT, colour=2, pixels=rows, extra=extra)


def _deep_png() -> bytes:
    values = (np.asarray(flag(), np.uint16) * 257).astype(">u2")
    return png(WIDTH, HEIGHT, depth=16, colour=2, pixels=b"".join(b"\0" + row.tobytes() for row in values))


def _transparent_palette() -> bytes:
    """Red is index 0, and index 0 is transparent."""
    indices = np.kron(np.array([[0, 1], [2, 3]], np.uint8), np.ones((24, 32), np.uint8))
    rows = b"".join(b"\0" + row.tobytes() for row in indices)
    return png(WIDTH, HEIGHT, colour=3, pixels=rows, palette=bytes(sum(FLAG, ())), extra=chunk(b"tRNS", b"\0"))


def _interlaced() -> bytes:
    pixels = np.asarray(flag())
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = [b"\0" + row.tobytes() for y, x, down, across in passes for row in pixels[y::down, x::across]]
    return png(WIDTH, HEIGHT, colour=2, pixels=b"".join(rows), interlace=1)


def _png_with_exif() -> bytes:
    return _rgb_png(extra=chunk(b"eXIf", tiff([(274, 3, 1, 6)])))


def _webp_with_exif() -> bytes:
    exif = Image.Exif()
    exif[274] = 6
    return saved(flag(), "WEBP", lossless=True, exif=exif)


def _ycck() -> bytes:
    """What Photoshop writes: the inverted picture as luminance and colour, plus black, all stored inverted."""
    ycc = ImageOps.invert(flag()).convert("YCbCr").split()
    planes = [ImageOps.invert(plane) for plane in ycc]
    data = bytearray(
        saved(Image.merge("CMYK", [*planes, Image.new("L", (WIDTH, HEIGHT), 0)]), "JPEG", quality=95, subsampling=0)
    )
    data[data.index(b"Adobe") + 11] = 2
    return bytes(data)


def _camera_jpeg() -> bytes:
    """EXIF with a thumbnail, XMP with a depth map behind it, Photoshop's resources, a colour profile in 20 segments."""
    jpeg = saved(flag(), "JPEG", quality=95, subsampling=0)
    exif = segment(0xE1, b"Exif\0\0" + tiff([(274, 3, 1, 1)], tail=bytes(40_000)))
    xmp = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + bytes(4000))
    depth = segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(65_000)) * 100
    resources = segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\0\0" * 200)
    parts = (b"ICC_PROFILE\0" + bytes([place, 20]) + bytes(60_000) for place in range(1, 21))
    profile = b"".join(segment(0xE2, part) for part in parts)
    return jpeg[:2] + exif + xmp + depth + resources + profile + jpeg[2:]


def _two_in_one() -> bytes:
    return saved(flag(), "MPO", save_all=True, append_images=[greys().convert("RGB")], quality=95, subsampling=0)


def _top_down_bmp() -> bytes:
    rows = np.asarray(flag())[:, :, ::-1].tobytes()
    return bmp_header(WIDTH, -HEIGHT) + rows
