"""What a killed process leaves behind, and when it goes: files that no row names, and work that nobody finished."""

import contextlib
import shutil
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import timedelta
from pathlib import Path

from retinue.base.clock import Clock
from retinue.base.storage import Storage

AGE = timedelta(hours=24)  # what is younger may still be at work: a file is written before its row
AT_ONCE = 500
Named = Callable[[Sequence[str]], Awaitable[Collection[str]]]
"""Which of these keys are somebody's."""


async def delete_unnamed(storage: Storage, clock: Clock, folder: str, named: Named) -> int:
    """Old files below `folder` of the store that are nobody's; how many went. Safe to kill anywhere."""
    gone = 0
    old: list[str] = []
    async for entry in storage.list(folder + "/"):
        if clock.now() - entry.modified > AGE:
            old.append(entry.key)
        if len(old) >= AT_ONCE:
            gone += await _delete(storage, old, await named(old))
            old = []
    return gone + await _delete(storage, old, await named(old))


def delete_unfinished(folder: Path, names: str = "*") -> None:
    """Old files and folders in a folder that work on its way lies in; `names` where it holds finished work too."""
    for left in list(folder.glob(names)):
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            if left.lstat().st_mtime > time.time() - AGE.total_seconds():
                continue
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)
            else:
                left.unlink()


async def _delete(storage: Storage, keys: Sequence[str], named: Collection[str]) -> int:
    orphans = [key for key in keys if key not in named]
    await storage.delete(orphans)
    return len(orphans)
