"""How the words about a hand-over arrive: as JSON, or as the fields of a form with a picture beside them."""

from typing import Annotated, Any

import orjson
from fastapi import Request
from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator
from starlette.datastructures import UploadFile

from retinue.accounts.routes import EmployeeNumber
from retinue.accounts.shapes import Shape
from retinue.base.documents import just_one
from retinue.base.errors import Malformed, WrongKind
from retinue.base.words import Line, Name, ZonedMoment
from retinue.predictions.receiving import BadParameters, File, TooManyFiles, clean_name, opened_form
from retinue.toolkits.checklist import Correction

MOST_CORRECTIONS, MOST_SIGNERS = 200, 10


class CorrectionAsked(Shape):
    """Whether a tool is there after all, or how many of it are."""

    model_config = ConfigDict(json_schema_extra=just_one(present="boolean", found="integer"))

    tool_id: Annotated[str, Field(max_length=36)]
    present: bool | None = Field(default=None, description="all of them, or none")
    found: Annotated[int | None, Field(ge=0, le=100, description="how many, where there are several")] = None
    comment: Line = ""

    @model_validator(mode="after")
    def _says_one_thing(self) -> "CorrectionAsked":
        if (self.present is None) is (self.found is None):
            raise ValueError("says either `present` or `found`")
        return self

    def meant(self) -> Correction:
        none_there = 0 if self.present is False else None
        return Correction(self.tool_id, none_there if self.found is None else self.found, self.comment)


class HandOverAsked(Shape):
    model_config = ConfigDict(strict=False)  # a form knows only text

    employee_number: EmployeeNumber | None = Field(
        default=None, description="Whom the kit goes to or comes from; unset: the caller. Others are for operators."
    )
    corrections: list[CorrectionAsked] = Field(
        default_factory=list,
        max_length=MOST_CORRECTIONS,
        description="Without a picture: what is not there. With one: where the picture is wrong.",
    )
    reason: Line = Field(default="", description="Why the kit changes hands although tools are missing.")
    refused: bool = Field(default=False, description="The kit stays where it is; this is only put on record.")
    signed_by: list[Name] = Field(default_factory=list, max_length=MOST_SIGNERS)
    place: Line = ""
    due_at: ZonedMoment | None = Field(default=None, description="Of an issue: when the kit shall be back.")

    @field_validator("corrections", mode="before")
    @classmethod
    def _written_as_json(cls, told: Any) -> Any:
        if not isinstance(told, str):
            return told
        try:
            return orjson.loads(told)
        except orjson.JSONDecodeError:
            raise ValueError("is not valid JSON") from None


async def receive(request: Request) -> tuple[HandOverAsked, File | None]:
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _from_form(request)
    if kind != "application/json":
        raise WrongKind("Send JSON, or a form (multipart/form-data) with the picture as its file part")
    try:
        told = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise Malformed("The body is not valid JSON") from None
    return _checked(told), None


async def _from_form(request: Request) -> tuple[HandOverAsked, File | None]:
    """`signed_by` may come several times, `corrections` are JSON; the picture's part may have any name."""
    async with opened_form(request, 1) as form:
        fields: dict[str, Any] = {name: told for name, told in form.multi_items() if isinstance(told, str) and told}
        if "signed_by" in fields:
            fields["signed_by"] = [told for told in form.getlist("signed_by") if told]
        parts = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
        if len(parts) > 1:
            raise TooManyFiles()
        files = [File(clean_name(part.filename or "picture"), await part.read()) for part in parts]
    return _checked(fields), files[0] if files else None


def _checked(told: Any) -> HandOverAsked:
    try:
        return HandOverAsked.model_validate(told)
    except ValidationError as wrong:
        errors = [
            {"field": ".".join(map(str, one["loc"])), "message": one["msg"]}
            for one in wrong.errors(include_url=False, include_context=False)
        ]
        raise BadParameters(
            "; ".join(f"{one['field']}: {one['message']}" for one in errors)[:2000], errors=errors
        ) from None
