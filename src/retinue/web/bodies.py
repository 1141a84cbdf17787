"""How much body a route may receive, how slowly, and in which encoding: refused before it is read."""

import asyncio
import re

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retinue.web.problems import plain_problem

MIB = 1 << 20
DEFAULT_LIMIT = 1 * MIB
# The picture's own limit (20 MiB) answers with words; the form around it may add a mask and its fields.
LIMITS: list[tuple[re.Pattern[str], int]] = [
    (re.compile(r"/api/v1/predict"), 42 * MIB),
    (re.compile(r"/api/v1/predict/batch"), 512 * MIB),
    (re.compile(r"/api/v1/predict/zip"), 201 * MIB),
    (re.compile(r"/api/v1/toolkits/[^/]+/(check|issue|return|picture)"), 42 * MIB),
    (re.compile(r"/api/v1/datasets/[^/]+/items"), 8193 * MIB),
    (re.compile(r"/api/v1/uploads/[^/]+"), 8192 * MIB),
    (re.compile(r"/api/v1/models(/[^/]+/versions)?"), 2049 * MIB),
    (re.compile(r"/v2/models/[^/]+(/versions/[^/]+)?/infer"), 64 * MIB),
]
PATIENCE_S = 20.0
SLOWEST_BYTES_PER_S = 50_000  # a phone in a hangar; slower clients would hold a connection for nothing


class Bodies:
    def __init__(self, app: ASGIApp) -> None:
        sizes = {DEFAULT_LIMIT, *(limit for _, limit in LIMITS)}
        self.limited = {size: RequestBodyLimitMiddleware(app, size) for size in sizes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.limited[DEFAULT_LIMIT](scope, receive, send)
            return
        if Headers(scope=scope).get("content-encoding", "identity") != "identity":
            refusal = plain_problem(415, "Send the body without Content-Encoding", scope)
            await refusal(scope, receive, send)
            return
        await self.limited[limit_of(scope["path"])](scope, _Patience(receive), send)


def limit_of(path: str) -> int:
    return next((limit for pattern, limit in LIMITS if pattern.fullmatch(path)), DEFAULT_LIMIT)


class _Patience:
    """uvicorn waits for a body for ever; we wait 20 s and then as long as bytes keep coming at a bearable rate."""

    def __init__(self, receive: Receive) -> None:
        self.receive = receive
        self.deadline: float | None = None
        self.finished = False

    async def __call__(self) -> Message:
        if self.finished:  # from here on only a disconnect can come, however late
            return await self.receive()
        loop = asyncio.get_running_loop()
        if self.deadline is None:
            self.deadline = loop.time() + PATIENCE_S
        try:
            async with asyncio.timeout_at(self.deadline):
                message = await self.receive()
        except TimeoutError:
            raise HTTPException(408, "The body took too long to arrive", {"Connection": "close"}) from None
        self.deadline += len(message.get("body", b"")) / SLOWEST_BYTES_PER_S
        self.finished = not message.get("more_body", False)
        return message
