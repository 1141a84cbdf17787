"""How the house is: the state of each part, limits, prices, licences, and a text that helps whoever helps."""

import platform
from functools import cache
from importlib.metadata import Distribution, distributions

import orjson
from starlette.responses import Response

import retinue
from retinue.base.settings import Settings
from retinue.credits.prices import Prices
from retinue.web.health import Health
from retinue.web.info import get_info
from retinue.web.pages.visiting import SignedIn, page_routes
from retinue.web.pages.wording import text

pages = page_routes()
PRICES = {
    "inference_image": text("A picture a model looks at"),
    "inference_video_frame": text("A video frame a model looks at"),
    "image_upload": text("A picture uploaded to a dataset"),
    "zip_image": text("A picture of a ZIP"),
    "video_frame": text("A sampled frame of an uploaded video"),
    "cached": text("An answer that was known"),
}


@pages.get("/system")
async def show_system(visit: SignedIn) -> Response:
    info = await get_info(visit[Settings], visit[Prices])
    health = await visit[Health].parts()
    diagnostic = {
        "retinue": retinue.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "parts": health,
        "default_model": info.default_model,
        "registration": info.registration,
    }
    return await visit.show(
        "system.html",
        health=health,
        info=info,
        prices=[(words, getattr(visit[Prices], name)) for name, words in PRICES.items()],
        licences=licences(),
        diagnostic=orjson.dumps(diagnostic, option=orjson.OPT_INDENT_2).decode(),
    )


@cache
def licences() -> list[tuple[str, str, str]]:
    """What is installed beside us says so itself."""
    found = {one.name: (one.name, one.version, _licence(one)) for one in distributions() if one.name}
    return sorted(found.values(), key=lambda line: line[0].lower())


def _licence(package: Distribution) -> str:
    told = package.metadata.json
    if expression := told.get("license_expression"):
        return str(expression)
    classified = [
        str(line).rsplit(" :: ", 1)[1] for line in told.get("classifier", ()) if str(line).startswith("License :: ")
    ]
    first_line = str(told.get("license", "")).strip().splitlines()[:1]
    return ", ".join(classified) or (first_line[0][:60] if first_line else "see its files")
