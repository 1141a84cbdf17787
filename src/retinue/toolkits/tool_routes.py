"""Tools: made, listed, changed, taken out of use."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from retinue.accounts.access import Identity, may
from retinue.accounts.shapes import Shape
from retinue.base.database import Database
from retinue.base.paging import Page, Paging
from retinue.base.parts import part
from retinue.base.words import Name, ShortLine
from retinue.toolkits import tools
from retinue.toolkits.tables import Tool

routes = APIRouter(prefix="/api/v1/tools", tags=["toolkits"])
Reader = Annotated[Identity, may("toolkits:read")]
Keeper = Annotated[Identity, may("toolkits:write", role="operator")]
Db = Annotated[Database, part(Database)]
Search = Annotated[ShortLine | None, Query(description="Part of a name, a serial number or a label.")]
Label = Annotated[Name | None, Field(description="What models call it; without one only a person can find it.")]


class NewTool(Shape):
    name: Name
    serial_number: Name | None = None
    category: ShortLine = ""
    label: Label = None


class ToolChange(Shape):
    """What is not sent stays."""

    name: Name = Field(default_factory=str)
    serial_number: Name | None = None
    category: ShortLine = Field(default_factory=str)
    label: Label = None


class ToolShown(BaseModel):
    id: str
    name: str
    serial_number: str | None
    category: str
    label: str | None
    created_at: AwareDatetime
    updated_at: AwareDatetime


@routes.post("", status_code=201)
async def add_tool(ask: NewTool, db: Db, keeper: Keeper) -> ToolShown:
    return _shown(await db.write(lambda now: tools.add(now, ask.model_dump(), by=keeper.user_id)))


@routes.get("")
async def list_tools(
    db: Db, _: Reader, asked: Paging, q: Search = None, category: Annotated[ShortLine | None, Query()] = None
) -> Page[ToolShown]:
    """Everybody's, the newest first."""
    rows, next_cursor = await db.read(lambda now: tools.list_all(now, asked, text=q, category=category))
    return Page(items=[_shown(row) for row in rows], next_cursor=next_cursor)


@routes.get("/{tool_id}")
async def get_tool(tool_id: str, db: Db, _: Reader) -> ToolShown:
    return _shown(await db.read(lambda now: tools.find(now, tool_id)))


@routes.patch("/{tool_id}")
async def change_tool(tool_id: str, ask: ToolChange, db: Db, keeper: Keeper) -> ToolShown:
    values = ask.model_dump(exclude_unset=True)
    return _shown(await db.write(lambda now: tools.change(now, tool_id, values, by=keeper.user_id)))


@routes.delete("/{tool_id}", status_code=204)
async def delete_tool(tool_id: str, db: Db, keeper: Keeper) -> None:
    """Out of use, if no kit holds it; its history stays."""
    await db.write(lambda now: tools.delete(now, tool_id, by=keeper.user_id))


def _shown(tool: Tool) -> ToolShown:
    return ToolShown.model_validate(tool, from_attributes=True)
