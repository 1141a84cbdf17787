"""How a model arrives over HTTP: a file in a form with facts beside it, or the address it is pulled from."""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.datastructures import UploadFile

from retinue.base.errors import Invalid
from retinue.base.words import Line
from retinue.catalog.publishing import Published, Publisher
from retinue.catalog.sources import Sources
from retinue.vision.importing import Told


@dataclass(frozen=True, slots=True)
class Intake:
    """What taking a model in needs. Files on their way lie in `folder`."""

    publisher: Publisher
    sources: Sources
    folder: Path


class Source(BaseModel):
    """A model to pull: `https://…` or `hf://owner/name[:file]`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    source: Line = Field(min_length=1)
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")


class BadFacts(Invalid):
    code = "bad-facts"
    title = "The facts beside the model file cannot be read"


async def take_in(request: Request, intake: Intake, *, name: str | None, by: str) -> Published:
    """Imported, tried and written down; `name` is the model that gets another version, None a new one."""
    intake.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="upload-", dir=intake.folder) as folder:
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind == "application/json":
            told = _source_in(await request.body())
            source = await intake.sources.fetch(told.source, Path(folder), sha256=told.sha256)
            facts, origin = Told(name=name, source=told.source), "url"
        else:
            source, facts = await _uploaded(request, Path(folder), name)
            origin = "file"
        return await intake.publisher.publish(source, facts, origin=origin, by=by, new=name is None)


def _source_in(body: bytes) -> Source:
    try:
        return Source.model_validate_json(body)
    except ValidationError as wrong:
        raise Invalid(_fields_of(wrong)) from None


async def _uploaded(request: Request, folder: Path, name: str | None) -> tuple[Path, Told]:
    async with request.form(max_files=1, max_fields=40, max_part_size=1 << 20) as form:
        file = next((part for part in form.values() if isinstance(part, UploadFile)), None)
        if file is None:
            raise Invalid("Send the model as a file part of a form, or {source} as JSON")
        filename = file.filename or ""
        kept = folder / ("model.zip" if filename.lower().endswith(".zip") else "model.onnx")
        with kept.open("wb") as out:
            while chunk := await file.read(1 << 20):
                await asyncio.to_thread(out.write, chunk)
        fields = {key: value for key, value in form.items() if isinstance(value, str)}
    return kept, facts_from(fields, name=name, filename=filename)


def facts_from(fields: dict[str, str], *, name: str | None, filename: str) -> Told:
    """What a form says beside the file: labels one per line or as JSON, size as 640x480, the rest as it stands."""
    told: dict[str, Any] = {key: value for key, value in fields.items() if value}
    if size := told.get("size"):
        told["size"] = size.lower().split("x")
    told["name"] = name or told.get("name") or Path(filename).stem.lower().replace(" ", "-") or None
    try:
        if labels := told.get("labels"):
            told["labels"] = orjson.loads(labels) if labels.lstrip().startswith("[") else labels.split("\n")
        return TypeAdapter(Told).validate_python(told)
    except (ValidationError, orjson.JSONDecodeError) as wrong:
        raise BadFacts(_fields_of(wrong)) from None


def _fields_of(wrong: Exception) -> str:
    if isinstance(wrong, ValidationError):
        return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in wrong.errors())
    return "labels: no valid JSON"
