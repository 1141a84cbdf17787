"""Where a request to look becomes an ask: what every route needs that has a picture in its body."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

from fastapi import Request, Response

from retinue.accounts.access import Identity
from retinue.base.database import Transaction
from retinue.base.documents import fields_of
from retinue.base.parts import part
from retinue.base.settings import Settings
from retinue.credits import idempotency
from retinue.credits.idempotency import Once
from retinue.media.links import Links
from retinue.predictions.asking import Ask
from retinue.predictions.comparing import Compare, Kit
from retinue.predictions.memory import PictureMemory
from retinue.predictions.paying import Refusal
from retinue.predictions.receiving import File, Form, Received
from retinue.predictions.road import Road
from retinue.predictions.tables import Prediction

Later: TypeAlias = Callable[[Sequence[Ask | tuple[str, Refusal]], Identity, Once | None], Awaitable[Response | None]]
"""What answers 202 and goes to work; None for what is better answered at once."""
LARGEST_BODY = 42 << 20  # a picture and its mask, as web/bodies.py lets them in


@dataclass(frozen=True, slots=True)
class Desk:
    """What such a route works with."""

    road: Road
    links: Links
    settings: Settings
    memory: PictureMemory
    compare: Compare
    is_signed: Callable[[Transaction, Prediction], bool]
    later: Later


DeskPart = Annotated[Desk, part(Desk)]

FIELDS = fields_of(Form)
FILE = {"type": "string", "format": "binary"}


PREFER = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": "`respond-async`: answer 202 with a job over these pictures. A comparison with a kit, and pictures "
    "that are refused at once, are answered at once all the same.",
    "schema": {"type": "string", "examples": ["respond-async"]},
}
ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "`Prefer: respond-async`: the job that was started",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Accepted"}}},
    }
}


def form_of(**files: Any) -> dict[str, Any]:
    """How OpenAPI describes a body that is read by `receiving.py`."""
    properties = {**files, **FIELDS}
    form = {
        "schema": {
            "type": "object",
            "properties": properties,
            "required": list(files)[:1],
            "additionalProperties": False,
        },
        "encoding": {"explain": {"contentType": "application/json"}},
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": form}}}


PICTURE = form_of(file=FILE, mask=FILE)
PICTURE["requestBody"]["content"]["image/*"] = {"schema": FILE}


def ask_of(desk: Desk, received: Received, file: File, kit: Kit | None) -> Ask:
    form = received.form
    return Ask(
        picture=file.data,
        filename=file.name,
        model=form.model or (kit.model if kit else None) or desk.settings.default_model,
        version=form.version,
        mask=received.mask.data if received.mask else None,
        parameters=form.parameters(),
        use_cache=form.cache,
        source=form.source,
        kit=kit,
    )


async def later_of(
    request: Request, desk: Desk, asks: Sequence[Ask | tuple[str, Refusal]], caller: Identity, once: Once | None
) -> Response | None:
    """The answer to who asked for one later (RFC 7240) and may have it."""
    told = ",".join(request.headers.getlist("prefer")).split(",")
    wants_later = any(one.partition(";")[0].strip().lower() == "respond-async" for one in told)
    return await desk.later(asks, caller, once) if wants_later else None


async def once_of(request: Request, key: str | None, received: Received) -> Once | None:
    """Compared as parsed: parameters and the checksum of each file, so a form's boundary does not matter."""
    if key is None:
        return None
    return idempotency.once(request, key, await asyncio.to_thread(_fingerprint, received))


def _fingerprint(received: Received) -> str:
    files = [*received.files, *([received.mask] if received.mask else [])]
    told = received.form.model_dump(mode="json")
    return idempotency.fingerprint(told, *(hashlib.sha256(file.data).hexdigest() for file in files))
