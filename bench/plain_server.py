"""What one writes by hand in an afternoon: an endpoint that decodes, runs the network and answers; nothing is kept.

python -m bench.plain_server PACKAGE PORT
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import Depends, FastAPI, Request

from bench.bare_loop import BareLoop
from bench.server import until_listening
from retinue.vision.package import read_package
from tests.servers.processes import free_port


async def body_of(request: Request) -> bytes:
    return await request.body()


def application(package: Path) -> FastAPI:
    app, loop = FastAPI(), BareLoop(read_package(package))

    @app.post("/predict")
    def predict(picture: bytes = Depends(body_of)) -> dict[str, Any]:
        classes = [{"label": label, "score": score} for label, score in loop.top_five(picture)]
        return {"prediction_id": "none is kept", "classes": classes}

    return app


@contextmanager
def plainly_served(package: Path) -> Iterator[int]:
    """Its port."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "bench.plain_server", str(package), str(port)])
    try:
        until_listening(port)
        yield port
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    uvicorn.run(application(Path(sys.argv[1])), port=int(sys.argv[2]), log_level="warning")
