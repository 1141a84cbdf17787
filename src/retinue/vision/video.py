"""Videos: what a file holds, its frames at chosen times upright and in RGB, and frames written as a film again.

Reading happens in a contained child (`video_child`); what arrives here are plain pixels. What counts is the content,
never the name: only MP4 / QuickTime, Matroska / WebM and AVI are opened, so that playlists, which would fetch other
files, are no videos.
"""

import contextlib
import math
from collections.abc import Generator, Iterable, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self, TypeAlias

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from retinue.vision.contained import MIB, ChildDied, ChildTimedOut, Message, run_contained, stream_contained
from retinue.vision.errors import BrokenVideo, NotAVideo, VideoTooBig

Rate: TypeAlias = float | Literal["source"]
CHILD = "retinue.vision.video_child"
# 3840×2160 H.264 with 16 reference frames and two threads reserves 0.6 GiB of address space, libraries included.
CHILD_MEMORY_BYTES = 1536 * MIB
HEAD_BYTES = 64
TICKS_PER_S = 90_000
BT709, LIMITED_RANGE = 1, 1  # as FFmpeg numbers them
TICK_S = 0.002  # Matroska rounds times to 1 ms: a sample needs more than that of the film left


@dataclass(frozen=True, slots=True)
class VideoLimits:
    max_bytes: int = 4 << 30
    max_duration_s: float = 7200
    max_long_side: int = 3840
    max_short_side: int = 2160
    max_frames: int = 10_000
    max_source_fps: float = 240
    max_wall_per_second: float = 4
    """Seconds of reading per second of video; a short video has half a minute all the same."""

    def wall_s(self, duration_s: float) -> float:
        return max(30.0, self.max_wall_per_second * duration_s)


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What a video is. Width and height are those of its upright picture with square pixels."""

    duration_s: float
    width: int
    height: int
    rotation: int
    """Degrees clockwise by which the stored picture is turned to stand upright."""
    fps: float
    frames_estimate: int
    codec: str
    container: str

    def samples_at(self, fps: Rate) -> int:
        """How many frames a reading at this rate gives, as far as the file's own header tells the truth."""
        return self.frames_estimate if fps == "source" else max(1, math.ceil((self.duration_s - TICK_S) * fps))


class Begin(NamedTuple):
    """From which frame on a reading is wanted: its number among those asked for, and its time."""

    number: int = 0
    time_s: float = 0.0


FROM_THE_FIRST = Begin()


class Sample(NamedTuple):
    """One frame: its number among the frames asked for, its time in the film, its pixels (RGB, upright)."""

    number: int
    time_s: float
    pixels: NDArray[np.uint8]


def container_of(head: bytes) -> str | None:
    """The kind of video that a file of these first bytes is, or None: not one that is read here."""
    if head[4:8] in {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}:
        return "mp4" if head[4:8] == b"ftyp" and head[8:12] != b"qt  " else "mov"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "webm" if b"webm" in head[:HEAD_BYTES] else "matroska"
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return "avi"
    return None


def probe(path: Path, *, limits: VideoLimits | None = None) -> VideoFacts:
    """Read what the video is and decode its first picture. Raises NotAVideo, VideoTooBig or BrokenVideo."""
    limits = limits or VideoLimits()
    with path.open("rb") as file:
        payload = _payload(file.fileno(), file.read(HEAD_BYTES), size=path.stat().st_size, limits=limits)
        with _our_words():
            told = run_contained(
                f"{CHILD}:read_facts",
                payload,
                cpu_s=30,
                wall_s=30,
                memory_bytes=CHILD_MEMORY_BYTES,
                pass_fds=[file.fileno()],
            )
    return VideoFacts(**told)


def frames(
    path: Path,
    *,
    fps: Rate = 1.0,
    begin: Begin = FROM_THE_FIRST,
    limits: VideoLimits | None = None,
    facts: VideoFacts | None = None,
) -> "Frames":
    """The frames on screen at 0, 1/fps, 2/fps … seconds, or with "source" every frame at its own time.

    Refuses at once what the header already says is too much; `facts` of an earlier probe save a second one. A
    reading that begins far inside of a film jumps there.
    """
    limits = limits or VideoLimits()
    facts = facts or probe(path, limits=limits)
    if fps != "source" and not 0 < fps <= limits.max_source_fps:
        raise VideoTooBig(f"Frames can be taken at up to {limits.max_source_fps:g} per second, not at {fps:g}.")
    if facts.samples_at(fps) > limits.max_frames:
        raise VideoTooBig(
            f"This would take {facts.samples_at(fps)} frames from the video; up to {limits.max_frames} are allowed."
        )
    return Frames(path, facts=facts, fps=fps, begin=begin, limits=limits)


def encode_video(timed: Iterable[tuple[float, NDArray[np.uint8]]], path: Path, *, duration_s: float) -> None:
    """Write pictures, each shown from its time until the next one's, as an MP4 (H.264) that lasts `duration_s`.

    Takes the pictures one by one, so that a long film needs the memory of two. They all have one size; an odd side
    gains one repeated row or column, because H.264 stores colour at half size.
    """
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as film:
        stream = None
        for pixels, start, end in _spans(timed, duration_s=duration_s):
            if stream is None:
                stream = _h264(film, pixels)
            frame = _frame(pixels, start=start, end=end)
            if (frame.width, frame.height) != (stream.width, stream.height):
                raise BrokenVideo("The frames of a film must all have one size.")
            film.mux(stream.encode(frame))
        if stream is None:
            raise BrokenVideo("A film needs at least one frame.")
        film.mux(stream.encode(None))


