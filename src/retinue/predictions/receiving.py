"""How pictures and parameters arrive: a raw body or a form, parameters in the query or beside the files."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from retinue.base.errors import Invalid, WrongKind
from retinue.base.words import Storable
from retinue.predictions.asking import FLOOR, Explaining, Parameters
from retinue.predictions.batch import too_many_pictures

MOST_FIELDS = 100
MOST_BESIDE = 2  # a picture and its mask
RAW_KINDS = {"application/octet-stream", "application/zip", "application/x-zip-compressed"}
LONGEST_NAME = 255
_UNSHOWABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class NoPicture(Invalid):
    code = "no-picture"
    title = "There is no picture in this request"


class TooManyFiles(Invalid):
    code = "which-file"
    title = "This request has several files; name the picture's part `file` and the mask's part `mask`"


class OneMaskAtATime(Invalid):
    code = "one-mask-at-a-time"
    title = "A mask belongs to one picture"


class BadParameters(Invalid):
    code = "invalid-parameters"
    title = "Some parameters are not as they should be"


class Form(BaseModel):
    """Every parameter of a prediction, as form field or in the query."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, Field(max_length=100), Storable] | None = None
    version: Annotated[str, Field(max_length=20), Storable] | None = None
    confidence: FLOOR | None = None
    top_k: int = Field(default=5, ge=1, le=1000)
    iou: FLOOR | None = None
    toolkit_id: Annotated[str, Field(max_length=36), Storable] | None = Field(
        default=None, description="Also say what this kit lacks."
    )
    radius: float = Field(default=3.0, gt=0, le=100, allow_inf_nan=False)
    annotate: bool = False
    explain: bool | Explaining = False
    cache: bool = True
    source: Literal["api", "ui"] = "api"
    filename: Annotated[str, Field(max_length=1000), Storable] | None = Field(
        default=None, description="Name of a picture sent as raw body."
    )

    @field_validator("explain", mode="before")
    @classmethod
    def _written_as_json(cls, told: Any) -> Any:
        if not isinstance(told, str) or not told.lstrip().startswith("{"):
            return told
        try:
            return orjson.loads(told)
        except orjson.JSONDecodeError:
            raise ValueError("is not valid JSON") from None

    def parameters(self) -> Parameters:
        explain = self.explain if isinstance(self.explain, Explaining) else Explaining() if self.explain else None
        return Parameters(
            confidence=self.confidence,
            top_k=self.top_k,
            iou=self.iou,
            radius=self.radius,
            annotate=self.annotate,
            explain=explain,
        )


@dataclass(frozen=True, slots=True)
class File:
    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Received:
    form: Form
    files: list[File]
    mask: File | None = None


async def receive_picture(request: Request) -> Received:
    """One picture, and perhaps a mask: a raw body, or a form whose lone file may have any name."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind.startswith("image/") or kind in RAW_KINDS:
        form = read_form(request.query_params)
        return Received(form, [File(clean_name(form.filename or "picture"), await request.body())])
    fields, parts = await _read_multipart(request, kind, most_files=MOST_BESIDE)
    mask = next((file for name, file in parts if name == "mask"), None)
    pictures = [(name, file) for name, file in parts if name != "mask"]
    if not pictures:
        raise NoPicture("Send it as the form's file part, or as the body with Content-Type: image/jpeg")
    if len(pictures) > 1:
        raise TooManyFiles()
    return Received(read_form(request.query_params, fields), [pictures[0][1]], mask)


async def receive_files(request: Request, *, most_files: int) -> Received:
    """Every file of a form, whatever its part is called."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    fields, parts = await _read_multipart(request, kind, most_files=most_files)
    if not parts:
        raise NoPicture("Send the pictures as file parts of a form")
    if any(name == "mask" for name, _ in parts):
        raise OneMaskAtATime("Send it beside its picture: POST /api/v1/predict")
    return Received(read_form(request.query_params, fields), [file for _, file in parts])


def read_form(query: Mapping[str, str], fields: Mapping[str, str] | None = None) -> Form:
    """What a form says goes before the query, whose parameters are read all the same; its empty fields are unset."""
    filled = {name: value for name, value in (fields or {}).items() if value != ""}
    alone = _checked(query)
    return _checked({**query, **filled}) if filled else alone


def _checked(told: Mapping[str, str]) -> Form:
    try:
        return Form.model_validate(told)
    except ValidationError as wrong:
        errors = [
            {"field": ".".join(map(str, one["loc"])), "message": one["msg"]}
            for one in wrong.errors(include_url=False, include_context=False)
        ]
        raise BadParameters("; ".join(f"{one['field']}: {one['message']}" for one in errors), errors=errors) from None


def declared_bytes(request: Request, *, at_most: int) -> int:
    """What the body says it will be; what does not say so may be anything up to the limit."""
    told = request.headers.get("content-length", "")
    return min(int(told), at_most) if told.isdecimal() and len(told) < 16 else at_most


def clean_name(name: str) -> str:
    """What people may see of a file's name: its last part, on one line, of a length that fits."""
    last = re.split(r"[/\\]", name)[-1]
    return _UNSHOWABLE.sub("", last)[-LONGEST_NAME:].strip() or "picture"


async def _read_multipart(
    request: Request, kind: str, *, most_files: int
) -> tuple[dict[str, str], list[tuple[str, File]]]:
    if kind != "multipart/form-data":
        raise WrongKind("Send a form (multipart/form-data), or the picture itself with Content-Type: image/jpeg")
    async with opened_form(request, most_files) as form:
        fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
        parts = [
            (name, File(clean_name(part.filename or "picture"), await part.read()))
            for name, part in form.multi_items()
            if isinstance(part, UploadFile)
        ]
    return fields, parts


@asynccontextmanager
async def opened_form(request: Request, most_files: int) -> AsyncIterator[FormData]:
    try:
        async with request.form(max_files=most_files, max_fields=MOST_FIELDS, max_part_size=64 * 1024) as form:
            yield form
    except HTTPException as refused:
        if refused.detail.startswith("Too many files"):
            raise (too_many_pictures(most_files) if most_files > MOST_BESIDE else TooManyFiles()) from None
        raise
