"""One's own ledger: every entry with the balance after it, and all of it as CSV."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query
from starlette.responses import Response

from retinue.base.database import Database
from retinue.credits.shapes import as_credits
from retinue.credits.statement import Kind, statement
from retinue.credits.tables import Entry
from retinue.web.pages.sheets import plain, sheet
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
    async def fetch(cursor: str | None) -> tuple[list[tuple[str, ...]], str | None]:
        told, further = await visit[Database].read(
            lambda now: statement(now, visit.identity.user_id, first(200, cursor))
        )
        return [_row(one.entry) for one in told], further

    return sheet("credits.csv", COLUMNS, fetch)


def _row(entry: Entry) -> tuple[str, ...]:
    amounts = (entry.amount, entry.balance_after, entry.held_after)
    amount, balance, held = (f"{as_credits(value):.2f}" for value in amounts)
    at = entry.created_at.isoformat()
    return at, entry.kind, entry.operation, entry.operation_id, amount, balance, held, plain(entry.description)
