"""The mask painter: what shall go away is painted over, and a model fills it in."""

from starlette.responses import Response

from retinue.web.pages.playground import models_of
from retinue.web.pages.visiting import SignedIn, page_routes

pages = page_routes()


@pages.get("/inpaint")
async def show_painter(visit: SignedIn, model: str = "") -> Response:
    models = [one for one in await models_of(visit) if one.enabled and one.active_version and one.task == "inpaint"]
    return await visit.show("painter.html", models=models, chosen=model)
