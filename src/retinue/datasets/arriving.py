"""How files reach a dataset: as parts of a form, or as uploads that are complete; parameters beside them."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from retinue.accounts.access import Identity
from retinue.base.errors import Invalid, Malformed, WrongKind
from retinue.base.words import storable
from retinue.datasets.content import FileContent, opened, shown_name
from retinue.datasets.kinds import Sent
from retinue.media.archives import clean_name
from retinue.media.uploads import Uploads

MOST_FIELDS = 20
HASH_BYTES = 1 << 20


class NoFile(Invalid):
    code = "no-file"
    title = "There is no file in this request"


class WhichFile(Invalid):
    code = "which-file"
    title = "This request has several files; name the picture's or video's part `file` and the mask's part `mask`"


class BadParameters(Invalid):
    code = "invalid-parameters"
    title = "Some parameters are not as they should be"


def _group(text: str) -> str:
    steps = clean_name(storable(text)).split("/") if text else []
    return "/".join(step for step in steps if step not in {"", ".", ".."})


class Form(BaseModel):
    """Every parameter of an upload, as form field, in the query or in a JSON body."""

    model_config = ConfigDict(extra="forbid")

    dry_run: bool = Field(default=False, description="Check and price everything, take nothing in.")
    fps: Annotated[float, Field(gt=0, le=240, allow_inf_nan=False)] | Literal["source"] = Field(
        default=1.0, description="Frames per second that are taken from videos; `source` takes each of them."
    )
    group: Annotated[str, StringConstraints(max_length=255), AfterValidator(_group)] = Field(
        default="", description="Folder of the file in the dataset."
    )
    upload_id: str | None = Field(
        default=None, min_length=1, max_length=36, description="A finished upload instead of the file."
    )
    mask_upload_id: str | None = Field(default=None, min_length=1, max_length=36, description="The same for its mask.")


@dataclass(frozen=True, slots=True)
class Arrived:
    sent: Sent
    form: Form
    upload_ids: list[str]

    async def digests(self) -> list[str]:
        """SHA-256 of what was sent, an upload's id in the place of its bytes."""
        files = [one for one in (self.sent.content, self.sent.mask) if one is not None and one.path is None]
        return [*self.upload_ids, *[await asyncio.to_thread(_digest, one) for one in files]]


@asynccontextmanager
async def receive(request: Request, uploads: Uploads, caller: Identity) -> AsyncIterator[Arrived]:
    """The files can be read until this is closed. Forms are on the disk by then where they are large."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    async with AsyncExitStack() as stack:
        if kind == "application/json":
            form, parts = _read_form(request.query_params, await _json(request)), {}
        elif kind in {"multipart/form-data", "application/x-www-form-urlencoded"}:
            told = await stack.enter_async_context(
                request.form(max_files=2, max_fields=MOST_FIELDS, max_part_size=64 * 1024)
            )
            fields = {name: value for name, value in told.multi_items() if isinstance(value, str)}
            form, parts = _read_form(request.query_params, fields), _files(told)
        else:
            raise WrongKind("Send a form (multipart/form-data) with the part `file`, or JSON with an upload_id")
        for name, upload_id in (("file", form.upload_id), ("mask", form.mask_upload_id)):
            if upload_id is not None:
                path, filename = await stack.enter_async_context(uploads.complete_file(caller.user_id, upload_id))
                parts[name] = stack.enter_context(opened(path, name=filename))
        if "file" not in parts:
            raise NoFile("Send it as the form's part `file`, or name a finished upload with upload_id")
        ids = [one for one in (form.upload_id, form.mask_upload_id) if one is not None]
        yield Arrived(Sent(parts["file"], parts.get("mask"), form.group), form, ids)


def _files(form: FormData) -> dict[str, FileContent]:
    """A lone file may have any name; two are told apart by `mask`."""
    found = [(name, part) for name, part in form.multi_items() if isinstance(part, UploadFile)]
    masks = [part for name, part in found if name == "mask"]
    others = [part for name, part in found if name != "mask"]
    if len(masks) > 1 or len(others) > 1:
        raise WhichFile()
    return {
        name: FileContent(shown_name(part.filename or name), part.size or 0, part.file)
        for name, part in (*(("file", one) for one in others), *(("mask", one) for one in masks))
    }


async def _json(request: Request) -> Mapping[str, Any]:
    try:
        told = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise Malformed("The body is not valid JSON") from None
    if not isinstance(told, dict):
        raise Malformed("The body is not a JSON object")
    return told


def _read_form(query: Mapping[str, str], fields: Mapping[str, Any]) -> Form:
    """What a form says goes before the query, whose parameters are read all the same; its empty fields are unset."""
    filled = {name: value for name, value in fields.items() if value != ""}
    alone = _checked(query)
    return _checked({**query, **filled}) if filled else alone


def _checked(told: Mapping[str, Any]) -> Form:
    try:
        return Form.model_validate(told)
    except ValidationError as wrong:
        errors = [
            {"field": ".".join(map(str, one["loc"])), "message": one["msg"]}
            for one in wrong.errors(include_url=False, include_context=False)
        ]
        raise BadParameters("; ".join(f"{one['field']}: {one['message']}" for one in errors), errors=errors) from None


def _digest(content: FileContent) -> str:
    content.file.seek(0)
    told = hashlib.sha256()
    while piece := content.file.read(HASH_BYTES):
        told.update(piece)
    return told.hexdigest()
