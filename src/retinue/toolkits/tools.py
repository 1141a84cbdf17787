"""How a tool is made, changed, found and taken out of use."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from retinue.accounts import audit
from retinue.base.database import Transaction
from retinue.base.errors import Conflict, NotFound
from retinue.base.ids import new_id
from retinue.base.paging import Asked
from retinue.toolkits.tables import Kit, KitItem, Tool


class NoSuchTool(NotFound):
    code = "no-such-tool"
    title = "There is no such tool"


class SerialNumberTaken(Conflict):
    code = "serial-number-taken"
    title = "Another tool has this serial number"


class ToolInKit(Conflict):
    code = "tool-in-kit"
    title = "This tool belongs to a kit; take it out of the kit first"


def add(now: Transaction, values: Mapping[str, Any], *, by: str | None) -> Tool:
    tool_id = new_id(now.time)
    with _serial_number_kept_unique(now):
        now.insert(Tool, {**values, "id": tool_id, "created_at": now.time, "updated_at": now.time})
    audit.record(now, by or audit.CONSOLE, "tool.add", tool_id, {"name": values["name"]})
    return find(now, tool_id)


def find(now: Transaction, tool_id: str, *, deleted_too: bool = False) -> Tool:
    asked = sa.select(Tool).where(Tool.id == tool_id)
    if not deleted_too:
        asked = asked.where(Tool.deleted_at.is_(None))
    found = now.first(asked)
    if found is None:
        raise NoSuchTool()
    return found


def list_all(
    now: Transaction, asked: Asked, *, text: str | None, category: str | None
) -> tuple[list[Tool], str | None]:
    wanted = sa.select(Tool).where(Tool.deleted_at.is_(None))
    if text:
        columns = (Tool.name, Tool.serial_number, Tool.label)
        wanted = wanted.where(sa.or_(*(column.icontains(text, autoescape=True) for column in columns)))
    if category is not None:
        wanted = wanted.where(Tool.category == category)
    return asked.newest_first(now, wanted, Tool.id, of="tools")


def change(now: Transaction, tool_id: str, values: Mapping[str, Any], *, by: str) -> Tool:
    """Also its label: from then on other things are seen as this tool."""
    find(now, tool_id)
    if values:
        with _serial_number_kept_unique(now):
            now.execute(sa.update(Tool).where(Tool.id == tool_id).values(**values, updated_at=now.time))
        audit.record(now, by, "tool.change", tool_id, {"fields": sorted(values)})
    return find(now, tool_id)


def delete(now: Transaction, tool_id: str, *, by: str) -> None:
    """Out of use, with its history kept."""
    find(now, tool_id)
    inside = (
        sa.select(Kit.name)
        .join(KitItem, KitItem.kit_id == Kit.id)
        .where(KitItem.tool_id == tool_id, Kit.deleted_at.is_(None))
    )
    if (kit := now.value(inside)) is not None:
        raise ToolInKit(f"It belongs to the kit {kit!r}; take it out of that first")
    now.execute(sa.update(Tool).where(Tool.id == tool_id).values(deleted_at=now.time))
    audit.record(now, by, "tool.delete", tool_id)


@contextmanager
def _serial_number_kept_unique(now: Transaction) -> Iterator[None]:
    """The index decides, in a savepoint: a look beforehand would miss a twin that commits in between."""
    try:
        with now.connection.begin_nested():
            yield
    except sa.exc.IntegrityError as twin:
        raise SerialNumberTaken() from twin
