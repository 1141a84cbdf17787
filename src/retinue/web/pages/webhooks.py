"""Webhooks: where one is told of what, and how the telling went."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query
from starlette.responses import Response

from retinue.base.database import Database
from retinue.web.pages.visiting import SignedIn, first, page_routes
from retinue.webhooks import routes as webhook_routes
from retinue.webhooks.events import EVENTS

pages = page_routes()


@pages.get("/webhooks")
async def show_webhooks(visit: SignedIn, cursor: Annotated[str | None, Query(max_length=512)] = None) -> Response:
    db, caller = visit[Database], visit.identity
    webhooks = await webhook_routes.list_webhooks(db, caller, first(100))
    told = await webhook_routes.list_all_deliveries(db, caller, first(50, cursor))
    older = f"/webhooks?{urlencode({'cursor': told.next_cursor})}" if told.next_cursor else None
    return await visit.show("webhooks.html", webhooks=webhooks.items, deliveries=told.items, events=EVENTS, next=older)
