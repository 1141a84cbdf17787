"""A server of the protocol that is none of ours: it knows models by their names alone, and answers in JSON."""

from collections.abc import Mapping

import numpy as np
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from retinue.vision.engine import Engine
from retinue.vision.package import Package
from tests.protocol.speaking import HEADER


def foreign_server(eye: Engine, packages: Mapping[str, Package], *, reads_bytes: bool = False) -> Starlette:
    async def metadata(_request: Request) -> Response:
        return JSONResponse({"name": "foreign", "extensions": ["binary_tensor_data"] if reads_bytes else []})

    async def infer(request: Request) -> Response:
        body = await request.body()
        assert (HEADER in request.headers) is reads_bytes
        head = int(request.headers.get(HEADER, len(body)))
        (told,) = orjson.loads(body[:head])["inputs"]
        flat = np.frombuffer(body[head:], np.float32) if reads_bytes else np.array(told["data"], np.float32)
        inferred = await eye.infer(packages[request.path_params["name"]], {told["name"]: flat.reshape(told["shape"])})
        outputs = [
            {"name": name, "datatype": "FP32", "shape": list(array.shape), "data": array.ravel().tolist()}
            for name, array in inferred.outputs.items()
        ]
        return JSONResponse({"model_name": request.path_params["name"], "outputs": outputs})

    return Starlette(routes=[Route("/v2", metadata), Route("/v2/models/{name}/infer", infer, methods=["POST"])])
