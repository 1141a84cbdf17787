"""Videos made to harm whoever opens them, and their harmless twins, all generated: group D of the safety corpus."""

import io
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from retinue.vision.errors import BrokenVideo, NotAVideo, VideoTooBig, VisionError

Pixels = NDArray[np.uint8]
TWO_SECONDS = [n / 10 for n in range(20)]


@dataclass(frozen=True)
class Canary:
    """What a hostile video tries to reach: a listener on this port and a file that holds a secret."""

    port: int
    secret: Path


@dataclass(frozen=True)
class Hostile:
    name: str
    make: Callable[[Canary], bytes]
    expected: tuple[type[VisionError], ...]


@dataclass(frozen=True)
class Benign:
    name: str
    make: Callable[[], bytes]
    size: tuple[int, int]
    duration_s: float = 2.0
    note: str = ""


def quadrants(width: int, height: int, *, step: int = 0) -> Pixels:
    """Red, green, blue and white quarters, left to right and top to bottom, so that every turn can be told."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    pixels[: height // 2, : width // 2] = (200 - step % 8 * 10, 0, 0)
    pixels[: height // 2, width // 2 :] = (0, 200, 0)
    pixels[height // 2 :, : width // 2] = (0, 0, 200)
    return pixels


def film(
    *,
    size: tuple[int, int] = (96, 64),
    times: Iterable[float] = TWO_SECONDS,
    codec: str = "libx264",
    container: str = "mp4",
    rate: int = 10,
    tick: Fraction | None = None,
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    codec_options: dict[str, str] | None = None,
    turned: float = 0,
    mirrored: bool = False,
    aspect: Fraction | None = None,
    sound: bool = False,
    spoil: Callable[[int, bytes], bytes | None] = lambda _, data: data,
) -> bytes:
    """A small film as bytes. `spoil` sees each packet with its number and may change it, or drop it with None."""
    tick = tick or {"mp4": Fraction(1, 90_000), "mov": Fraction(1, 90_000), "avi": Fraction(1, rate)}.get(
        container, Fraction(1, 1000)
    )
    with TemporaryDirectory() as folder, av.open(f"{folder}/film", "w", format=container, options=options or {}) as out:
        stream: Any = out.add_stream(codec, rate=rate, options=codec_options or {})
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = tick
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if turned or mirrored:
            stream.set_display_rotation(turned, hflip=mirrored)
        if sound:
            _say_nothing(out)
        packets: list[Any] = []
        for step, time_s in enumerate(times):
            frame = av.VideoFrame.from_ndarray(quadrants(*size, step=step), format="rgb24")
            frame.pts, frame.time_base = round(time_s / tick), tick
            packets += stream.encode(frame)
        out.start_encoding()
        for number, packet in enumerate([*packets, *stream.encode(None)]):
            changed = spoil(number, bytes(packet))
            if changed is not None:
                out.mux(_same_moment(packet, changed))
        out.close()
        return Path(folder, "film").read_bytes()


def _say_nothing(out: Any) -> None:
    voice = out.add_stream("aac", rate=8000)
    silence = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.float32), format="fltp", layout="mono")
    silence.rate = 8000
    out.mux([*voice.encode(silence), *voice.encode(None)])


def _same_moment(packet: Any, data: bytes) -> Any:
    other = av.Packet(data)
    other.pts, other.dts, other.duration = packet.pts, packet.dts, packet.duration
    other.time_base, other.stream, other.is_keyframe = packet.time_base, packet.stream, packet.is_keyframe
    return other


def in_box(data: bytes, path: list[bytes], change: Callable[[bytes], bytes]) -> bytes:
    """The MP4 with the content of one kind of box changed everywhere it stands, all sizes around it set right."""
    parts, at = [], 0
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        inner = data[at + 8 : at + length]
        if kind == path[0]:
            inner = in_box(inner, path[1:], change) if path[1:] else change(inner)
        parts.append(struct.pack(">I4s", len(inner) + 8, kind) + inner)
        at += length
    return b"".join(parts)


def _playlist(uri: str) -> bytes:
    return f"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1.0,\n{uri}\n#EXT-X-ENDLIST\n".encode()


def _pictures_elsewhere(kind: bytes) -> Callable[[Canary], bytes]:
    def make(canary: Canary) -> bytes:
        entry = struct.pack(">4sI", kind, 0) + f"file://{canary.secret}".encode() + b"\0"
        reference = struct.pack(">II", 0, 1) + struct.pack(">I", len(entry) + 4) + entry
        return in_box(film(), [b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"], lambda _: reference)

    return make


def _playlist_as_subtitles(canary: Canary) -> bytes:
    """CVE-2016-1898's usual carrier: an AVI whose subtitles are a playlist, which FFmpeg opens inside the AVI."""
    text = _playlist(f"http://127.0.0.1:{canary.port}/canary")
    name = "s.txt".encode("utf-16le") + b"\0\0"
    return _raw_avi(
        32, 32, b"GAB2\0" + struct.pack("<HI", 2, len(name)) + name + struct.pack("<HI", 4, len(text)) + text
    )


