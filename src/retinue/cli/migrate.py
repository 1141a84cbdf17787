"""`retinue migrate`: bring the database to the present schema."""

from retinue.base import migrating
from retinue.base.database import Database
from retinue.base.settings import read_settings


def migrate(*, to: str = "head") -> int:
    """Bring the database to the present schema, or to the given step (also backwards)."""
    settings = read_settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database)
    try:
        if to == "head":
            migrating.upgrade(database)
        else:
            migrating.move(database, to)
        print(migrating.revision_of(database) or "empty")
    finally:
        database.close()
    return 0
