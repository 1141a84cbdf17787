"""Whether the house lives, is ready, and how each of its parts is."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

import retinue
from retinue.base.database import Database
from retinue.base.errors import Forbidden
from retinue.base.observe import Metrics
from retinue.base.parts import part
from retinue.base.settings import Settings
from retinue.vision.engine import Engine

routes = APIRouter(tags=["system"])
PATIENCE_S = 2.0
FRESH_S = 1.0

Check = Callable[[], Awaitable[Any]]


@dataclass
class Health:
    """The checks of each part; a part without a check of its own is not listed."""

    checks: dict[str, Check] = field(default_factory=dict)
    needed: frozenset[str] = frozenset({"database", "storage"})
    draining: bool = False
    when_draining: list[Callable[[], None]] = field(default_factory=list)
    _seen_at: float = float("-inf")
    _seen: dict[str, str] = field(default_factory=dict)

    def drain(self) -> None:
        """No new traffic from here on; what would stay open for ever is told to end."""
        self.draining = True
        for tell in self.when_draining:
            tell()

    async def parts(self) -> dict[str, str]:
        """Asked at most once a second, however many probes come."""
        if time.monotonic() - self._seen_at > FRESH_S:
            states = await asyncio.gather(*(_state(check) for check in self.checks.values()))
            self._seen = dict(zip(self.checks, states, strict=True))
            self._seen_at = time.monotonic()
        return self._seen

    async def is_ready(self) -> bool:
        if self.draining:
            return False
        parts = await self.parts()
        return all(parts.get(name) == "ok" for name in self.needed)


def database_check(database: Database) -> Check:
    async def check() -> None:
        await database.read(lambda now: now.execute(sa.text("SELECT 1")))

    return check


HealthPart = Annotated[Health, part(Health)]


@routes.get("/health")
async def health(response: Response, house: HealthPart) -> dict[str, str]:
    """Each part of the house by name: `ok`, or `unavailable`."""
    ready = await house.is_ready()
    response.status_code = 200 if ready else 503
    state = "draining" if house.draining else "ok" if ready else "unavailable"
    return {"status": state, **(await house.parts()), "version": retinue.__version__}


@routes.get("/health/live")
async def health_live() -> dict[str, str]:
    """Restart me if this does not answer."""
    return {"status": "ok"}


@routes.get("/health/ready")
async def health_ready(response: Response, house: HealthPart) -> dict[str, str]:
    """Send me traffic only while this is 200."""
    is_ready = await house.is_ready()
    response.status_code = 200 if is_ready else 503
    return {"status": "ok" if is_ready else "unavailable"}


@routes.get("/metrics", response_class=Response)
async def metrics(
    request: Request,
    kept: Annotated[Metrics, part(Metrics)],
    settings: Annotated[Settings, part(Settings)],
    eye: Annotated[Engine, part(Engine)],
) -> Response:
    """Prometheus metrics: open to this machine, to others with the token of `RETINUE_METRICS_TOKEN`."""
    token = settings.metrics_token.get_secret_value() if settings.metrics_token else None
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not (token and secrets.compare_digest(given.encode(), token.encode())) and not _is_loopback(request):
        raise Forbidden("Metrics are open to this machine only, or with the metrics token")
    for model in eye.state()["models"]:
        kept.queue_depth.labels(model["name"]).set(model["waiting"])
    # in a thread: some numbers are read from the database
    told = await asyncio.to_thread(generate_latest, kept.registry)
    return Response(told, media_type=CONTENT_TYPE_LATEST)


def _is_loopback(request: Request) -> bool:
    return request.client is not None and ip_address(request.client.host).is_loopback


async def _state(check: Check) -> str:
    try:
        async with asyncio.timeout(PATIENCE_S):
            await check()
    except Exception:  # noqa: BLE001 whatever it was, the answer of a health check is a word
        return "unavailable"
    return "ok"
