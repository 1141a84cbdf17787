"""Brings a database to the present schema, once, whoever starts first."""

from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

import retinue
from retinue.base.database import Database
from retinue.base.errors import Conflict, Invalid

FOLDER = Path(retinue.__file__).parent / "migrations"
LOCK = 5_248_301  # any number, the same on every node


class NewerSchema(Conflict):
    code = "newer-schema"
    title = "The database belongs to a newer version of Retinue"


def upgrade(database: Database, revision: str = "head") -> None:
    """All steps in one transaction: a process killed half-way leaves the schema as it was for the next start."""
    with database.alone() as connection:
        _lock(connection)
        at = _revision_at(connection)
        if at is not None and at not in _known():
            raise NewerSchema(f"It is at {at}, which this version does not know: install the version that made it")
        if revision != "head" or at != head():
            command.upgrade(_config(connection), revision)


def downgrade(database: Database, revision: str) -> None:
    with database.alone() as connection:
        _lock(connection)
        command.downgrade(_config(connection), revision)


def move(database: Database, revision: str) -> None:
    """To that step, forwards or backwards."""
    steps = _known()
    if revision != "base" and revision not in steps:
        raise Invalid(f"There is no step {revision}; there are: {', '.join(reversed(steps))}")
    at = revision_of(database)
    is_back = at is not None and (revision == "base" or steps.index(revision) > steps.index(at))
    (downgrade if is_back else upgrade)(database, revision)


def is_current(database: Database) -> bool:
    return revision_of(database) == head()


def revision_of(database: Database) -> str | None:
    return database.read_now(lambda now: _revision_at(now.connection))


def head() -> str | None:
    return _steps(FOLDER).get_current_head()


def _known() -> list[str]:
    """The newest first."""
    return [step.revision for step in _steps(FOLDER).walk_revisions()]


@cache
def _steps(folder: Path) -> ScriptDirectory:
    """Read once: all the files of all the steps, which took a third of opening a house in the tests."""
    return ScriptDirectory(str(folder))


def _revision_at(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _lock(connection: sa.Connection) -> None:
    """On SQLite the transaction began with BEGIN IMMEDIATE, which is the lock."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    return config
