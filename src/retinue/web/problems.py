"""How every refusal looks on the wire: one problem document (RFC 9457), one table from errors to statuses."""

import random
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from retinue.base import errors as base
from retinue.media.serving import RangeRefused
from retinue.vision import errors as vision

STATUS: dict[type[Exception], int] = {
    base.Malformed: 400,
    base.NotSignedIn: 401,
    base.PaymentNeeded: 402,
    base.Forbidden: 403,
    base.NotFound: 404,
    base.TooSlow: 408,
    base.Conflict: 409,
    base.Gone: 410,
    base.TooLarge: 413,
    base.WrongKind: 415,
    RangeRefused: 416,
    base.Invalid: 422,
    base.TooMany: 429,
    base.Unavailable: 503,
    base.StorageFull: 507,
    base.RetinueError: 500,
    vision.BadTensors: 400,
    vision.TooBig: 413,
    vision.UnknownKind: 415,
    vision.BadContent: 422,
    vision.NoSuchModel: 404,
    vision.EyeIsFull: 503,
    vision.DeadlinePassed: 503,
    vision.VisionError: 500,
}
TYPE = "https://retinue.dev/problems/"
_log = structlog.get_logger(__name__)


class Problem(Response):
    media_type = "application/problem+json"

    def __init__(
        self,
        status: int,
        *,
        code: str,
        title: str,
        detail: str,
        scope: Scope,
        facts: Mapping[str, Any] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        """`scope`: of the request that is refused; it tells the request's id, and the words its clients expect."""
        request_id = scope.get("request_id", "")
        document = {
            **(facts or {}),  # first: what else is told never replaces what every problem has
            "type": TYPE + code,
            "title": title,
            "status": status,
            "detail": detail,
            "instance": f"urn:retinue:request:{request_id}",
            "code": code,
        }
        if speaks_oip(scope):
            document["error"] = detail  # all that clients of the Open Inference Protocol read
        headers = {} if retry_after_s is None else {"Retry-After": str(max(1, round(retry_after_s)))}
        if status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = 'Bearer realm="retinue"'
        super().__init__(orjson.dumps(document, default=str), status, headers)


def status_of(error: Exception) -> int:
    """The nearest branch of the tree that has a status."""
    return next(STATUS[branch] for branch in type(error).__mro__ if branch in STATUS)


def speaks_oip(scope: Scope) -> bool:
    path: str = scope.get("path", "")
    return path == "/v2" or path.startswith("/v2/")


def problem_of(error: base.RetinueError | vision.VisionError, scope: Scope) -> Problem:
    status = status_of(error)
    retry_after_s = getattr(error, "retry_after_s", None)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:  # everybody was refused at once, and must not come back at once
        retry_after_s = (retry_after_s or 1.0) * random.uniform(0.8, 1.2)  # noqa: S311 jitter, not a secret
    return Problem(
        status,
        code=error.code,
        title=error.title,
        detail=error.detail,
        scope=scope,
        facts=_facts(error),
        retry_after_s=retry_after_s,
    )


def plain_problem(status: int, detail: str, scope: Scope) -> Problem:
    """A refusal of the framework itself: no route, no such method, a body over its limit."""
    code = HTTPStatus(status).phrase.lower().replace(" ", "-").replace("'", "")
    return Problem(status, code=code, title=HTTPStatus(status).phrase, detail=detail, scope=scope)


def install(app: FastAPI) -> None:
    app.add_exception_handler(base.RetinueError, _ours)
    app.add_exception_handler(vision.VisionError, _ours)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(HTTPException, of_the_framework)
    app.add_exception_handler(DataError, _text_refused)
    app.add_exception_handler(UnicodeEncodeError, _text_refused)


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, base.RetinueError | vision.VisionError)
    answer = problem_of(error, request.scope)
    if answer.status_code == HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("request failed", code=error.code, exc_info=error)
    return answer


async def _unreadable(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    wrong = [
        {"field": ".".join(str(step) for step in one["loc"][1:]) or str(one["loc"][0]), "message": one["msg"]}
        for one in error.errors()
    ]
    malformed = any(one["type"] == "json_invalid" for one in error.errors())
    return Problem(
        400 if malformed else 422,
        code="malformed-request" if malformed else "invalid-parameters",
        title="The request could not be read" if malformed else "Some parameters are not as they should be",
        detail="; ".join(f"{one['field']}: {one['message']}" for one in wrong)[:2000],
        scope=request.scope,
        facts={"errors": wrong[:50]},
    )


async def of_the_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = plain_problem(error.status_code, str(error.detail), request.scope)
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    return answer


async def _text_refused(request: Request, error: Exception) -> Response:
    """NUL and lone surrogates are valid JSON, but no database text."""
    return Problem(
        422,
        code="invalid-text",
        title="A text holds characters that cannot be stored",
        detail="NUL and lone surrogates cannot be stored",
        scope=request.scope,
    )


def _facts(error: base.RetinueError | vision.VisionError) -> Mapping[str, Any]:
    if isinstance(error, vision.FactsMissing):
        return {"missing": list(error.missing)}
    return getattr(error, "facts", {})
