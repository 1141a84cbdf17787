"""A worker's eye for the other nodes: networks run, and nothing else. Who asks has been paid for where they came in."""

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, Request, Response

from retinue.base.parts import part
from retinue.catalog.serving import Catalog
from retinue.predictions.memory import PictureMemory
from retinue.predictions.paying import DEADLINE_S
from retinue.predictions.receiving import declared_bytes
from retinue.protocol import asking
from retinue.protocol.answering import body_of
from retinue.protocol.routes import LARGEST_BODY, Live, ModelReady
from retinue.vision.engine import Engine

routes = APIRouter(prefix="/v2")
CatalogPart = Annotated[Catalog, part(Catalog)]
Eye = Annotated[Engine, part(Engine)]


@routes.get("/health/live")
@routes.get("/health/ready")
async def is_eye_there() -> Live:
    return Live(live=True)


@routes.get("/models/{name}/versions/{key}/ready")
async def is_package_ready(name: str, key: str, catalog: CatalogPart) -> ModelReady:
    await catalog.serving(name, key)
    return ModelReady(name=name, ready=True)


@routes.post("/models/{name}/versions/{key}/infer")
async def infer_with_package(
    name: str,
    key: str,
    request: Request,
    catalog: CatalogPart,
    eye: Eye,
    memory: Annotated[PictureMemory, part(PictureMemory)],
) -> Response:
    """The version is named by its package's key: other nodes ask it before it is active."""
    header_bytes = asking.header_bytes_of(request.headers)
    with memory.room_for(declared_bytes(request, at_most=LARGEST_BODY)):
        serving = await catalog.serving(name, key)
        signature = await eye.signature(serving.package)
        asked = asking.read(await request.body(), header_bytes, signature)
        outputs = [one.name for one in asked.outputs]
        deadline = time.monotonic() + min(asked.deadline_s or DEADLINE_S, DEADLINE_S)
        inferred = await eye.infer(serving.package, asked.given, outputs, deadline=deadline)
        return (await asyncio.to_thread(body_of, asked, serving, inferred.outputs)).response()
