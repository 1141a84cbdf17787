"""A backup is a folder: every row of one moment, every stored file, and the secret that keys and links were made with.

It is of no kind of database or store: what SQLite and a folder held, PostgreSQL and S3 take back (`restoring.py`). The
server may go on meanwhile. Files never change, so they are copied before and after the rows are read: what a row names
was there at one of the two. Made again into the same folder, it copies only files that are new, and the backup of
before stays whole until `manifest.json` is replaced.
"""

import asyncio
import gzip
import os
import shutil
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

import retinue
from retinue.base import migrating
from retinue.base.database import Database, Transaction
from retinue.base.ids import new_id
from retinue.base.paths import inside
from retinue.base.secrets import FILE as SECRET
from retinue.base.secrets import Secrets
from retinue.base.storage import ObjectMissing, Storage
from retinue.base.tables import Row

FORMAT = 1
AT_ONCE = 8
ROWS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds. `tables` is the folder with the rows."""

    format: int
    version: str
    revision: str
    made_at: str
    tables: str
    rows: dict[str, int]
    files: int
    file_bytes: int
    secret: str  # a fingerprint of the install's secret


async def back_up(
    database: Database, storage: Storage, secrets: Secrets, *, secret_file: Path | None, to: Path
) -> Manifest:
    """`secret_file`: None where the secret comes from a setting; then it has to be set again."""
    await asyncio.to_thread(to.mkdir, mode=0o700, parents=True, exist_ok=True)
    place = await asyncio.to_thread(to.resolve)
    sizes = await _copy_files(storage, place / "files")
    tables, rows, made_at = await database.read(lambda now: _write_rows(now, place))
    sizes |= await _copy_files(storage, place / "files")
    await asyncio.to_thread(copy_secret, secret_file, place / SECRET)
    revision = await asyncio.to_thread(migrating.revision_of, database)
    manifest = Manifest(
        format=FORMAT,
        version=retinue.__version__,
        revision=revision or "",
        made_at=made_at.isoformat(),
        tables=tables,
        rows=rows,
        files=len(sizes),
        file_bytes=sum(sizes.values()),
        secret=secrets.fingerprint,
    )
    await asyncio.to_thread(_finish, place, manifest, set(sizes))
    return manifest


def files_below(folder: Path) -> Iterator[Path]:
    for at, _, names in os.walk(folder):
        yield from (Path(at) / name for name in names)


def copy_secret(source: Path | None, target: Path) -> None:
    """An older copy does not outlive the change to a setting."""
    if source is None:
        target.unlink(missing_ok=True)
        return
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(target, source.read_bytes())


def _write_rows(now: Transaction, place: Path) -> tuple[str, dict[str, int], datetime]:
    """Into a folder of their own, so that the rows of the last backup stay until this one is finished."""
    folder = place / f"tables-{new_id(now.time)}"
    folder.mkdir()
    counts = {}
    for table in Row.metadata.sorted_tables:
        # By key, which is by time: a row comes after the row of the same table that it points at.
        select = sa.select(table).order_by(*table.primary_key)
        found = now.connection.execution_options(yield_per=ROWS_AT_ONCE).execute(select)
        name, count = str(table.name), 0
        with gzip.open(folder / f"{name}.jsonl.gz", "wb", compresslevel=3) as file:
            for row in found.mappings():
                count += 1
                file.write(orjson.dumps({str(key): _plain(value) for key, value in row.items()}) + b"\n")
        counts[name] = count
    return folder.name, counts, now.time


def _plain(value: Any) -> Any:
    return b64encode(value).decode() if isinstance(value, bytes) else value


async def _copy_files(storage: Storage, folder: Path) -> dict[str, int]:
    """Everything that is stored now, by key and size; what is there already is left."""
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    sizes: dict[str, int] = {}

    async def copy(key: str, size: int) -> None:
        target = inside(folder, key)
        with suppress(ObjectMissing):  # deleted since it was listed
            if not await asyncio.to_thread(_is_there, target, size):
                async with storage.local_file(key) as file:
                    await asyncio.to_thread(_copy, file, target)
            sizes[key] = size

    async with asyncio.TaskGroup() as group:
        turns = asyncio.Semaphore(AT_ONCE)
        async for entry in storage.list():
            await turns.acquire()
            group.create_task(copy(entry.key, entry.size)).add_done_callback(lambda _: turns.release())
    return sizes


def _finish(place: Path, manifest: Manifest, keys: set[str]) -> None:
    """The new manifest is the moment at which this backup takes the place of the one before."""
    os.sync()
    _write(place / "manifest.json", orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2))
    for folder in place.glob("tables-*"):
        if folder.name != manifest.tables:
            shutil.rmtree(folder)
    files = place / "files"
    for file in list(files_below(files)):
        if file.relative_to(files).as_posix() not in keys:
            file.unlink()


def _is_there(target: Path, size: int) -> bool:
    return target.is_file() and target.stat().st_size == size


def _copy(file: Path, target: Path) -> None:
    """Under another name first: a copy that is cut short is never taken for one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f"{target.name}.part")
    shutil.copyfile(file, aside)
    aside.rename(target)


def _write(target: Path, data: bytes) -> None:
    aside = target.with_name(f".{target.name}.part")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as new:
        new.write(data)
        new.flush()
        os.fsync(new.fileno())
    aside.rename(target)
