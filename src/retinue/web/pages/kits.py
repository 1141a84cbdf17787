"""Kits and tools: which there are, what belongs into a kit and how it looks, and where one tool has been."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query
from starlette.responses import Response

from retinue.base.database import Database
from retinue.media.links import Links
from retinue.toolkits import kit_routes, loan_routes, tool_routes, tools
from retinue.toolkits.kits import TASKS
from retinue.web.pages.playground import models_of
from retinue.web.pages.visiting import SignedIn, Visit, first, page_routes

pages = page_routes()
Cursor = Annotated[str | None, Query(max_length=512)]
Words = Annotated[str, Query(max_length=100)]
ON_A_PAGE, MOST_OFFERED, LATELY = 50, 200, 10


@pages.get("/kits")
async def show_kits(visit: SignedIn, q: Words = "", cursor: Cursor = None) -> Response:
    asked = first(ON_A_PAGE, cursor)
    found = await kit_routes.list_kits(visit[Database], visit[Links], visit.identity, asked, q=q.strip() or None)
    return await visit.show(
        "kits.html", kits=found.items, q=q, next=_older("/kits", q, found.next_cursor), models=await _checkers(visit)
    )


@pages.get("/kits/{kit_id}")
async def show_kit(visit: SignedIn, kit_id: str) -> Response:
    db, links, caller = visit[Database], visit[Links], visit.identity
    kit = await kit_routes.get_kit(kit_id, db, links, caller)
    lately = await loan_routes.list_loans(db, links, caller, first(LATELY), toolkit_id=kit_id)
    offered = await tool_routes.list_tools(db, caller, first(MOST_OFFERED)) if caller.is_operator else None
    return await visit.show(
        "kit.html",
        kit=kit,
        facts={"id": kit.id, "items": [item.model_dump(mode="json") for item in kit.items]},
        tools=[one.model_dump(mode="json", include={"id", "name", "serial_number"}) for one in offered.items]
        if offered
        else [],
        loans=lately.items,
        models=await _checkers(visit),
    )


@pages.get("/tools")
async def show_tools(visit: SignedIn, q: Words = "", cursor: Cursor = None) -> Response:
    found = await tool_routes.list_tools(visit[Database], visit.identity, first(ON_A_PAGE, cursor), q=q.strip() or None)
    return await visit.show("tools.html", tools=found.items, q=q, next=_older("/tools", q, found.next_cursor))


@pages.get("/tools/{tool_id}")
async def show_tool(visit: SignedIn, tool_id: str, cursor: Cursor = None) -> Response:
    """A tool that is out of use keeps its page, because its history stays. Where it has been is for operators."""
    db, caller = visit[Database], visit.identity
    tool = await db.read(lambda now: tools.find(now, tool_id, deleted_too=True))
    history = (
        await loan_routes.get_tool_history(tool_id, db, caller, first(ON_A_PAGE, cursor))
        if caller.is_operator
        else None
    )
    further = history.next_cursor if history else None
    return await visit.show(
        "tool.html",
        tool=tool,
        history=history.items if history else None,
        next=_older(f"/tools/{tool_id}", "", further),
    )


async def _checkers(visit: Visit) -> list[str]:
    """The models that a kit can be checked by."""
    return [one.name for one in await models_of(visit) if one.task in TASKS]


def _older(path: str, q: str, cursor: str | None) -> str | None:
    told = {**({"q": q} if q else {}), "cursor": cursor or ""}
    return f"{path}?{urlencode(told)}" if cursor else None
