"""Reads one video inside a contained child: what it is, and its frames upright in RGB. Only `video` asks for this."""

import math
import os
import struct
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from retinue.vision.errors import BrokenVideo, VideoTooBig
from retinue.vision.mp4_boxes import refuse_outside_media

DEMUXERS = {"mp4": "mov", "mov": "mov", "matroska": "matroska", "webm": "matroska", "avi": "avi"}
FENCES = {
    "protocol_whitelist": "file,pipe",
    "format_whitelist": "mov,mp4,matroska,webm,avi",
    "enable_drefs": "0",  # no file beside this one
}
TICK_S = 0.002  # Matroska rounds times to 1 ms
UNNAMED = 2  # AVCOL_SPC_UNSPECIFIED
PACKETS_UNTIL_A_PICTURE = 1000
WORTH_A_JUMP_S = 10.0
RUN_UP_S = 2.0  # before it, frames may still be made from some that were jumped over


def read_facts(payload: dict[str, Any]) -> dict[str, Any]:
    with _open(payload) as container:
        stream = _film(container)
        limits = payload["limits"]
        _refuse_size(stream.width, stream.height, limits)
        duration_s, count = _told_length(container, stream)
        if duration_s is not None and duration_s > limits["max_duration_s"]:
            _refuse_duration(duration_s, limits)
        first = next(iter(Decoding(container, stream, patience=PACKETS_UNTIL_A_PICTURE)), None)
        if first is None:
            raise BrokenVideo("No picture can be read from this video.")
        frame = first[2]
        width, height = upright_size(frame, stream.sample_aspect_ratio)
        _refuse_size(width, height, limits)
        facts = {"width": width, "height": height, "rotation": rotation_of(frame), "codec": stream.codec.name}
        rate = float(stream.average_rate or 0)
    fps = count / duration_s if count and duration_s else rate
    if not duration_s or not 0 < fps <= limits["max_source_fps"]:
        duration_s, count = _counted_length(payload)
        fps = count / duration_s
        if fps > limits["max_source_fps"]:
            raise VideoTooBig(
                f"The video has {fps:.0f} frames per second; up to {limits['max_source_fps']:g} are allowed."
            )
    length = {"duration_s": duration_s, "fps": fps, "frames_estimate": count or max(1, round(duration_s * fps))}
    return {**facts, **length, "container": payload["container"]}


def sample(payload: dict[str, Any]) -> Iterator[tuple[dict[str, Any], bytes | memoryview]]:
    """The frames asked for, each as it is decoded; last come the notes about what could not be read."""
    if payload["begin"][1] >= WORTH_A_JUMP_S:
        with _open(payload) as container:
            stream = _film(container, threads=2)
            if (decoding := _jump(container, stream, payload["begin"][1])) is not None:
                yield from _samples(decoding, stream, payload)
                return
    with _open(payload) as container:
        stream = _film(container, threads=2)
        yield from _samples(Decoding(container, stream), stream, payload)


def _samples(
    decoding: "Decoding", stream: VideoStream, payload: dict[str, Any]
) -> Iterator[tuple[dict[str, Any], bytes | memoryview]]:
    checked = _checked(decoding, payload["limits"])
    first, begin_s = payload["begin"]
    if payload["fps"] == "source":
        shown = _all(checked, begin_s=begin_s)
    else:
        shown = _on_screen(checked, fps=payload["fps"], first=first, duration_s=payload["duration_s"])
    taken: tuple[VideoFrame | None, NDArray[np.uint8] | None] = (None, None)
    for time_s, frame in shown:
        if frame is not taken[0]:
            taken = (frame, upright_pixels(frame, stream.sample_aspect_ratio))
        pixels = taken[1]
        assert pixels is not None
        height, width, _ = pixels.shape
        yield {"time_s": time_s, "width": width, "height": height}, pixels.data
    for note in decoding.notes():
        yield {"note": note}, b""