def _raw_avi(width: int, height: int, subtitles: bytes = b"") -> bytes:
    picture = quadrants(32, 32).tobytes()
    head = _chunk(b"avih", struct.pack("<14I", 100_000, 0, 0, 0x10, 1, 0, 2, 0, width, height, 0, 0, 0, 0))
    for kind, handler, form in (
        (b"vids", b"DIB ", struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(picture), 0, 0, 0, 0)),
        (b"txts", b"\0" * 4, b""),
    ):
        told = kind + handler + struct.pack("<I2H8I4h", 0, 0, 0, 0, 1, 10, 0, 1, len(picture), 0, 0, 0, 0, 32, 32)
        head += _list(b"strl", _chunk(b"strh", told) + _chunk(b"strf", form))
    body = _list(b"hdrl", head) + _list(b"movi", _chunk(b"00db", picture) + _chunk(b"01tx", subtitles))
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"AVI " + body


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _list(kind: bytes, content: bytes) -> bytes:
    return _chunk(b"LIST", kind + content)


def _told_duration(seconds: int, *, version: int = 0, scale: int = 1000) -> Callable[[Canary], bytes]:
    """`mvhd` and `mdhd` say something else than the frames do."""

    def header(inner: bytes) -> bytes:
        rest = inner[20:] if inner[0] == 0 else inner[32:]
        if version:
            return bytes([1]) + inner[1:4] + struct.pack(">QQIQ", 0, 0, scale, seconds) + rest
        return bytes([0]) + inner[1:4] + struct.pack(">IIII", 0, 0, scale, seconds) + rest

    def make(_: Canary) -> bytes:
        data = in_box(film(), [b"moov", b"mvhd"], header)
        return in_box(data, [b"moov", b"trak", b"mdia", b"mdhd"], header)

    return make


