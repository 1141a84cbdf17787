"""Brings a database to the present schema, once, whoever starts first."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

import retinue
from retinue.base.database import Database
from retinue.base.errors import Conflict, Invalid

if TYPE_CHECKING:
    from alembic.config import Config

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
            from alembic import command  # a start at the present schema does without: 0.15 s and 9 MiB

            command.upgrade(_config(connection), revision)


def downgrade(database: Database, revision: str) -> None:
    with database.alone() as connection:
        from alembic import command

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
    return next(iter(_known()), None)


@cache
def _known() -> list[str]:
    """The newest first: a step is named as its file, and each builds on the one before."""
    return sorted((file.stem for file in (FOLDER / "versions").glob("[0-9]*.py")), reverse=True)


def _revision_at(connection: sa.Connection) -> str | None:
    """As alembic keeps it."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return revision


def _lock(connection: sa.Connection) -> None:
    """On SQLite the transaction began with BEGIN IMMEDIATE, which is the lock."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


def _config(connection: sa.Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    return config
