"""A dataset as a file, with what models and people said of its pictures where that is wanted."""

import re
from dataclasses import replace
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from retinue.accounts.access import Identity, KeyTooNarrow, may
from retinue.base.database import Database
from retinue.base.errors import Invalid
from retinue.base.parts import part
from retinue.base.storage import Storage
from retinue.datasets import life_cycle
from retinue.datasets.exporting import Export, Split
from retinue.datasets.layouts import Format, root_of
from retinue.feedback.exporting import SOURCES, Source, Told, Wanted

routes = APIRouter(prefix="/api/v1", tags=["datasets"])
Reader = Annotated[Identity, may("datasets:read")]
_SHARE = r"([0-9]{1,3}(?:\.[0-9]{1,6})?)"
_SHARES = f"{_SHARE}[,/]{_SHARE}[,/]{_SHARE}"


class BadSplit(Invalid):
    code = "bad-split"
    title = "A split is three shares, such as 80/10/10, not all of them nothing"


class NothingToTell(Invalid):
    code = "bad-with"
    title = "An export comes with predictions, feedback, or both"


@routes.get(
    "/datasets/{name}/export",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def export_dataset(
    name: str,
    db: Annotated[Database, part(Database)],
    storage: Annotated[Storage, part(Storage)],
    caller: Reader,
    *,
    layout: Annotated[Format, Query(alias="format", description="`masks` is what an import reads back.")] = "masks",
    split: Annotated[
        str | None,
        Query(
            max_length=40,
            json_schema_extra={"pattern": f"^{_SHARES}$"},
            description="Shares of train/val/test: 80/10/10.",
        ),
    ] = None,
    seed: Annotated[int, Query(ge=0, le=2**31, description="The same seed makes the same split.")] = 0,
    told: Annotated[
        str,
        Query(
            alias="with",
            max_length=40,
            json_schema_extra={"pattern": "^$|^ *(predictions|feedback) *(, *(predictions|feedback) *)*$"},
            description="`predictions`, `feedback` or both; verdicts stand over answers.",
        ),
    ] = "",
    model: Annotated[str | None, Query(max_length=100, description="Whose answers; unset: the latest of any.")] = None,
    version: Annotated[str | None, Query(max_length=20)] = None,
) -> StreamingResponse:
    """A ZIP that is made while it is sent: COCO, YOLO, a folder per class, or pictures beside their masks."""
    shares = None if split is None else _split(split, seed)
    dataset = await db.read(lambda now: life_cycle.find(now, name, owner_id=caller.user_id))
    export = Export(db, storage, dataset, layout, shares)
    if told:
        if not caller.can("predictions:read"):
            raise KeyTooNarrow("What models and people said needs a key with the scope predictions:read too")
        wanted = Wanted(_sources(told), model, version)
        export = replace(export, more=lambda aside: Told(db, caller.user_id, wanted, aside.sheet()))
    filename = f"{root_of(dataset.name)}-{layout}.zip"
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", filename)
    headers = {
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}",
        "Cache-Control": "private, no-store",
    }
    return StreamingResponse(export.stream(), 200, headers, media_type="application/zip")


def _sources(told: str) -> frozenset[Source]:
    asked = {one.strip() for one in told.split(",")}
    if unknown := asked - set(SOURCES):
        raise NothingToTell(f"There is no {min(unknown)!r}; there are: {', '.join(SOURCES)}")
    return frozenset(source for source in SOURCES if source in asked)


def _split(told: str, seed: int) -> Split:
    match = re.fullmatch(_SHARES, told)
    if match is None or not any(float(share) for share in match.groups()):
        raise BadSplit()
    train, val, test = (float(share) for share in match.groups())
    return Split(train, val, test, seed)