class Decoding:
    """All frames with the time each appears and ends, counted from the first; goes on after what it cannot read."""

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        *,
        patience: int | None = None,
        origin_s: float | None = None,
    ) -> None:
        self.container = container
        self.stream = stream
        self.patience = patience
        self.origin_s = origin_s
        self.decoded = self.broken = self.damaged = 0
        self.cut_short = False

    def __iter__(self) -> Iterator[tuple[float, float, VideoFrame]]:
        step = 1 / float(self.stream.average_rate or 25)
        origin = self.origin_s
        last_end = 0.0
        for frame in self._frames():
            # Some AVI files carry no times: then each frame follows the one before.
            at = frame.time if frame.time is not None else (origin or 0.0) + last_end
            origin = at if origin is None else origin
            time_s = max(0.0, at - origin)
            lasts = float((frame.duration or 0) * (frame.time_base or 0)) or step
            last_end = time_s + lasts
            self.decoded += 1
            self.damaged += bool(frame.is_corrupt)
            yield time_s, last_end, frame
        if not self.decoded:
            raise BrokenVideo("No picture can be read from this video.")
        if self.broken > self.decoded:
            raise BrokenVideo(f"{self.broken} of {self.broken + self.decoded} frames cannot be read.")

    def notes(self) -> list[str]:
        told = [
            f"{count} frame{'s' if count > 1 else ''} {what}."
            for count, what in ((self.broken, "could not be read"), (self.damaged, "may show wrong pixels"))
            if count
        ]
        if self.cut_short:
            told.append("The file ends before its video does.")
        return told

    def _frames(self) -> Iterator[VideoFrame]:
        for number, packet in enumerate(self._packets()):
            if self.patience is not None and number > self.patience:
                return
            self.cut_short |= packet.is_corrupt
            try:
                yield from packet.decode()
            except FFmpegError as failure:
                _raise_for_memory(failure)
                self.broken += 1
        if self.cut_short:
            try:
                yield from self.stream.codec_context.decode(None)
            except FFmpegError as failure:
                _raise_for_memory(failure)

    def _packets(self) -> Iterator[Any]:
        try:
            yield from self.container.demux(self.stream)
        except FFmpegError as failure:
            _raise_for_memory(failure)
            self.cut_short = True


def upright_size(frame: VideoFrame, aspect: Fraction | None) -> tuple[int, int]:
    width, height = _square_pixels(frame, aspect)
    return (height, width) if _turn_of(frame)[0] else (width, height)


def upright_pixels(frame: VideoFrame, aspect: Fraction | None) -> NDArray[np.uint8]:
    width, height = _square_pixels(frame, aspect)
    # Where the file names no colour matrix, players take BT.709 from 720 lines on and BT.601 below.
    matrix = ("ITU709" if height >= 720 else "ITU601") if frame.colorspace == UNNAMED else None
    pixels = frame.reformat(width=width, height=height, format="rgb24", src_colorspace=matrix, threads=1).to_ndarray()
    turned, mirrored_x, mirrored_y = _turn_of(frame)
    if turned:
        pixels = pixels.transpose(1, 0, 2)
    if mirrored_x:
        pixels = pixels[:, ::-1]
    if mirrored_y:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels, np.uint8)


def rotation_of(frame: VideoFrame) -> int:
    _, _, c, d = _matrix_of(frame)  # from where "down" goes: it stays when a selfie is mirrored left to right
    return round(math.degrees(math.atan2(-c, d)) / 90) * 90 % 360


def _matrix_of(frame: VideoFrame) -> tuple[int, int, int, int]:
    """The part of the display matrix that turns: (x, y) is shown at (a·x + c·y, b·x + d·y)."""
    matrix = cast("Mapping[str, Any]", frame.side_data).get("DISPLAYMATRIX")
    if matrix is None:
        return 1, 0, 0, 1
    a, b, _, c, d = struct.unpack_from("=5i", bytes(matrix))
    return a, b, c, d


def _turn_of(frame: VideoFrame) -> tuple[bool, bool, bool]:
    a, b, c, d = _matrix_of(frame)
    return (True, c < 0, b < 0) if abs(b) > abs(a) else (False, a < 0, d < 0)


def _square_pixels(frame: VideoFrame, aspect: Fraction | None) -> tuple[int, int]:
    """Oblong pixels are stretched, never squeezed: no stored pixel is lost."""
    if not aspect or aspect == 1:
        return frame.width, frame.height
    if aspect > 1:
        return round(frame.width * aspect), frame.height
    return frame.width, round(frame.height / aspect)


def _jump(container: InputContainer, stream: VideoStream, begin_s: float) -> Decoding | None:
    """From a picture some way before that needs no other; None where the file has no times, cannot be jumped in, or
    jumps too far."""
    first = next(iter(Decoding(container, stream, patience=PACKETS_UNTIL_A_PICTURE)), None)
    origin_s = None if first is None else first[2].time
    if origin_s is None or stream.time_base is None:
        return None
    target = round((origin_s + begin_s - RUN_UP_S) / stream.time_base)
    try:
        container.seek(target, stream=stream)
        landed = next(iter(Decoding(container, stream, patience=PACKETS_UNTIL_A_PICTURE, origin_s=origin_s)), None)
        if landed is None or landed[2].time is None or landed[0] > begin_s:
            return None
        container.seek(target, stream=stream)  # once more, for what was decoded to see where it lands
    except FFmpegError as failure:
        _raise_for_memory(failure)
        return None
    return Decoding(container, stream, origin_s=origin_s)


