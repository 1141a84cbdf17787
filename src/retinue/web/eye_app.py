"""The second, smaller application: a worker's eye as other nodes reach it, behind one token that only nodes know."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from fastapi import APIRouter, FastAPI
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from retinue.base.errors import NotSignedIn
from retinue.base.parts import Parts
from retinue.web import problems
from retinue.web.bodies import Bodies
from retinue.web.heads import PatientProtocol
from retinue.web.problems import problem_of

OPEN = frozenset({"/v2/health/live", "/v2/health/ready"})


def build_eye_app(parts: Parts, router: APIRouter, *, token: str) -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, strict_content_type=False)
    app.state.parts = parts
    problems.install(app)
    app.include_router(router)
    app.add_middleware(Bodies)
    app.add_middleware(_Guard, token=token)
    return app


@asynccontextmanager
async def listening(app: ASGIApp, *, host: str, port: int) -> AsyncIterator[str]:
    """Serves while the block runs, at the address it gives; signals stay with whoever opened it."""
    door = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    config = uvicorn.Config(
        app, http=PatientProtocol, log_config=None, access_log=False, server_header=False, lifespan="off"
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[door]))  # connections wait in the door until it does
    try:
        yield f"http://{f'[{host}]' if ':' in host else host}:{door.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


class _Guard:
    def __init__(self, app: ASGIApp, *, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in OPEN:
            given = Headers(scope=scope).get("authorization", "").encode()
            if not secrets.compare_digest(given, self._expected):
                refusal = problem_of(NotSignedIn("This eye is for the nodes of its own house"), scope)
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