class Frames:
    """An iterator over the samples of one video, at most one of them in memory. Close it to end its child early.

    `notes` says in sentences what was wrong on the way without ending it; it is complete after the last sample.
    """

    def __init__(self, path: Path, *, facts: VideoFacts, fps: Rate, begin: Begin, limits: VideoLimits) -> None:
        self.facts = facts
        self.notes: list[str] = []
        self._samples = _read(path, self.notes, facts=facts, fps=fps, begin=begin, limits=limits)

    def __iter__(self) -> Iterator[Sample]:
        return self._samples

    def __next__(self) -> Sample:
        return next(self._samples)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._samples.close()


def _read(
    path: Path, notes: list[str], *, facts: VideoFacts, fps: Rate, begin: Begin, limits: VideoLimits
) -> Generator[Sample, None, None]:
    wall_s = limits.wall_s(facts.duration_s)
    with path.open("rb") as file, _our_words():
        payload = _payload(file.fileno(), file.read(HEAD_BYTES), size=path.stat().st_size, limits=limits)
        told = stream_contained(
            f"{CHILD}:sample",
            {**payload, "fps": fps, "begin": list(begin), "duration_s": facts.duration_s},
            cpu_s=2 * wall_s,  # it decodes with two threads
            wall_s=wall_s,
            memory_bytes=CHILD_MEMORY_BYTES,
            pass_fds=[file.fileno()],
        )
        with contextlib.closing(told):
            for number, message in enumerate(_without_notes(told, notes), begin.number):
                if number >= limits.max_frames:
                    raise VideoTooBig(f"The video has more than {limits.max_frames} frames to take.")
                yield _sample(number, *message)


def _without_notes(told: Iterable[Message], notes: list[str]) -> Iterator[Message]:
    for head, body in told:
        if "note" in head:
            notes.append(head["note"])
        else:
            yield head, body


def _payload(fd: int, head: bytes, *, size: int, limits: VideoLimits) -> dict[str, Any]:
    if size > limits.max_bytes:
        raise VideoTooBig(f"The video has {size / MIB:.0f} MiB; up to {limits.max_bytes / MIB:.0f} MiB are allowed.")
    container = container_of(head)
    if container is None:
        raise NotAVideo("Videos are read as MP4, QuickTime, Matroska, WebM or AVI; these bytes are none of them.")
    return {"fd": fd, "container": container, "limits": asdict(limits)}


def _sample(number: int, head: dict[str, Any], body: bytearray) -> Sample:
    width, height = int(head["width"]), int(head["height"])
    if width * height * 3 != len(body):
        raise BrokenVideo("A frame arrived incomplete.")
    return Sample(number, float(head["time_s"]), np.frombuffer(body, np.uint8).reshape(height, width, 3))


@contextlib.contextmanager
def _our_words() -> Iterator[None]:
    try:
        yield
    except ChildTimedOut as failure:
        raise VideoTooBig("Reading this video takes longer than the limits allow.") from failure
    except ChildDied as failure:
        if failure.reason == "memory":
            raise VideoTooBig("Reading this video needs more memory than the limits allow.") from failure
        raise BrokenVideo("The video breaks the program that reads it.") from failure


def _spans(
    timed: Iterable[tuple[float, NDArray[np.uint8]]], *, duration_s: float
) -> Iterator[tuple[NDArray[np.uint8], int, int]]:
    """Each picture with the ticks at which it appears and gives way; the first one also fills the time before it."""
    held: tuple[NDArray[np.uint8], int] | None = None
    for time_s, pixels in timed:
        start = 0 if held is None else max(held[1] + 1, round(time_s * TICKS_PER_S))
        if held is not None:
            yield *held, start
        held = pixels, start
    if held is not None:
        yield *held, max(held[1] + 1, round(duration_s * TICKS_PER_S))


def _h264(film: OutputContainer, pixels: NDArray[np.uint8]) -> VideoStream:
    # No B-frames: packets leave in showing order, and the last one's length is the rest of the film.
    stream = film.add_stream("libx264", rate=TICKS_PER_S, options={"preset": "veryfast", "crf": "20", "bf": "0"})
    stream.height, stream.width = (side + side % 2 for side in pixels.shape[:2])
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = Fraction(1, TICKS_PER_S)
    stream.codec_context.flags |= av.codec.context.Flags.frame_duration
    stream.colorspace = stream.color_primaries = stream.color_trc = BT709
    stream.color_range = LIMITED_RANGE
    return stream


def _frame(pixels: NDArray[np.uint8], *, start: int, end: int) -> av.VideoFrame:
    height, width = pixels.shape[:2]
    even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    frame = av.VideoFrame.from_ndarray(even, format="rgb24").reformat(
        format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
    )
    frame.pts, frame.time_base, frame.duration = start, Fraction(1, TICKS_PER_S), end - start
    return frame