def _growing(_: Canary) -> bytes:
    """Motion JPEG says its size in each frame: 64² first, 2048² later."""
    file = io.BytesIO()
    with av.open(file, "w", format="avi") as out:
        stream: Any = out.add_stream("mjpeg", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuvj420p"
        for number, side in enumerate((64, 64, 64, 2048, 2048)):
            encoder: Any = av.CodecContext.create("mjpeg", "w")
            encoder.width = encoder.height = side
            encoder.pix_fmt, encoder.time_base = "yuvj420p", Fraction(1, 10)
            frame = av.VideoFrame.from_ndarray(quadrants(side, side), format="rgb24").reformat(format="yuvj420p")
            for packet in [*encoder.encode(frame), *encoder.encode(None)]:
                packet.stream, packet.pts, packet.dts, packet.time_base = stream, number, number, Fraction(1, 10)
                out.mux(packet)
    return file.getvalue()


def _only_sound(_: Canary) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        _say_nothing(out)
    return file.getvalue()


def _far_apart(_: Canary) -> bytes:
    return film(size=(16, 16), times=range(0, 36_001, 9000), rate=1, tick=Fraction(1, 1000))


def _lying_ten_hours(canary: Canary) -> bytes:
    """The headers promise five seconds; the table of frames says ten hours."""

    def five_seconds(inner: bytes) -> bytes:
        (scale,) = struct.unpack_from(">I", inner, 12)
        return inner[:16] + struct.pack(">I", 5 * scale) + inner[20:]

    data = in_box(_far_apart(canary), [b"moov", b"mvhd"], five_seconds)
    return in_box(data, [b"moov", b"trak", b"mdia", b"mdhd"], five_seconds)


def _cut_in_half(data: bytes) -> bytes:
    start = data.index(b"mdat")
    return data[: start + (len(data) - start) // 2]


def _noise(length: int) -> bytes:
    return np.random.default_rng(11).integers(0, 256, length, np.uint8).tobytes()


HOSTILE = (
    Hostile("nothing", lambda _: b"", (NotAVideo,)),
    Hostile("a picture", lambda _: b"\x89PNG\r\n\x1a\n" + _noise(200), (NotAVideo,)),
    Hostile("playlist over http", lambda c: _playlist(f"http://127.0.0.1:{c.port}/canary"), (NotAVideo,)),
    Hostile("playlist of a file", lambda c: _playlist(f"file://{c.secret}"), (NotAVideo,)),
    Hostile(
        "playlist of a concatenation",
        lambda c: _playlist(f"concat:http://127.0.0.1:{c.port}/x|file://{c.secret}"),
        (NotAVideo,),
    ),
    Hostile("playlist of a part of a file", lambda c: _playlist(f"subfile,,start,0,end,64,,:{c.secret}"), (NotAVideo,)),
    Hostile("ffconcat", lambda c: f"ffconcat version 1.0\nfile '{c.secret}'\n".encode(), (NotAVideo,)),
    Hostile(
        "dash",
        lambda c: (
            f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>'
            f"http://127.0.0.1:{c.port}/</BaseURL></Period></MPD>"
        ).encode(),
        (NotAVideo,),
    ),
    Hostile(
        "sdp",
        lambda c: f"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video {c.port} RTP/AVP 96\n".encode(),
        (NotAVideo,),
    ),
    Hostile("m3u", lambda c: f"#EXTM3U\nhttp://127.0.0.1:{c.port}/x.mp4\n".encode(), (NotAVideo,)),
    Hostile(
        "xspf",
        lambda c: f"<playlist><track><location>http://127.0.0.1:{c.port}/</location></track></playlist>".encode(),
        (NotAVideo,),
    ),
    Hostile("pictures in another file by url", _pictures_elsewhere(b"url "), (BrokenVideo,)),
    Hostile("pictures in another file by alias", _pictures_elsewhere(b"alis"), (BrokenVideo,)),
    Hostile("y4m of 65535²", lambda _: b"YUV4MPEG2 W65535 H65535 F25:1 Ip A1:1 C420\nFRAME\n", (NotAVideo,)),
    Hostile(
        "ivf of 16383²",
        lambda _: b"DKIF" + struct.pack("<HH4sHHIII", 0, 32, b"VP80", 16_383, 16_383, 30, 1, 1) + bytes(8),
        (NotAVideo,),
    ),
    Hostile("avi of 100000²", lambda _: _raw_avi(100_000, 100_000), (VideoTooBig, BrokenVideo)),
    Hostile("pixels sixty times as wide as high", lambda _: film(aspect=Fraction(60, 1)), (VideoTooBig,)),
    Hostile("ten hours", _far_apart, (VideoTooBig,)),
    Hostile("ten hours that say five seconds", _lying_ten_hours, (VideoTooBig,)),
    Hostile(
        "90 000 frames per second", lambda _: film(times=[n / 90_000 for n in range(30)], rate=1000), (VideoTooBig,)
    ),
    Hostile("a picture that grows", _growing, (BrokenVideo, VideoTooBig)),
    Hostile("only sound", _only_sound, (BrokenVideo,)),
    Hostile("no frames", lambda _: film(spoil=lambda *_: None), (BrokenVideo,)),
    Hostile("no key frame", lambda _: film(spoil=lambda n, data: data if n else None), (BrokenVideo,)),
    Hostile("every frame is noise", lambda _: film(spoil=lambda _, data: _noise(len(data))), (BrokenVideo,)),
    Hostile("mp4 head, then noise", lambda _: film()[:32] + _noise(5000), (BrokenVideo,)),
    Hostile("mp4 without its end", lambda _: film()[:-400], (BrokenVideo,)),
    Hostile("matroska head, then noise", lambda _: film(container="matroska")[:48] + _noise(5000), (BrokenVideo,)),
    Hostile("avi head, then noise", lambda _: film(codec="mpeg4", container="avi")[:16] + _noise(5000), (BrokenVideo,)),
)

# Opened or refused: what matters is that nothing outside is reached and no limit is passed.
UNDECIDED = (
    Hostile("a playlist as subtitles", _playlist_as_subtitles, (VisionError,)),
    Hostile("2⁶² seconds", _told_duration(1 << 62, version=1, scale=1), (VisionError,)),
    Hostile("duration 0", _told_duration(0), (VisionError,)),
    Hostile("duration −1", _told_duration(0xFFFF_FFFF), (VisionError,)),
    Hostile("duration −1 in 64 bits", _told_duration((1 << 64) - 1, version=1), (VisionError,)),
    Hostile("no ticks per second", _told_duration(5, scale=0), (VisionError,)),
)

BENIGN = (
    Benign("h264 in mp4", film, (96, 64)),
    Benign("h264 in mp4, head first", lambda: film(options={"movflags": "+faststart"}), (96, 64)),
    Benign("h264 in pieces", lambda: film(options={"movflags": "frag_keyframe+empty_moov"}), (96, 64)),
    Benign("h264 in quicktime", lambda: film(container="mov"), (96, 64)),
    Benign("h264 in matroska", lambda: film(container="matroska"), (96, 64)),
    Benign("h264 of ten bits", lambda: film(pix_fmt="yuv420p10le"), (96, 64)),
    Benign("mpeg4 in avi", lambda: film(codec="mpeg4", container="avi"), (96, 64)),
    Benign("motion jpeg in avi", lambda: film(codec="mjpeg", container="avi", pix_fmt="yuvj420p"), (96, 64)),
    Benign("vp8 in webm", lambda: film(codec="libvpx", container="webm"), (96, 64)),
    Benign("vp9 in webm", lambda: film(codec="libvpx-vp9", container="webm"), (96, 64)),
    Benign(
        "webm as a browser records it", lambda: film(codec="libvpx", container="webm", options={"live": "1"}), (96, 64)
    ),
    Benign("turned by 90°", lambda: film(turned=90), (64, 96)),
    Benign("turned by 180°", lambda: film(turned=180), (96, 64)),
    Benign("turned by 270°", lambda: film(turned=270), (64, 96)),
    Benign("mirrored", lambda: film(mirrored=True), (96, 64)),
    Benign("oblong pixels, wide", lambda: film(aspect=Fraction(4, 3)), (128, 64)),
    Benign("oblong pixels, high", lambda: film(aspect=Fraction(1, 2)), (96, 128)),
    Benign("with sound", lambda: film(sound=True), (96, 64)),
    Benign("odd size", lambda: film(size=(97, 65), codec="ffv1", container="matroska"), (97, 65)),
    Benign("one frame", lambda: film(times=[0]), (96, 64), duration_s=0.1),
    Benign("frames at uneven times", lambda: film(times=[0, 0.1, 0.9, 1.0, 1.9]), (96, 64)),
    Benign(
        "one spoilt frame in the middle",
        lambda: film(
            codec="libvpx",
            container="matroska",
            codec_options={"g": "1"},
            spoil=lambda n, data: _noise(len(data)) if n == 10 else data,
        ),
        (96, 64),
        note="could not be read",
    ),
    Benign(
        "cut off in the middle",
        lambda: _cut_in_half(
            film(codec="mpeg4", tick=Fraction(1, 1000), codec_options={"g": "1"}, options={"movflags": "+faststart"})
        ),
        (96, 64),
        note="ends",
    ),
)
