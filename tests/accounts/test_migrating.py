"""A start that is killed while it changes the schema leaves a database that the next start completes."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from retinue import assembly  # noqa: F401 so that every room's tables are known
from retinue.accounts import people
from retinue.accounts.people import Newcomer
from retinue.base import migrating
from retinue.base.database import Database, Transaction
from retinue.base.tables import Row
from tests.servers.postgres import Postgres

CHECKOUT = Path(__file__).parents[2]
OURS = {"users", "sessions", "refresh_tokens", "api_keys", "audit"}
KILLED_WHILE_MIGRATING = """
import os, signal, sys
import sqlalchemy as sa
from retinue.base import migrating
from retinue.base.database import Database

url, statements_before = sys.argv[1], int(sys.argv[2])
seen = 0

@sa.event.listens_for(sa.Engine, "after_cursor_execute")
def count(connection, cursor, statement, *rest):
    global seen
    seen += statement.lstrip().upper().startswith(("CREATE", "INSERT", "ALTER"))
    if seen > statements_before:
        os.kill(os.getpid(), signal.SIGKILL)

migrating.upgrade(Database(url))
"""


@pytest.fixture
def empty_database_url(database_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if database_url.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'empty.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


def differences(database: Database) -> list[object]:
    """Between this room's rows and its step."""

    def is_ours(_object: object, name: str | None, kind: str, *_rest: object) -> bool:
        return kind != "table" or name in OURS

    options = {"compare_type": True, "include_object": is_ours}
    return database.read_now(
        lambda now: compare_metadata(MigrationContext.configure(now.connection, opts=options), Row.metadata)
    )


def shape_of(database: Database) -> dict[str, tuple[list[str], list[str | None]]]:
    def look(now: Transaction) -> dict[str, tuple[list[str], list[str | None]]]:
        inspector = sa.inspect(now.connection)
        return {
            table: (
                [column["name"] for column in inspector.get_columns(table)],
                sorted(index["name"] or "" for index in inspector.get_indexes(table)),
            )
            for table in inspector.get_table_names()
        }

    return database.read_now(look)


def test_a_start_killed_at_any_step_is_completed_by_the_next(empty_database_url: str, database_url: str) -> None:
    for statements_before in (0, 4, 11):
        killed = subprocess.run(
            [sys.executable, "-c", KILLED_WHILE_MIGRATING, empty_database_url, str(statements_before)],
            cwd=CHECKOUT,
            capture_output=True,
            check=False,
        )
        assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    database = Database(empty_database_url)
    assert not migrating.is_current(database)
    migrating.upgrade(database)
    assert migrating.is_current(database)
    never_killed = Database(database_url)
    assert shape_of(database) == shape_of(never_killed)
    for one in (database, never_killed):
        one.close()


def test_people_survive_the_way_down_to_their_first_step_and_up_again(database_url: str) -> None:
    database = Database(database_url)
    user = database.write_now(lambda now: people.sign_up(now, Newcomer("ada@example.com", "hash")))
    migrating.downgrade(database, "0001_accounts")
    migrating.upgrade(database)
    assert database.read_now(lambda now: people.by_id(now, user.id)).email == "ada@example.com"
    assert differences(database) == []
    migrating.downgrade(database, "base")
    assert database.read_now(lambda now: set(sa.inspect(now.connection).get_table_names())) <= {"alembic_version"}
    database.close()


def test_two_that_start_at_once_change_it_once(postgres: Postgres) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with postgres.fresh_database() as url, ThreadPoolExecutor(4) as starts:
        databases = [Database(url) for _ in range(4)]
        list(starts.map(migrating.upgrade, databases))
        assert all(migrating.is_current(database) for database in databases)
        for database in databases:
            database.close()
