"""What a client may want to know before it asks: version, limits, prices, features."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel

import retinue
from retinue.base.parts import part
from retinue.base.settings import Settings
from retinue.credits.prices import Prices
from retinue.predictions.batch import MOST_PICTURES
from retinue.predictions.paying import DEADLINE_S
from retinue.vision.images import Limits

routes = APIRouter(prefix="/api/v1", tags=["system"])

FEATURES = [
    *("predict", "batch", "zip", "explain", "inpaint", "idempotency", "history", "replay"),
    *("datasets", "uploads", "jobs", "webhooks", "toolkits", "feedback", "shadow", "open-inference-protocol"),
]


class LimitsShown(BaseModel):
    picture_bytes: int
    picture_pixels: int
    picture_side: int
    pictures_per_request: int
    deadline_s: float
    requests_per_minute: int
    requests_at_once: int


class Info(BaseModel):
    version: str
    default_model: str
    registration: str
    limits: LimitsShown
    prices: dict[str, float]
    features: list[str]


@routes.get("/info")
async def get_info(settings: Annotated[Settings, part(Settings)], prices: Annotated[Prices, part(Prices)]) -> Info:
    """Version, limits, prices and features of this server; open to everybody."""
    pictures = Limits()
    return Info(
        version=retinue.__version__,
        default_model=settings.default_model,
        registration=settings.registration,
        limits=LimitsShown(
            picture_bytes=pictures.max_bytes,
            picture_pixels=pictures.max_pixels,
            picture_side=pictures.max_side,
            pictures_per_request=MOST_PICTURES,
            deadline_s=DEADLINE_S,
            requests_per_minute=settings.rate_limit,
            requests_at_once=settings.concurrent_requests,
        ),
        prices=prices.shown(),
        features=FEATURES,
    )
