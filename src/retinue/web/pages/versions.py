"""The versions of a model side by side: traffic, times, how often people found each right, and which one answers."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from retinue.base.database import Database, Transaction
from retinue.base.settings import Settings
from retinue.catalog import routes as catalog_routes
from retinue.catalog.serving import model_named, version_numbered
from retinue.catalog.shapes import ModelWhole
from retinue.catalog.tables import Model, Version
from retinue.catalog.versions import version_before
from retinue.credits.prices import Prices
from retinue.feedback import version_routes
from retinue.feedback.accuracy import Accuracy, accuracy_of
from retinue.predictions.measuring import stats_of
from retinue.vision.engine import Engine
from retinue.web.pages.lately import Lately
from retinue.web.pages.visiting import AsAdmin, Visit, page_routes

pages = page_routes()
Number = Annotated[str, Query(max_length=20)]
MOST_MEASURED = 12  # the newest ones; each costs a walk over a week of its answers


@pages.get("/admin/models/{name}/versions")
async def show_versions(visit: AsAdmin, name: str, a: Number = "", b: Number = "") -> Response:
    db = visit[Database]
    model = await catalog_routes.get_model(name, db, visit[Engine], visit[Prices], visit.identity)
    measured = sorted(model.versions, key=lambda one: int(one.version), reverse=True)[:MOST_MEASURED]
    stats = [await _stats_of(visit, name, one.version) for one in measured]
    a, b = a or model.active_version or "", b or _rival_of(model)
    compared = await version_routes.compare_versions(name, db, visit.identity, a=a, b=b) if a and b and a != b else None
    return await visit.show(
        "admin_versions.html",
        model=model,
        rows=list(zip(measured, stats, strict=True)),
        a=a,
        b=b,
        compared=compared,
        back_to=await db.read(lambda now: _before(now, model)),
        least=visit[Settings].promotion_pictures,
    )


async def _stats_of(visit: Visit, name: str, number: str) -> version_routes.JudgedStats:
    """Its traffic as of the last minute, its accuracy as of now."""
    db = visit[Database]

    def find(now: Transaction) -> tuple[Model, Version, Accuracy]:
        model = model_named(now, name)
        version = version_numbered(now, model, number)
        return model, version, accuracy_of(now, version.id)

    model, version, accuracy = await db.read(find)
    traffic = await visit[Lately].ask(
        ("traffic", version.id), lambda: db.read(lambda now: stats_of(now, model, version))
    )
    return version_routes.judged(traffic, accuracy)


def _rival_of(model: ModelWhole) -> str:
    """The newest one that could answer instead."""
    others = [one.version for one in model.versions if one.state == "ready"]
    return max(others, key=int, default="")


def _before(now: Transaction, shown: ModelWhole) -> str | None:
    """The number of the version that a roll-back leads to."""
    if shown.active_version is None:
        return None
    before = version_before(now, version_numbered(now, model_named(now, shown.name), shown.active_version))
    return before.label if before else None
