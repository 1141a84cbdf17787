"""Every kind of upload that a dataset takes, and what each is made of."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

from retinue.base.errors import Invalid, RetinueError, WrongKind
from retinue.datasets.checking import Candidate, Medium, medium_of
from retinue.datasets.content import Content, EntryContent, FileContent
from retinue.datasets.pairing import Pair, pair_up
from retinue.media.archives import ArchiveLimits, Entry, is_archive, open_archive
from retinue.vision.errors import VisionError

Kind = Medium | Literal["archive"]
Refusal = RetinueError | VisionError
PriceName = Literal["image_upload", "zip_image"]
ARCHIVE_LIMITS = ArchiveLimits()
PICTURE_NAMES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
VIDEO_NAMES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm"})


class NothingInside(Invalid):
    code = "nothing-inside"
    title = "There is no picture and no video in this archive"


class MaskBelongsNowhere(Invalid):
    code = "mask-belongs-nowhere"
    title = "This mask cannot be used"


class UnclearMask(Invalid):
    code = "unclear-mask"
    title = "It is not clear which mask belongs here"


class NotTakenIn(WrongKind):
    code = "not-taken-in"
    title = "Datasets take pictures, videos, and ZIP archives of them"


@dataclass(frozen=True, slots=True)
class Sent:
    """What one request brings."""

    content: FileContent
    mask: FileContent | None = None
    group: str = ""


@dataclass(frozen=True, slots=True)
class Lot:
    """What an upload is made of, in its own order. `picture_price` names the price of each of its pictures."""

    candidates: list[Candidate]
    picture_price: PriceName = "image_upload"
    skipped: list[str] = field(default_factory=list)
    rejected: list[tuple[str, Refusal]] = field(default_factory=list)


def kind_of_upload(content: Content) -> Kind:
    """By content; a file that calls itself a ZIP is held to that."""
    head = content.head()
    if is_archive(head) or content.name.lower().endswith(".zip"):
        return "archive"
    return medium_of(head)


def lot_of(sent: Sent) -> AbstractContextManager[Lot]:
    """Blocking; the lot's files can be read until it is closed."""
    mask = kind_of_upload(sent.mask) if sent.mask else None
    strategy = STRATEGIES.get((kind_of_upload(sent.content), mask))
    if strategy is None:
        raise NotTakenIn("A mask is a picture, or for a video also a video; masks of a ZIP lie inside of it")
    return strategy(sent)


@contextmanager
def _one(sent: Sent) -> Iterator[Lot]:
    yield Lot([Candidate(sent.group, sent.content, sent.mask)])


@contextmanager
def _archive(sent: Sent) -> Iterator[Lot]:
    with open_archive(sent.content.file, ARCHIVE_LIMITS) as archive:
        entries, skipped, rejected = [], [], []
        for entry in archive.entries:
            reason = _reason_against(entry, EntryContent(entry.name, archive, entry))
            if reason is None:
                entries.append(entry)
            elif isinstance(reason, str):
                skipped.append(reason)
            else:
                rejected.append((entry.name, reason))
        matched = pair_up([entry.name for entry in entries])
        for alone in matched.rejected:
            kind = MaskBelongsNowhere if "mask" in _last(entries[alone.position]).lower() else UnclearMask
            rejected.append((entries[alone.position].name, kind(alone.reason)))
        skipped.extend(entries[position].name for position in matched.contested)

        def content(position: int) -> EntryContent:
            return EntryContent(_last(entries[position]), archive, entries[position])

        def candidate(pair: Pair) -> Candidate:
            group = f"{sent.group}/{pair.group}".strip("/")
            return Candidate(group, content(pair.original), None if pair.mask is None else content(pair.mask))

        yield Lot([candidate(pair) for pair in matched.pairs], "zip_image", skipped, rejected)


STRATEGIES: Mapping[tuple[Kind, Kind | None], Callable[[Sent], AbstractContextManager[Lot]]] = {
    ("picture", None): _one,
    ("picture", "picture"): _one,
    ("video", None): _one,
    ("video", "picture"): _one,
    ("video", "video"): _one,
    ("archive", None): _archive,
}


def _reason_against(entry: Entry, content: EntryContent) -> Refusal | str | None:
    """None for what looks like a picture or a video; its name for what was never meant as one; else the refusal."""
    if entry.refusal is not None:
        return entry.refusal
    if PurePosixPath(entry.name).suffix.lower() in PICTURE_NAMES | VIDEO_NAMES:
        return None  # its content is looked at when its turn comes
    try:
        medium_of(content.head())
    except (RetinueError, VisionError):
        return entry.name
    return None


def _last(entry: Entry) -> str:
    return PurePosixPath(entry.name).name
