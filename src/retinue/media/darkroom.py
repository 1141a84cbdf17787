"""How many kept pictures are opened at the same time to be cut or shrunk, whoever asks for it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from retinue.base.storage import Storage
from retinue.media.tables import Asset

MOST_AT_ONCE = 4  # in memory: 40 MP are 120 MB each when decoded, and their files up to 20 MB


class Darkroom:
    """One per process. Whoever comes when it is full waits outside, holding nothing."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)
        # Its own: a caller who leaves gives the turn back while the thread still works.
        self._threads = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="darkroom")

    async def print(self, asset: Asset, draw: Callable[[bytes], bytes]) -> bytes:
        """What `draw` makes of the picture's file."""
        async with self._turns:
            picture = await self._storage.get(asset.key)
            return await asyncio.get_running_loop().run_in_executor(self._threads, draw, picture)
