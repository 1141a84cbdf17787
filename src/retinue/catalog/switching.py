"""How another version takes over while people ask: loaded and warm first, then one guarded step, then remembered."""

from collections.abc import Mapping
from typing import Any

from retinue.base.database import Database, Transaction
from retinue.catalog import versions
from retinue.catalog.serving import Catalog, model_named, version_numbered
from retinue.catalog.versions import SwitchedMeanwhile
from retinue.vision.engine import Engine


async def switch_to(
    database: Database,
    catalog: Catalog,
    eye: Engine,
    name: str,
    number: str,
    *,
    by: str,
    reason: str,
    facts: Mapping[str, Any],
    instead_of: str | None = None,
) -> None:
    """`instead_of`: the version this was decided against; refused where another one is active by now."""
    incoming = await catalog.serving(name, number)
    await eye.load(incoming.package)

    def switch(now: Transaction) -> None:
        model = model_named(now, name)
        if instead_of not in (None, model.active_version_id):
            raise SwitchedMeanwhile()
        versions.activate(now, model, version_numbered(now, model, number), by=by, reason=reason, facts=facts)

    await database.write(switch)
    catalog.forget(name)
