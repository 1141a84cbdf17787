"""The playground: one picture, one model, the answer at once; and the models there are."""

from starlette.responses import Response

from retinue.base.database import Database
from retinue.base.settings import Settings
from retinue.catalog import routes as catalog_routes
from retinue.catalog.shapes import ModelShown
from retinue.credits.prices import Prices
from retinue.predictions import history
from retinue.predictions.history import Filters
from retinue.vision.engine import Engine
from retinue.web.pages.visiting import SignedIn, Visit, first, page_routes
from retinue.web.pages.wording import text

pages = page_routes()
EXAMPLES = (
    ("coffee.jpg", text("Coffee"), "efficientnet-lite0"),
    ("chelsea.jpg", text("Cat"), "efficientnet-lite0"),
    ("toolkit.jpg", text("Tools"), "toolbox"),
)
RECENT = 6


@pages.get("/")
async def show_playground(visit: SignedIn, model: str = "") -> Response:
    models = [one for one in await models_of(visit) if one.enabled and one.active_version and one.task != "inpaint"]
    names = {one.name for one in models}
    chosen = model if model in names else visit[Settings].default_model
    lately = await visit[Database].read(
        lambda now: history.list_predictions(now, Filters(visit.identity.user_id), first(RECENT), page=None)
    )
    facts = [one.model_dump(mode="json", include={"name", "task", "price", "active_version"}) for one in models]
    return await visit.show(
        "playground.html", models=facts, chosen=chosen, examples=EXAMPLES, recent=lately.predictions
    )


@pages.get("/models")
async def show_models(visit: SignedIn) -> Response:
    return await visit.show("models.html", models=await models_of(visit))


async def models_of(visit: Visit) -> list[ModelShown]:
    found = await catalog_routes.list_models(visit[Database], visit[Engine], visit[Prices], visit.identity, first(200))
    return found.items
