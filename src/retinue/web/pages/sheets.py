"""Lists as CSV, for spreadsheets: a page of the list at a time, and no cell that a spreadsheet would run."""

import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

from starlette.responses import Response, StreamingResponse

Cells = Sequence[str]
Fetch = Callable[[str | None], Awaitable[tuple[Iterable[Cells], str | None]]]
"""The rows after a cursor, and the cursor after them."""


def sheet(name: str, columns: Cells, fetch: Fetch) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_lines(columns, fetch), headers=headers, media_type="text/csv; charset=utf-8")


async def _lines(columns: Cells, fetch: Fetch) -> AsyncIterator[str]:
    """A page at a time: a million rows are never in memory together."""
    yield _line(columns)
    cursor = None
    while True:
        rows, cursor = await fetch(cursor)
        for row in rows:
            yield _line(row)
        if cursor is None:
            return


def _line(cells: Cells) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


def plain(words: str) -> str:
    """What people wrote, as text: a spreadsheet runs what begins like a formula."""
    return f"'{words}" if words[:1] in {"=", "+", "-", "@", "\t", "\r"} else words
