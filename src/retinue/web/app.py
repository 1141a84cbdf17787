"""The application as HTTP sees it: the routers, the layers every request passes, and the OpenAPI document."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import fastapi_offline
import orjson
from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles

import retinue
from retinue.accounts.access import SECURITY_SCHEMES
from retinue.accounts.gate import asks_who
from retinue.base.documents import without_null
from retinue.base.observe import Metrics
from retinue.base.parts import Parts
from retinue.base.settings import Settings
from retinue.web import problems
from retinue.web.bodies import Bodies
from retinue.web.doorway import Doorway
from retinue.web.methods import Methods
from retinue.web.pages import static_files
from retinue.web.pages.visiting import lost

SWAGGER = "/docs/swagger"
# Swagger's own page starts itself with one inline script; nothing is fetched from elsewhere.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'"
)
# What pages of other origins may send; a browser asks first and sends nothing that is not named here.
ASKED_HEADERS = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "Inference-Header-Content-Length",
    "Last-Event-ID",
    "Prefer",
    "Upload-Offset",
    "X-Request-Id",
    "X-Timeout-Ms",
)
PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457 problem document: what happened, why, and what to do.",
    "required": ["type", "title", "status", "detail", "instance", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}

Living = Callable[[], AbstractAsyncContextManager[None]]


def build_app(
    settings: Settings, parts: Parts, routers: Sequence[APIRouter], *, living: Living, layers: Sequence[Any] = ()
) -> FastAPI:
    """`living` runs while the application does; `layers` stand between doorway and routes, the first outermost."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with living():
            yield

    app = FastAPI(
        title="Retinue",
        version=retinue.__version__,
        summary="Accounts, credits, datasets, live predictions and durable jobs for a team's vision models.",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        generate_unique_id_function=_operation_id,
        strict_content_type=False,
    )
    app.state.parts = parts
    problems.install(app)
    app.add_exception_handler(404, lost)
    app.add_exception_handler(405, Methods(routers).refuse)
    for router in routers:
        app.include_router(router)
    app.mount(static_files.address(), static_files.Static(), name="static")
    _add_docs(app)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    _add_document(app)
    app.add_middleware(Bodies)
    for layer in reversed(layers):
        app.add_middleware(layer)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],
            allow_headers=ASKED_HEADERS,
            expose_headers=["*"],
        )
    app.add_middleware(
        Doorway,
        metrics=parts[Metrics],
        allowed_hosts=_host_names(settings),
        tls=settings.public_url.startswith("https:"),
    )
    return app


def _operation_id(route: BaseRoute) -> str:
    name: str = getattr(route, "name", "")
    return name


def _host_names(settings: Settings) -> list[str]:
    from urllib.parse import urlsplit

    public = urlsplit(settings.public_url).hostname
    return [*settings.allowed_hosts, settings.host, *([public] if public else [])]


def _add_document(app: FastAPI) -> None:
    """Drawn up in a thread, once: on the loop it held up everybody for 0.7 s."""
    written: list[bytes] = []
    one_at_a_time = asyncio.Lock()

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        async with one_at_a_time:
            if not written:
                written.append(await asyncio.to_thread(lambda: orjson.dumps(app.openapi())))
        return Response(written[0], media_type="application/json")


def _add_docs(app: FastAPI) -> None:
    """Swagger UI from an installed package: the page works without internet."""
    files = Path(fastapi_offline.__file__).parent / "static"
    app.mount(SWAGGER, StaticFiles(directory=files), name="swagger")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        page = get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="Retinue API",
            swagger_js_url=f"{SWAGGER}/swagger-ui-bundle.js",
            swagger_css_url=f"{SWAGGER}/swagger-ui.css",
            swagger_favicon_url=f"{SWAGGER}/favicon.png",
        )
        page.headers["Content-Security-Policy"] = DOCS_POLICY
        return page


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document, with our problem document in place of its validation error."""
    if app.openapi_schema is None:
        schema = FastAPI.openapi(app)
        shapes = schema.setdefault("components", {}).setdefault("schemas", {})
        shapes.pop("HTTPValidationError", None)
        shapes.pop("ValidationError", None)
        shapes["Problem"] = PROBLEM_SCHEMA
        refusal = {
            "description": "A problem document says what happened and what to do",
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        schema["components"]["securitySchemes"] = SECURITY_SCHEMES
        for path, operations in schema["paths"].items():
            for method, operation in operations.items():
                for parameter in operation.get("parameters", ()):
                    if "schema" in parameter:
                        parameter["schema"] = without_null(parameter["schema"])
                operation["responses"].pop("422", None)
                operation["responses"]["default"] = refusal
                if asks_who(method.upper(), path):
                    operation["security"] = [{name: []} for name in SECURITY_SCHEMES]
    return app.openapi_schema or {}
