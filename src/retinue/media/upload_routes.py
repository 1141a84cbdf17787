"""Large files in pieces: begin, append, ask where it goes on, complete."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, Field, StringConstraints

from retinue.accounts.access import Identity, may
from retinue.base.parts import part
from retinue.base.shapes import Strict
from retinue.base.words import Storable
from retinue.media.archives import clean_name
from retinue.media.tables import Upload
from retinue.media.uploads import Uploads

routes = APIRouter(prefix="/api/v1/uploads", tags=["uploads"])
Writer = Annotated[Identity, may("datasets:write")]
UploadsPart = Annotated[Uploads, part(Uploads)]
MOST_BYTES = 2**53 - 1  # beyond it a number in JSON is no longer exact
Offset = Annotated[int, Header(alias="Upload-Offset", ge=0, le=MOST_BYTES, description="Where these bytes begin.")]


class NewUpload(Strict):
    filename: Annotated[str, StringConstraints(min_length=1, max_length=1000), Storable]
    size: int = Field(ge=1, le=MOST_BYTES, description="Bytes in all.")
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$", description="Checked when it is completed.")


class UploadShown(BaseModel):
    upload_id: str
    filename: str
    size: int
    offset: int
    is_complete: bool
    expires_at: datetime


@routes.post("", status_code=201)
async def begin_upload(asked: NewUpload, uploads: UploadsPart, caller: Writer) -> UploadShown:
    """Room for the whole file is set aside until it is used or has expired: a day after its last bytes."""
    upload = await uploads.begin(
        caller.user_id, filename=clean_name(asked.filename), size=asked.size, sha256=asked.sha256
    )
    return _shown(upload)


@routes.patch(
    "/{upload_id}",
    openapi_extra={
        "requestBody": {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
    },
)
async def append_to_upload(
    upload_id: str, request: Request, response: Response, uploads: UploadsPart, caller: Writer, offset: Offset
) -> UploadShown:
    """The body's bytes join the upload's end. What arrived before a cut is kept; ask with HEAD where to go on."""
    upload = await uploads.append(caller.user_id, upload_id, offset=offset, body=request.stream())
    response.headers["Upload-Offset"] = str(upload.received_bytes)
    return _shown(upload)


@routes.head("/{upload_id}", response_class=Response, status_code=204)
async def ask_offset(upload_id: str, uploads: UploadsPart, caller: Writer) -> Response:
    """Where the upload goes on (`Upload-Offset`), and where it ends (`Upload-Length`)."""
    upload = await uploads.find(caller.user_id, upload_id)
    headers = {
        "Upload-Offset": str(upload.received_bytes),
        "Upload-Length": str(upload.size_bytes),
        "Cache-Control": "no-store",
    }
    return Response(status_code=204, headers=headers)


@routes.post("/{upload_id}/complete")
async def complete_upload(upload_id: str, uploads: UploadsPart, caller: Writer) -> UploadShown:
    """Check that all of it is there, and that it has the SHA-256 it was announced with."""
    return _shown(await uploads.complete(caller.user_id, upload_id))


@routes.delete("/{upload_id}", status_code=204)
async def drop_upload(upload_id: str, uploads: UploadsPart, caller: Writer) -> None:
    """Give its room back at once."""
    await uploads.drop(caller.user_id, upload_id)


def _shown(upload: Upload) -> UploadShown:
    return UploadShown(
        upload_id=upload.id,
        filename=upload.filename,
        size=upload.size_bytes,
        offset=upload.received_bytes,
        is_complete=upload.is_complete(),
        expires_at=upload.expires_at,
    )
