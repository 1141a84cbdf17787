"""Pictures of kits: how they are asked about, and how those are kept that no model looks at."""

import asyncio
from dataclasses import replace
from datetime import datetime

from retinue.base.storage import Storage
from retinue.media.keeping import Kept, Kind, keep_file
from retinue.predictions.asking import Ask
from retinue.predictions.receiving import File
from retinue.vision.images import decode


def checking(ask: Ask) -> Ask:
    """A check is always shown on its picture, and is known as a check in the history."""
    return replace(ask, source="check", parameters=ask.parameters.model_copy(update={"annotate": True}))


async def keep(storage: Storage, file: File, *, kind: Kind, at: datetime) -> Kept:
    """Refused where it is no whole picture; written, but nobody's until it is claimed."""
    header = (await asyncio.to_thread(decode, file.data)).header
    return await keep_file(
        storage,
        file.data,
        kind=kind,
        at=at,
        filename=file.name,
        mime_type=header.mime_type,
        extension=header.extension,
        size=(header.width, header.height),
    )
