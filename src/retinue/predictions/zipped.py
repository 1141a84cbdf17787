"""The pictures of a small ZIP, for one request: each with its bytes, or with why it has none."""

import asyncio

from retinue.base.errors import RetinueError, WrongKind
from retinue.media.archives import ArchiveLimits, open_archive
from retinue.predictions.batch import check_size
from retinue.vision.errors import VisionError
from retinue.vision.images import Limits, read_header

LIMITS = ArchiveLimits(max_bytes=200 << 20, max_entries=1000, max_expanded_bytes=512 << 20)
LARGEST_PICTURE = Limits().max_bytes


class NothingInside(WrongKind):
    code = "no-pictures-inside"
    title = "There is no picture in this archive"


async def pictures_in(data: bytes, *, most: int) -> list[tuple[str, bytes | RetinueError | VisionError]]:
    """In the archive's order. Where nothing at all can be looked at, the first entry's reason refuses the archive."""
    found = await asyncio.to_thread(_read_all, data, most)
    pictures = sum(isinstance(content, bytes) for _, content in found)
    if pictures == 0:
        reason = found[0][1] if found else NothingInside()
        assert isinstance(reason, Exception), "there are no pictures"
        raise reason
    return found


async def expanded_bytes(data: bytes) -> int:
    """What its entries say they will be; none can be more."""
    return await asyncio.to_thread(_expanded_bytes, data)


def _expanded_bytes(data: bytes) -> int:
    with open_archive(data, LIMITS) as archive:
        return sum(entry.size for entry in archive.entries if entry.refusal is None)


def _read_all(data: bytes, most: int) -> list[tuple[str, bytes | RetinueError | VisionError]]:
    found: list[tuple[str, bytes | RetinueError | VisionError]] = []
    kept = 0
    with open_archive(data, LIMITS) as archive:
        for entry in archive.entries:
            try:
                content = archive.read(entry, max_bytes=LARGEST_PICTURE)
                read_header(content)
            except (RetinueError, VisionError) as refusal:
                found.append((entry.name, refusal))
                continue
            kept += 1
            check_size(kept, most=most)
            found.append((entry.name, content))
    return found
