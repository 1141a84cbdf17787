"""The house as a server of the Open Inference Protocol: is it there, what does a model take, and ask it.

Behind the same keys, credits and limits as every other road; only the two questions about health are open.
"""

from typing import Annotated, Any, Protocol

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

import retinue
from retinue.accounts.access import Identity, may
from retinue.base.database import Database, Transaction
from retinue.base.parts import part
from retinue.catalog.serving import Catalog, Serving
from retinue.catalog.tables import Version
from retinue.credits import idempotency
from retinue.credits.idempotency import IdempotencyKey
from retinue.predictions.desk import Desk, DeskPart
from retinue.predictions.receiving import declared_bytes
from retinue.protocol import inferring, wire
from retinue.protocol.answering import InferResponse
from retinue.protocol.asking import InferRequest, header_bytes_of
from retinue.protocol.inferring import Sent
from retinue.vision.engine import Engine
from retinue.vision.tensors import Spec

routes = APIRouter(prefix="/v2", tags=["protocol"])
EXTENSIONS = ["binary_tensor_data", "model_repository", "statistics"]
PLATFORM = "onnx_onnxv1"
LARGEST_BODY = 64 << 20  # as web/bodies.py lets it in
JSON_SWELLS = 8  # "0.5," is four bytes of JSON and a float of 24 bytes behind a pointer of 8

Asker = Annotated[Identity, may("predict")]
Db = Annotated[Database, part(Database)]
CatalogPart = Annotated[Catalog, part(Catalog)]
Eye = Annotated[Engine, part(Engine)]


class Readiness(Protocol):
    """What the house knows of itself."""

    async def is_ready(self) -> bool: ...


class Live(BaseModel):
    live: bool


class Ready(BaseModel):
    ready: bool
    live: bool


class ServerMetadata(BaseModel):
    name: str
    version: str
    extensions: list[str]


class TensorTold(BaseModel):
    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorTold]
    outputs: list[TensorTold]


class ModelReady(BaseModel):
    name: str
    ready: bool


@routes.get("/health/live")
async def is_server_live() -> Live:
    """Restart me if this does not answer."""
    return Live(live=True)


@routes.get("/health/ready")
async def is_server_ready(response: Response, house: Annotated[Readiness, part(Readiness)]) -> Ready:
    """Send me traffic only while this is 200."""
    is_ready = await house.is_ready()
    response.status_code = 200 if is_ready else 503
    return Ready(ready=is_ready, live=True)


@routes.get("", include_in_schema=False)
@routes.get("/")
async def get_server_metadata(_: Asker) -> ServerMetadata:
    return ServerMetadata(name="retinue", version=retinue.__version__, extensions=EXTENSIONS)


@routes.get("/models/{name}")
async def get_model_metadata(name: str, db: Db, catalog: CatalogPart, eye: Eye, _: Asker) -> ModelMetadata:
    """The tensors of the model's published ONNX file, which are those that /infer takes and gives."""
    return await _metadata(db, eye, await catalog.serving(name))


@routes.get("/models/{name}/versions/{version}")
async def get_version_metadata(
    name: str, version: str, db: Db, catalog: CatalogPart, eye: Eye, _: Asker
) -> ModelMetadata:
    return await _metadata(db, eye, await catalog.serving(name, version))


@routes.get("/models/{name}/ready")
async def is_model_ready(name: str, catalog: CatalogPart, _: Asker) -> ModelReady:
    """200 where it can be asked; it need not be loaded, the first who asks waits for that."""
    await catalog.serving(name)
    return ModelReady(name=name, ready=True)


@routes.get("/models/{name}/versions/{version}/ready")
async def is_version_ready(name: str, version: str, catalog: CatalogPart, _: Asker) -> ModelReady:
    await catalog.serving(name, version)
    return ModelReady(name=name, ready=True)


_LENGTH = {
    "name": wire.HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "integer", "minimum": 0},
    "description": "How many bytes of the body are JSON, where the bytes of tensors follow it.",
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_INFER: dict[str, Any] = {
    "parameters": [_LENGTH],
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": InferRequest.model_json_schema()}, wire.BINARY: _BINARY},
    },
}
_ANSWER: dict[int | str, dict[str, Any]] = {200: {"model": InferResponse, "content": {wire.BINARY: _BINARY}}}


@routes.post("/models/{name}/infer", responses=_ANSWER, openapi_extra=_INFER)
async def infer_with_model(name: str, request: Request, desk: DeskPart, caller: Asker, key: IdempotencyKey) -> Response:
    """Arrays, or encoded pictures as BYTES, through the model's graph; each element of the batch costs a prediction."""
    return await _infer(request, desk, caller, key, name, None)


@routes.post("/models/{name}/versions/{version}/infer", responses=_ANSWER, openapi_extra=_INFER)
async def infer_with_version(
    name: str, version: str, request: Request, desk: DeskPart, caller: Asker, key: IdempotencyKey
) -> Response:
    return await _infer(request, desk, caller, key, name, version)


async def _infer(
    request: Request, desk: Desk, caller: Identity, key: str | None, name: str, version: str | None
) -> Response:
    header_bytes = header_bytes_of(request.headers)
    declared = declared_bytes(request, at_most=LARGEST_BODY)
    as_json = declared if header_bytes is None else min(header_bytes, declared)
    with desk.memory.room_for(declared + as_json * JSON_SWELLS, caller.user_id):
        sent = Sent(name, version, await request.body(), header_bytes)
        once = None
        if key is not None:
            once = idempotency.once(request, key, await inferring.fingerprint(sent))
        return (await inferring.infer(desk.road, sent, caller, once=once)).response()


async def _metadata(db: Database, eye: Engine, serving: Serving) -> ModelMetadata:
    signature = await eye.signature(serving.package)
    versions = await db.read(lambda now: _versions_of(now, serving.model.id))
    return ModelMetadata(
        name=serving.model.name,
        versions=versions,
        platform=PLATFORM,
        inputs=[_told(spec) for spec in signature.inputs],
        outputs=[_told(spec) for spec in signature.outputs],
    )


def _versions_of(now: Transaction, model_id: str) -> list[str]:
    """Those that may be asked for."""
    own = sa.select(Version).where(Version.model_id == model_id).order_by(Version.number)
    return [version.label for version in now.all(own) if version.can_serve()]


def _told(spec: Spec) -> TensorTold:
    return TensorTold(name=spec.name, datatype=wire.datatype_of(spec.dtype), shape=list(spec.shape))
