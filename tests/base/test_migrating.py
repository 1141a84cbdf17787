"""The schema's history: one head, the same tables as the code, forwards and backwards with data."""

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from retinue import assembly
from retinue.base import migrating
from retinue.base.database import Database
from retinue.base.errors import Invalid
from retinue.base.tables import Row
from retinue.credits.verifying import verify
from tests.accounts.people import Person
from tests.pictures import drawn
from tests.predictions.asking import predict


def test_there_is_one_road_and_its_steps_are_named_as_their_files() -> None:
    steps = ScriptDirectory(str(migrating.FOLDER))
    assert steps.get_heads() == [migrating.head()]
    assert [step.revision for step in steps.walk_revisions()] == migrating._known()


def test_a_start_at_the_present_schema_and_without_redis_does_without_their_clients(tmp_path: Path) -> None:
    migrating.upgrade(Database(f"sqlite:///{tmp_path}/house.db"))
    script = (
        "import sys\n"
        "import retinue.assembly\n"
        "from retinue.base import migrating\n"
        "from retinue.base.database import Database\n"
        f"migrating.upgrade(Database('sqlite:///{tmp_path}/house.db'))\n"
        "assert not {'alembic', 'redis'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_steps_make_what_the_code_describes(database: Database) -> None:
    with database.alone() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        differences = compare_metadata(context, Row.metadata)
    assert differences == []


def test_a_newer_schema_is_left_alone(database: Database) -> None:
    database.write_now(lambda now: now.execute(sa.text("UPDATE alembic_version SET version_num = '9999_tomorrow'")))
    with pytest.raises(migrating.NewerSchema, match="9999_tomorrow"):
        migrating.upgrade(database)


def test_every_step_can_be_undone(database_url: str) -> None:
    database = Database(database_url)
    migrating.downgrade(database, "base")
    with database.alone() as connection:
        assert set(sa.inspect(connection).get_table_names()) <= {"alembic_version"}
    migrating.upgrade(database)
    assert migrating.is_current(database)
    database.close()


async def test_data_survives_a_step_back_and_forth(house: assembly.House, ada: Person) -> None:
    await predict(ada, drawn(1))
    steps = [step.revision for step in ScriptDirectory(str(migrating.FOLDER)).walk_revisions()]
    migrating.move(house.database, steps[1])
    migrating.move(house.database, steps[0])
    assert house.database.read_now(verify) == []


def test_starting_again_changes_nothing(database: Database) -> None:
    before = migrating.revision_of(database)
    migrating.upgrade(database)
    assert migrating.revision_of(database) == before


def test_an_unknown_step_is_refused(database: Database) -> None:
    with pytest.raises(Invalid, match="no step"):
        migrating.move(database, "nowhere")


def test_the_steps_come_with_the_package() -> None:
    assert (Path(migrating.FOLDER) / "env.py").is_file()
