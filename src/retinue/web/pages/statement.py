"""One's own ledger: every entry with the balance after it, and all of it as CSV."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query
from starlette.responses import Response, StreamingResponse

from retinue.base.database import Database
from retinue.credits.shapes import as_credits
from retinue.credits.statement import Kind, statement
from retinue.web.pages.visiting import SignedIn, first, page_routes

pages = page_routes()
COLUMNS = ("created_at", "kind", "operation", "operation_id", "amount", "balance_after", "held_after", "description")


@pages.get("/credits")
async def show_credits(
    visit: SignedIn, kind: Kind | None = None, cursor: Annotated[str | None, Query(max_length=512)] = None
) -> Response:
    kinds = [kind] if kind else []
    told, next_cursor = await visit[Database].read(
        lambda now: statement(now, visit.identity.user_id, first(50, cursor), kinds=kinds)
    )
    entries = [{**vars(one.entry), "status": one.status} for one in told]
    older = urlencode({**({"kind": kind} if kind else {}), "cursor": next_cursor or ""})
    return await visit.show(
        "credits.html", entries=entries, kind=kind, next=f"/credits?{older}" if next_cursor else None
    )


@pages.get("/credits.csv")
async def download_credits(visit: SignedIn) -> Response:
    headers = {"Content-Disposition": 'attachment; filename="credits.csv"'}
    return StreamingResponse(_lines(visit), headers=headers, media_type="text/csv; charset=utf-8")


async def _lines(visit: SignedIn) -> AsyncIterator[str]:
    """A page of the statement at a time: a million entries are never in memory together."""
    yield _line(COLUMNS)
    cursor = None
    while True:
        told, cursor = await visit[Database].read(
            lambda now, cursor=cursor: statement(now, visit.identity.user_id, first(200, cursor))  # type: ignore[misc]
        )
        for one in told:
            entry = one.entry
            amounts = (entry.amount, entry.balance_after, entry.held_after)
            amount, balance, held = (f"{as_credits(value):.2f}" for value in amounts)
            words = _plain(entry.description)
            at = entry.created_at.isoformat()
            yield _line((at, entry.kind, entry.operation, entry.operation_id, amount, balance, held, words))
        if cursor is None:
            return


def _line(values: tuple[str, ...]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(values)
    return out.getvalue()


def _plain(text: str) -> str:
    """A spreadsheet runs what begins like a formula."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text
