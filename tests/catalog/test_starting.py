"""Several nodes of one house may start at the same time, the first time too."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import sqlalchemy as sa

from retinue.base.database import Database
from retinue.base.settings import Settings
from retinue.base.storage import open_storage
from retinue.catalog import publishing
from retinue.catalog.shelf import Shelf
from retinue.catalog.tables import Model, Version

NODES = 4


def test_first_starts_at_once_put_each_built_in_model_in_once(settings: Settings) -> None:
    shelf = Shelf(settings.data_dir / "models", open_storage(settings.storage))
    databases = [Database(settings.database) for _ in range(NODES)]
    together = Barrier(NODES)

    def start(database: Database) -> None:
        assert database.read_now(lambda now: now.value(sa.select(Model.id))) is None  # connected
        together.wait()
        publishing.put_in_builtin(database, shelf)

    try:
        with ThreadPoolExecutor(NODES) as nodes:
            list(nodes.map(start, databases))
        models = databases[0].read_now(lambda now: now.all(sa.select(Model)))
        versions = databases[0].read_now(lambda now: now.all(sa.select(Version)))
    finally:
        for database in databases:
            database.close()
    assert models
    assert {model.active_version_id for model in models} == {version.id for version in versions}
    assert len(versions) == len(models)
