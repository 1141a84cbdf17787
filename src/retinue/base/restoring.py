"""From the folder of a backup into an empty house: files first, then all rows and the secret, or none of them."""

import asyncio
import gzip
from base64 import b64decode
from collections.abc import Coroutine, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from retinue.base import migrating
from retinue.base.backing_up import AT_ONCE, FORMAT, ROWS_AT_ONCE, Manifest, copy_secret, files_below
from retinue.base.database import Database
from retinue.base.errors import Conflict, Invalid
from retinue.base.paths import inside
from retinue.base.secrets import FILE as SECRET
from retinue.base.secrets import Secrets
from retinue.base.storage import Storage
from retinue.base.tables import Instant, Row


class NotABackup(Invalid):
    code = "not-a-backup"
    title = "This folder holds no finished backup"


class BackupOfAnotherVersion(Conflict):
    code = "backup-of-another-version"
    title = "This backup was made with another version of Retinue"


class BackupOfAnotherSecret(Conflict):
    code = "backup-of-another-secret"
    title = "This backup was made under another secret key"


class NotEmpty(Conflict):
    code = "database-not-empty"
    title = "A backup is restored into an empty database only"


async def restore(
    database: Database, storage: Storage, *, given_secret: str | None, data_dir: Path, source: Path
) -> Manifest:
    """Cut short, it leaves an empty database and may be run again. No server may run on this database meanwhile."""
    place = await asyncio.to_thread(source.resolve)
    manifest = read_manifest(place)
    _must_fit(manifest, place, given_secret)
    migrating.upgrade(database)
    with database.alone() as connection:
        _must_be_empty(connection)
    await _copy_files(storage, place / "files")
    with database.alone() as connection:
        _must_be_empty(connection)
        for table in Row.metadata.sorted_tables:
            count = _read_rows(connection, table, place / manifest.tables / f"{table.name}.jsonl.gz")
            if count != manifest.rows[table.name]:
                raise NotABackup(f"{table.name} has {count} rows where the manifest says {manifest.rows[table.name]}")
        if given_secret is None:
            copy_secret(place / SECRET, data_dir / SECRET)
    return manifest


def read_manifest(place: Path) -> Manifest:
    try:
        told = orjson.loads((place / "manifest.json").read_bytes())
        manifest = Manifest(**told)
        inside(place, manifest.tables)
    except (OSError, orjson.JSONDecodeError, TypeError) as wrong:
        raise NotABackup(f"{place} has no readable manifest.json") from wrong
    if manifest.format != FORMAT:
        raise NotABackup(f"Its format is {manifest.format}; this version reads {FORMAT}")
    return manifest


def _must_fit(manifest: Manifest, place: Path, given_secret: str | None) -> None:
    if manifest.revision != migrating.head():
        raise BackupOfAnotherVersion(
            f"It was made with Retinue {manifest.version} (schema {manifest.revision}): restore it with that version, "
            "then install this one, which brings the schema up by itself"
        )
    secret = given_secret
    if secret is None and (place / SECRET).exists():
        secret = (place / SECRET).read_text()
    if secret is None or Secrets(secret).fingerprint != manifest.secret:
        raise BackupOfAnotherSecret(
            "Keys, links and webhooks were signed with it: set RETINUE_SECRET_KEY to what it was then, or to what the "
            "backup's secret.key holds"
        )


def _must_be_empty(connection: sa.Connection) -> None:
    for table in Row.metadata.sorted_tables:
        if connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() is not None:
            raise NotEmpty(f"The table {table.name} has rows already")


async def _copy_files(storage: Storage, folder: Path) -> None:
    async with asyncio.TaskGroup() as group:
        turns = asyncio.Semaphore(AT_ONCE)
        for file in files_below(folder):
            await turns.acquire()
            putting = storage.put_file(file.relative_to(folder).as_posix(), file)
            group.create_task(_finished(putting)).add_done_callback(lambda _: turns.release())


async def _finished(work: Coroutine[Any, Any, Any]) -> None:
    await work


def _read_rows(connection: sa.Connection, table: sa.Table, file: Path) -> int:
    # A column that knows no value must stay NULL, not become the JSON word null.
    binds = {
        column.name: sa.bindparam(column.name, type_=sa.JSON(none_as_null=True))
        for column in table.columns
        if isinstance(column.type, sa.JSON)
    }
    inserting = sa.insert(table).values(binds) if binds else sa.insert(table)
    count = 0
    with gzip.open(file, "rb") as lines:
        while rows := [_typed(table, orjson.loads(line)) for line in islice(lines, ROWS_AT_ONCE)]:
            connection.execute(inserting, rows)
            count += len(rows)
    return count


def _typed(table: sa.Table, told: Mapping[str, Any]) -> dict[str, Any]:
    row = dict(told)
    for column in table.columns:
        value = row[column.name]
        if value is None:
            continue
        if isinstance(column.type, Instant):
            row[column.name] = datetime.fromisoformat(value)
        elif isinstance(column.type, sa.LargeBinary):
            row[column.name] = b64decode(value)
    return row
