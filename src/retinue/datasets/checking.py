"""Whether a picture or a video may become an item: by content, decoded to its end, with a mask that fits.

What passes here is sound: a picture that breaks half-way would cost its owner credits and fail in every job.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from retinue.datasets.content import HEAD_BYTES, Content, Scratch, digest_of
from retinue.datasets.tables import ItemType
from retinue.vision.errors import BadMask, NotAPicture, VideoTooBig
from retinue.vision.images import Limits, decode
from retinue.vision.masks import as_png, clean_grey, clean_mask
from retinue.vision.sniffing import kind_of
from retinue.vision.video import Rate, VideoFacts, VideoLimits, container_of, frames, probe

Medium = Literal["picture", "video"]
PICTURE_LIMITS = Limits()
VIDEO_LIMITS = VideoLimits()
PICTURE_BRANDS = {b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis"}  # in boxes as an MP4 has them, yet no film
VIDEO_KINDS: Mapping[str, tuple[str, str]] = {
    "mp4": ("video/mp4", "mp4"),
    "mov": ("video/quicktime", "mov"),
    "matroska": ("video/x-matroska", "mkv"),
    "webm": ("video/webm", "webm"),
    "avi": ("video/x-msvideo", "avi"),
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that wants to become an item, with the mask that came with it."""

    group: str
    content: Content
    mask: Content | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A sound file: its bytes, or where they lie when they are many."""

    data: bytes | Path
    mime_type: str
    extension: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What an item will be. The fingerprint is the same for the same picture with the same mask."""

    type: ItemType
    fingerprint: str
    width: int
    height: int
    frames: int | None = None
    fps: float | None = None
    duration_s: float | None = None
    times: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Checked:
    facts: Facts
    original: Part
    mask: Part | None


def medium_of(head: bytes) -> Medium:
    if container_of(head) is not None and head[8:12] not in PICTURE_BRANDS:
        return "video"
    try:
        kind_of(head)
    except NotAPicture:
        raise NotAPicture(
            "Pictures are read as JPEG, PNG, WebP, GIF, BMP and TIFF, videos as MP4, QuickTime, Matroska, WebM and "
            "AVI, told by their content; these bytes are none of them."
        ) from None
    return "picture"


def check_picture(candidate: Candidate) -> Checked | None:
    """None for a video, which `check_video` looks at. Both raise the refusal of the original or of its mask."""
    content = candidate.content
    if content.size > PICTURE_LIMITS.max_bytes and medium_of(content.head()) == "video":
        return None
    data = content.read(max_bytes=PICTURE_LIMITS.max_bytes)
    if medium_of(data[:HEAD_BYTES]) == "video":
        return None
    # The whole file is read, yet JPEGs at an eighth of their size: a sound one costs half of what it does in full.
    seen = decode(data, limits=PICTURE_LIMITS, short_side=1)
    mask, mask_digest = None, b""
    if candidate.mask is not None:
        if medium_of(candidate.mask.head()) == "video":
            raise BadMask("The mask of a picture is a picture, not a video.")
        mask, mask_digest = _picture_mask(candidate.mask, width=seen.width, height=seen.height)
    digest = hashlib.sha256(data)
    facts = Facts(
        type="pair" if mask else "image",
        fingerprint=_fingerprint(digest.digest(), mask_digest),
        width=seen.width,
        height=seen.height,
    )
    return Checked(
        facts, Part(data, seen.header.mime_type, seen.header.extension.lstrip("."), digest.hexdigest()), mask
    )


def check_video(candidate: Candidate, *, fps: Rate, scratch: Scratch) -> Checked:
    content = candidate.content
    if content.size > VIDEO_LIMITS.max_bytes:
        raise VideoTooBig(f"The video has {content.size} bytes; up to {VIDEO_LIMITS.max_bytes} are allowed.")
    path = content.local(scratch)
    told = probe(path, limits=VIDEO_LIMITS)
    times = _times(path, told, fps)
    mask, mask_digest = None, b""
    if candidate.mask is not None:
        mask, mask_digest = _video_mask(candidate.mask, told, times=times, fps=fps, scratch=scratch)
    facts = Facts(
        type="video pair" if mask else "video",
        fingerprint=_fingerprint(digest_of(path), mask_digest, str(fps)),
        width=told.width,
        height=told.height,
        frames=len(times),
        fps=None if fps == "source" else fps,
        duration_s=told.duration_s,
        times=times,
    )
    return Checked(facts, Part(path, *VIDEO_KINDS[container_of(content.head()) or ""]), mask)


def _times(path: Path, facts: VideoFacts, fps: Rate) -> list[float]:
    """Counted by reading, because a price may not rest on what a header says."""
    with frames(path, fps=fps, limits=VIDEO_LIMITS, facts=facts) as samples:
        return [round(sample.time_s, 3) for sample in samples]


def _picture_mask(content: Content, *, width: int, height: int) -> tuple[Part, bytes]:
    data = content.read(max_bytes=PICTURE_LIMITS.max_bytes)
    marked = clean_mask(data, width=width, height=height, may_be_empty=True, limits=PICTURE_LIMITS)
    return Part(as_png(marked), "image/png", "png"), hashlib.sha256(data).digest()


def _video_mask(
    content: Content, facts: VideoFacts, *, times: list[float], fps: Rate, scratch: Scratch
) -> tuple[Part, bytes]:
    """A picture that holds for all of the film, or a film of masks with a frame for each frame."""
    if medium_of(content.head()) == "picture":
        return _picture_mask(content, width=facts.width, height=facts.height)
    path = content.local(scratch)
    count = 0
    with frames(path, fps=fps, limits=VIDEO_LIMITS) as samples:
        for sample in samples:
            _check_frame(sample.pixels, facts, time_s=sample.time_s)
            count += 1
    if count != len(times):
        raise BadMask(f"The mask's video has {count} frames at this rate, but its video has {len(times)}.")
    return Part(path, *VIDEO_KINDS[container_of(content.head()) or ""]), digest_of(path)


def _check_frame(pixels: NDArray[np.uint8], facts: VideoFacts, *, time_s: float) -> None:
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    try:
        clean_grey(grey, width=facts.width, height=facts.height, may_be_empty=True)
    except BadMask as refusal:
        raise BadMask(f"At {time_s:.2f} s: {refusal.detail}") from refusal


def _fingerprint(original: bytes, mask: bytes, *more: str) -> str:
    return hashlib.sha256(b"|".join((original, mask, *(one.encode() for one in more)))).hexdigest()[:32]