def _all(decoded: Iterator[tuple[float, float, VideoFrame]], *, begin_s: float) -> Iterator[tuple[float, VideoFrame]]:
    return ((time_s, frame) for time_s, _, frame in decoded if time_s > begin_s - TICK_S)


def _on_screen(
    decoded: Iterator[tuple[float, float, VideoFrame]], *, fps: float, first: int, duration_s: float
) -> Iterator[tuple[float, VideoFrame]]:
    """The last frame stays until it ends, but not past the length that the file told: that was the price."""
    number, held, end_s = first, None, 0.0
    for time_s, frame_end_s, frame in decoded:
        while held is not None and number / fps < time_s - TICK_S:
            yield number / fps, held
            number += 1
        held, end_s = frame, min(frame_end_s, max(time_s, duration_s))
    while held is not None and (number == 0 or number / fps < end_s - TICK_S):
        yield number / fps, held
        number += 1


def _checked(decoding: Decoding, limits: dict[str, Any]) -> Iterator[tuple[float, float, VideoFrame]]:
    size = None
    for time_s, end_s, frame in decoding:
        size = size or (frame.width, frame.height)
        if (frame.width, frame.height) != size:
            raise BrokenVideo(
                f"The picture changes its size on the way, from {size[0]}×{size[1]} to {frame.width}×{frame.height}."
            )
        if time_s > limits["max_duration_s"]:
            _refuse_duration(time_s, limits)
        yield time_s, end_s, frame


def _open(payload: dict[str, Any]) -> InputContainer:
    file = os.fdopen(payload["fd"], "rb", closefd=False)
    file.seek(0)
    if DEMUXERS[payload["container"]] == "mov":
        refuse_outside_media(file)
        file.seek(0)
    try:
        return av.open(
            file, "r", format=DEMUXERS[payload["container"]], container_options=FENCES, io_open=_open_nothing_else
        )
    except FFmpegError as failure:
        _raise_for_memory(failure)
        raise BrokenVideo("The head of this video cannot be read.") from failure


def _open_nothing_else(*_: Any) -> None:
    raise PermissionError("a video may read no file but itself")


def _film(container: InputContainer, *, threads: int = 1) -> VideoStream:
    for stream in container.streams.video:
        if not stream.disposition & stream.disposition.attached_pic:
            if stream.codec_context is None:
                raise BrokenVideo("The video uses a codec that is not read here.")
            # Left alone, FFmpeg takes a thread per processor, and each holds pictures of its own.
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = threads
            return stream
    raise BrokenVideo("There is no picture in this file, only sound or nothing.")


def _told_length(container: InputContainer, stream: VideoStream) -> tuple[float | None, int]:
    if stream.duration is not None and stream.duration > 0 and stream.time_base:
        return float(stream.duration * stream.time_base), stream.frames
    if container.duration is not None and container.duration > 0:
        return container.duration / av.time_base, stream.frames
    return None, stream.frames


def _counted_length(payload: dict[str, Any]) -> tuple[float, int]:
    """For headers without a length, as browsers record them: the packets tell."""
    with _open(payload) as container:
        stream = _film(container)
        count, first, end = 0, None, 0.0
        try:
            for packet in container.demux(stream):
                if packet.pts is None:
                    continue
                count += 1
                at = float(packet.pts * packet.time_base)
                first = at if first is None else min(first, at)
                end = max(end, at + float((packet.duration or 0) * packet.time_base))
                if end - first > payload["limits"]["max_duration_s"]:
                    _refuse_duration(end - first, payload["limits"])
        except FFmpegError as failure:
            _raise_for_memory(failure)  # what was counted so far is what can be read
    if not count or first is None or end <= first:
        raise BrokenVideo("The video does not say when its frames are shown.")
    return end - first, count


def _refuse_size(width: int, height: int, limits: dict[str, Any]) -> None:
    long_side, short_side = limits["max_long_side"], limits["max_short_side"]
    if max(width, height) > long_side or min(width, height) > short_side:
        raise VideoTooBig(f"The video's picture is {width}×{height}; up to {long_side}×{short_side} is allowed.")


def _refuse_duration(duration_s: float, limits: dict[str, Any]) -> None:
    raise VideoTooBig(
        f"The video lasts {duration_s:.0f} s or more; up to {limits['max_duration_s']:.0f} s are allowed."
    )


def _raise_for_memory(failure: FFmpegError) -> None:
    if isinstance(failure, MemoryError):
        raise failure
