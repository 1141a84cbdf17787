"""Where packages lie on this machine: built-in ones made here, the others fetched from storage once and checked."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Collection, Sequence
from pathlib import Path

import sqlalchemy as sa

from retinue.base.clock import Clock
from retinue.base.database import Database
from retinue.base.errors import Gone, Unavailable
from retinue.base.leftovers import delete_unfinished, delete_unnamed
from retinue.base.storage import Storage
from retinue.catalog.tables import Version
from retinue.vision.builtin import builtin_packages
from retinue.vision.package import Package, checksum, read_package

FOLDER = "models"
LARGEST_FILE = 2 << 30
CHUNK = 1 << 20


class PackageDamaged(Unavailable):
    code = "model-package-damaged"
    title = "The model's files are not what they were when it came in"


class RecipeReplaced(Gone):
    code = "recipe-replaced"
    title = "This version of a built-in model is no longer made"


class Shelf:
    def __init__(self, folder: Path, storage: Storage) -> None:
        self._folder = folder
        self._storage = storage
        self._fetching: dict[str, asyncio.Lock] = {}

    @property
    def builtin_folder(self) -> Path:
        return self._folder / "builtin"

    async def package_of(self, version: Version) -> Package:
        """The package on this disk; the first asker fetches, the others wait."""
        if version.origin == "builtin":
            return await asyncio.to_thread(self._built_in, version)
        place = self._folder / version.id
        async with self._fetching.setdefault(version.id, asyncio.Lock()):
            if not place.exists():
                await self._fetch(version, place)
        return Package(place, version.read_manifest())

    def _built_in(self, version: Version) -> Package:
        package = builtin_packages(self.builtin_folder).get(version.manifest["name"])
        if package is None or package.key != version.package_key:
            raise RecipeReplaced(f"Version {version.number} of {version.manifest['name']} came with an older Retinue")
        return package

    async def put(self, version_id: str, package: Package) -> list[str]:
        """Into storage, for every node; the names of the files."""
        names = sorted(file.name for file in package.folder.iterdir() if file.is_file())
        for name in names:
            await self._storage.put_stream(
                f"{FOLDER}/{version_id}/{name}", _chunks(package.folder / name), max_bytes=LARGEST_FILE
            )
        return names

    def sweep(self) -> None:
        """What processes were fetching or making when they were killed."""
        delete_unfinished(self._folder, "**/.fetching-*")
        delete_unfinished(self._folder, "**/.building-*")

    async def _fetch(self, version: Version, place: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".fetching-", dir=self._folder))
        try:
            for name in version.files:
                async with self._storage.local_file(f"{FOLDER}/{version.id}/{name}") as file:
                    await asyncio.to_thread(shutil.copyfile, file, aside / name)
            package = read_package(aside)
            weights = package.weights
            if weights is not None and await asyncio.to_thread(checksum, weights) != version.manifest["sha256"]:
                raise PackageDamaged(f"Version {version.number} of {package.name} has another checksum")
            await asyncio.to_thread(aside.rename, place)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


async def sweep_packages(database: Database, storage: Storage, clock: Clock) -> int:
    """Files of versions that were put into storage and then refused."""

    async def named(keys: Sequence[str]) -> Collection[str]:
        by_key = {key: key.split("/")[1] for key in keys}
        known = sa.select(Version.id).where(Version.id.in_(set(by_key.values())))
        ids = await database.read(lambda now: {row.id for row in now.rows(known)})
        return [key for key, version_id in by_key.items() if version_id in ids]

    return await delete_unnamed(storage, clock, FOLDER, named)


async def _chunks(file: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(file.open, "rb") as stream:
        while chunk := await asyncio.to_thread(stream.read, CHUNK):
            yield chunk
