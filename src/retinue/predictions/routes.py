"""Predict: one picture, several, or a ZIP of them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from retinue.accounts.access import Identity, may
from retinue.credits.idempotency import IdempotencyKey, Once
from retinue.predictions import live, zipped
from retinue.predictions.asking import Ask
from retinue.predictions.batch import MOST_PICTURES, predict_batch
from retinue.predictions.comparing import Kit
from retinue.predictions.desk import (
    ACCEPTED,
    FIELDS,
    FILE,
    LARGEST_BODY,
    PICTURE,
    PREFER,
    Desk,
    DeskPart,
    ask_of,
    form_of,
    later_of,
    once_of,
)
from retinue.predictions.live import Answer
from retinue.predictions.paying import DEADLINE_S, Refusal
from retinue.predictions.receiving import (
    File,
    Received,
    declared_bytes,
    receive_files,
    receive_picture,
)
from retinue.predictions.shapes import BatchAnswer, PredictionAnswer

routes = APIRouter(prefix="/api/v1", tags=["predict"])
LARGEST_BATCH = 512 << 20  # as web/bodies.py lets them in
Asker = Annotated[Identity, may("predict")]
Patience = Annotated[
    int | None,
    Header(alias="X-Timeout-Ms", ge=1, le=30_000, description="How long the answer is of use; at most 30 s."),
]
_IN_QUERY = {"in": "query", "required": False}
_FILES = form_of(files={"type": "array", "items": FILE, "minItems": 1, "maxItems": MOST_PICTURES})
_QUERY = [
    {"name": name, **_IN_QUERY, **({"content": {"application/json": told}} if name == "explain" else told)}
    for name, told in ((name, {"schema": schema}) for name, schema in FIELDS.items())
]


@routes.post(
    "/predict",
    response_model=PredictionAnswer,
    response_model_exclude_unset=True,
    openapi_extra={**PICTURE, "parameters": [*_QUERY, PREFER]},
    responses=ACCEPTED,
)
async def predict(
    request: Request, desk: DeskPart, caller: Asker, key: IdempotencyKey, timeout_ms: Patience = None
) -> Response:
    """Look at one picture: a form with the part `file` (and `mask` for inpainting), or the picture as the raw body."""
    deadline_s = DEADLINE_S if timeout_ms is None else timeout_ms / 1000
    with desk.memory.room_for(declared_bytes(request, at_most=LARGEST_BODY), caller.user_id):
        received = await receive_picture(request)
        ask = ask_of(desk, received, received.files[0], await _kit(desk, received))
        once = await once_of(request, key, received)
        if (later := await later_of(request, desk, [ask], caller, once)) is not None:
            return later
        answer = await live.predict_image(desk.road, desk.links, ask, caller, once=once, deadline_s=deadline_s)
    return _respond(answer)


@routes.post(
    "/predict/batch",
    response_model=BatchAnswer,
    openapi_extra={**_FILES, "parameters": [PREFER]},
    responses=ACCEPTED,
)
async def predict_files(request: Request, desk: DeskPart, caller: Asker, key: IdempotencyKey) -> Response:
    """Look at up to 64 pictures; one bad picture never fails the rest."""
    with desk.memory.room_for(declared_bytes(request, at_most=LARGEST_BATCH), caller.user_id):
        received = await receive_files(request, most_files=MOST_PICTURES)
        kit = await _kit(desk, received)
        asks = [ask_of(desk, received, file, kit) for file in received.files]
        return await _answer_all(request, desk, asks, caller, await once_of(request, key, received))


@routes.post(
    "/predict/zip",
    response_model=BatchAnswer,
    openapi_extra={**form_of(file=FILE), "parameters": [PREFER]},
    responses=ACCEPTED,
)
async def predict_zip(request: Request, desk: DeskPart, caller: Asker, key: IdempotencyKey) -> Response:
    """Look at the pictures of a ZIP, up to 64."""
    with desk.memory.room_for(declared_bytes(request, at_most=zipped.LIMITS.max_bytes), caller.user_id):
        received = await receive_picture(request)
        archive, kit = received.files[0].data, await _kit(desk, received)
        with desk.memory.room_for(await zipped.expanded_bytes(archive)):
            asks: list[Ask | tuple[str, Refusal]] = []
            for name, found in await zipped.pictures_in(archive, most=MOST_PICTURES):
                asks.append(
                    ask_of(desk, received, File(name, found), kit) if isinstance(found, bytes) else (name, found)
                )
            return await _answer_all(request, desk, asks, caller, await once_of(request, key, received))


async def _answer_all(
    request: Request, desk: Desk, asks: Sequence[Ask | tuple[str, Refusal]], caller: Identity, once: Once | None
) -> Response:
    if (later := await later_of(request, desk, asks, caller, once)) is not None:
        return later
    return _respond(await predict_batch(desk.road, desk.links, asks, caller, once=once))


async def _kit(desk: Desk, received: Received) -> Kit | None:
    return await desk.compare(received.form.toolkit_id) if received.form.toolkit_id else None


def _respond(answer: Answer) -> Response:
    headers = {"Idempotency-Replayed": "true"} if answer.replayed else None
    return Response(answer.body, 200, headers, media_type="application/json")
