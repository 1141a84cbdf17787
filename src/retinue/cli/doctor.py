"""`retinue doctor`: whether everything the server needs is as it should be, one line per part, with what to do."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
import sqlalchemy as sa

from retinue.assembly import LEDGER_CHECKS
from retinue.base import migrating
from retinue.base.database import Database
from retinue.base.errors import RetinueError
from retinue.base.settings import Settings, read_settings
from retinue.base.storage import open_storage
from retinue.cli.showing import Json
from retinue.credits.verifying import verify

MIN_FREE_BYTES = 1 << 30


class Problem(Exception):
    """A sentence for the person at the console."""


@dataclass(frozen=True, slots=True)
class Finding:
    part: str
    ok: bool
    words: str


def doctor(*, as_json: Json = False) -> int:
    """Check settings, database, schema, storage and ledger. Exit code 1 when one of them has a problem."""
    findings = examine()
    if as_json:
        print(orjson.dumps([asdict(one) for one in findings]).decode())
    else:
        for one in findings:
            print(f"{'ok     ' if one.ok else 'problem'}  {one.part:<9} {one.words}")
    return 0 if all(one.ok for one in findings) else 1


def examine() -> list[Finding]:
    try:
        settings = read_settings()
    except RetinueError as wrong:
        return [Finding("settings", False, wrong.detail)]
    findings = [Finding("settings", True, f"read; the data folder is {settings.data_dir.absolute()}")]
    if settings.database.startswith("sqlite") and not _is_there(settings):
        return [*findings, Finding("database", True, "not made yet: the first `retinue up` or `retinue migrate` does")]
    database = Database(settings.database)
    try:
        findings += [
            _found("database", lambda: _database(database)),
            _found("schema", lambda: _schema(database)),
            _found("storage", lambda: _storage(settings)),
        ]
        if all(one.ok for one in findings):
            findings.append(_found("ledger", lambda: _ledger(database)))
    finally:
        database.close()
    return findings


def _found(part: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(part, True, look())
    except (Problem, RetinueError) as problem:
        return Finding(part, False, str(problem))


def _is_there(settings: Settings) -> bool:
    return Path(sa.make_url(settings.database).database or "").exists()


def _database(database: Database) -> str:
    database.read_now(lambda now: now.execute(sa.text("SELECT 1")))
    return f"{database.url.get_backend_name()} answers"


def _schema(database: Database) -> str:
    at, newest = migrating.revision_of(database), migrating.head()
    if at != newest:
        raise Problem(f"is at {at or 'nothing'}, this version needs {newest}: run `retinue migrate`")
    return f"is at {at}"


def _storage(settings: Settings) -> str:
    storage = open_storage(settings.storage)

    async def look() -> int | None:
        await storage.check()
        return await storage.room()

    free = asyncio.run(look())
    if free is not None and free < MIN_FREE_BYTES:
        raise Problem(f"has only {free >> 20} MiB left")
    return "answers" if free is None else f"answers, {free >> 30} GiB free"


def _ledger(database: Database) -> str:
    found = database.read_now(lambda now: verify(now, more=LEDGER_CHECKS.more))
    if found:
        first = found[0]
        raise Problem(f"{len(found)} violations, the first: {first.rule} {first.about}: {first.words}")
    return "every hundredth is where it should be"
