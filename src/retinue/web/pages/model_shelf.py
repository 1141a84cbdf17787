"""The models as admins see them: what the trial saw, which version answers, what it costs, and adding another."""

from starlette.responses import Response

from retinue.base.database import Database
from retinue.catalog import routes as catalog_routes
from retinue.credits.prices import Prices
from retinue.vision.engine import Engine
from retinue.web.pages.playground import models_of
from retinue.web.pages.visiting import AsAdmin, page_routes

pages = page_routes()


@pages.get("/admin/models")
async def show_shelf(visit: AsAdmin) -> Response:
    return await visit.show("admin_models.html", models=await models_of(visit), adding_to=None)


@pages.get("/admin/models/{name}")
async def show_model(visit: AsAdmin, name: str) -> Response:
    model = await catalog_routes.get_model(name, visit[Database], visit[Engine], visit[Prices], visit.identity)
    active = int(model.active_version) if model.active_version else None
    return await visit.show("admin_model.html", model=model, active_number=active, adding_to=model.name)
