"""The outermost door: each request gets an id, a log line, metrics and safe headers; no bare error leaves."""

import ipaddress
import re
import time
from collections.abc import Sequence
from http import HTTPStatus

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retinue.base.ids import new_id
from retinue.base.observe import Metrics
from retinue.web.problems import Problem, plain_problem

GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
SHED = {"429": "over their own limit", "503": "more than we can do now"}
_log = structlog.get_logger(__name__)


class Doorway:
    def __init__(self, app: ASGIApp, *, metrics: Metrics, allowed_hosts: Sequence[str], tls: bool) -> None:
        self.app = app
        self.metrics = metrics
        self.allowed_hosts = {"localhost", *allowed_hosts}
        self.safe_headers = {**SAFE_HEADERS, **({"Strict-Transport-Security": "max-age=31536000"} if tls else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        scope["request_id"] = request_id = given if GIVEN_ID.fullmatch(given) else new_id()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            answer = _Answer(self, scope, send)
            self.metrics.in_flight.inc()
            try:
                if self._is_known(headers.get("host", "")):
                    await self.app(scope, receive, answer.send)
                else:
                    await plain_problem(400, "This server does not answer to that host name", scope)(
                        scope, receive, answer.send
                    )
            except ClientDisconnect:
                _log.info("the client went away", path=scope["path"])
            except Exception:
                _log.exception("request failed")
                if answer.status is not None:
                    raise  # too late for a problem document: the connection has to break
                await _internal(scope)(scope, receive, answer.send)
            finally:
                self.metrics.in_flight.dec()
                answer.note()

    def _is_known(self, host: str) -> bool:
        """A page elsewhere can point its own name at us (DNS rebinding), but not make a browser send an address."""
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if name.lower() in self.allowed_hosts:
            return True
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True


class _Answer:
    """Watches one answer go out, and turns the framework's plain 413 into a problem document."""

    def __init__(self, door: Doorway, scope: Scope, send: Send) -> None:
        self.door = door
        self.scope = scope
        self.out = send
        self.started = time.perf_counter()
        self.status: int | None = None
        self.swapped = False

    async def send(self, message: Message) -> None:
        if self.swapped:
            return
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message["headers"])
            if message["status"] == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and "problem" not in headers.get(
                "content-type", ""
            ):
                await self._swap()
                return
            self.status = message["status"]
            headers["X-Request-Id"] = self.scope["request_id"]
            for name, value in self.door.safe_headers.items():
                headers.setdefault(name, value)
            message["headers"] = headers.raw
        await self.out(message)

    async def _swap(self) -> None:
        refusal = plain_problem(413, "The body is larger than this route accepts", self.scope)
        await refusal(self.scope, _nothing, self.send)
        self.swapped = True

    def note(self) -> None:
        seconds = time.perf_counter() - self.started
        route = getattr(self.scope.get("route"), "path", "unmatched")
        method, status = self.scope["method"] if route != "unmatched" else "any", str(self.status or 0)
        self.door.metrics.requests.labels(method, route, status).inc()
        if status in SHED:
            self.door.metrics.shed.labels(SHED[status]).inc()
        self.door.metrics.request_seconds.labels(method, route).observe(seconds)
        if not route.startswith(("/health", "/metrics")):
            _log.info(
                "request",
                method=self.scope["method"],
                path=self.scope["path"],
                status=self.status,
                ms=round(seconds * 1000, 1),
                user_id=self.scope.get("user_id"),
            )


def _internal(scope: Scope) -> Problem:
    return Problem(
        500,
        code="internal-error",
        title="Something went wrong on our side",
        detail=f"It was noted under request {scope['request_id']}",
        scope=scope,
    )


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
