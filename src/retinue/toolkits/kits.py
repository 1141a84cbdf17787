"""How a kit is made, changed, found and taken out of use, and what it should hold."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from retinue.accounts import audit
from retinue.base.database import Database, Transaction
from retinue.base.errors import Conflict, Invalid, NotFound
from retinue.base.ids import new_id
from retinue.base.paging import Asked
from retinue.catalog.serving import model_named
from retinue.media import keeping
from retinue.media.keeping import Kept
from retinue.toolkits.checking import Wanted, compare_answer
from retinue.toolkits.tables import Kit, KitItem, Tool
from retinue.toolkits.tools import NoSuchTool

TASKS = ("detect", "segment")


class NoSuchKit(NotFound):
    code = "no-such-toolkit"
    title = "There is no such toolkit"


class KitNameTaken(Conflict):
    code = "toolkit-name-taken"
    title = "Another kit has this name"


class KitOut(Conflict):
    code = "toolkit-out"
    title = "This kit is out; it can be changed or issued when it is back"


class ToolTwice(Invalid):
    code = "tool-twice"
    title = "A kit names each tool once, with its quantity"


class ModelCannotCheck(Invalid):
    code = "model-cannot-check"
    title = "Only a model that detects or segments can check a kit"


@dataclass(frozen=True, slots=True)
class Contents:
    """A kit as it was when somebody began to check it."""

    id: str
    name: str
    model: str | None
    changes: int
    wanted: tuple[Wanted, ...]

    def compare(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """What `/predict` answers and remembers about this kit."""
        return {"toolkit_id": self.id, **compare_answer(self.wanted, result).as_json()}


@dataclass(frozen=True, slots=True)
class Item:
    tool_id: str
    quantity: int


def add(now: Transaction, values: Mapping[str, Any], items: Sequence[Item], *, by: str | None) -> Kit:
    """`values` are name, description and model."""
    _check_model(now, values.get("model"))
    kit_id = new_id(now.time)
    row = {**values, "id": kit_id, "changes": 0, "created_at": now.time, "updated_at": now.time}
    with _name_kept_unique(now):
        now.insert(Kit, row)
    _put_in(now, kit_id, items)
    audit.record(now, by or audit.CONSOLE, "toolkit.add", kit_id, {"name": values["name"]})
    return find(now, kit_id)


def find(now: Transaction, kit_id: str) -> Kit:
    found = now.first(sa.select(Kit).where(Kit.id == kit_id, Kit.deleted_at.is_(None)))
    if found is None:
        raise NoSuchKit()
    return found


def list_all(now: Transaction, asked: Asked, *, text: str | None, out: bool | None) -> tuple[list[Kit], str | None]:
    wanted = sa.select(Kit).where(Kit.deleted_at.is_(None))
    if text:
        columns = (Kit.name, Kit.description)
        wanted = wanted.where(sa.or_(*(column.icontains(text, autoescape=True) for column in columns)))
    if out is not None:
        wanted = wanted.where(Kit.loan_id.is_not(None) if out else Kit.loan_id.is_(None))
    return asked.newest_first(now, wanted, Kit.id, of="toolkits")


def change(now: Transaction, kit_id: str, values: Mapping[str, Any], items: Sequence[Item] | None, *, by: str) -> Kit:
    """Contents only while it is in: it comes back against what it was when it went out."""
    find(now, kit_id)
    if "model" in values:
        _check_model(now, values["model"])
    changing = sa.update(Kit).where(Kit.id == kit_id, Kit.deleted_at.is_(None))
    changed = {**values, "updated_at": now.time}
    if items is not None:
        changing = changing.where(Kit.loan_id.is_(None))
        changed["changes"] = Kit.changes + 1
    with _name_kept_unique(now):
        if not now.changed(changing.values(changed)):
            raise KitOut("Its contents can be changed when it is back")
    if items is not None:
        now.execute(sa.delete(KitItem).where(KitItem.kit_id == kit_id))
        _put_in(now, kit_id, items)
    fields = sorted({*values, *(["items"] if items is not None else [])})
    audit.record(now, by, "toolkit.change", kit_id, {"fields": fields})
    return find(now, kit_id)


def delete(now: Transaction, kit_id: str, *, by: str) -> None:
    """Out of use, with its loans kept; not while it is out."""
    find(now, kit_id)
    going = sa.update(Kit).where(Kit.id == kit_id, Kit.deleted_at.is_(None), Kit.loan_id.is_(None))
    if not now.changed(going.values(deleted_at=now.time)):
        raise KitOut("It can be deleted when it is back")
    audit.record(now, by, "toolkit.delete", kit_id)


def show(now: Transaction, kit_id: str, picture: Kept, *, by: str) -> Kit:
    """A new reference picture in the place of the old one."""
    before = find(now, kit_id)
    keeping.claim(now, by, picture)
    now.execute(sa.update(Kit).where(Kit.id == kit_id).values(picture_id=picture.id, updated_at=now.time))
    if before.picture_id is not None:
        keeping.forget(now, [before.picture_id])
    return find(now, kit_id)


async def open_kit(database: Database, kit_id: str) -> Contents:
    """For whoever holds an answer against it."""
    return await database.read(lambda now: contents_of(now, kit_id))


def contents_of(now: Transaction, kit_id: str) -> Contents:
    kit = find(now, kit_id)
    return Contents(kit.id, kit.name, kit.model, kit.changes, tuple(wanted_in(now, [kit.id]).get(kit.id, ())))


def wanted_in(now: Transaction, kit_ids: Sequence[str]) -> dict[str, list[Wanted]]:
    """What belongs into each of these kits, in the order it was told."""
    columns = (Tool.id.label("tool_id"), Tool.name, Tool.serial_number, Tool.label.label("told_as"))
    asked = (
        sa.select(KitItem.kit_id, KitItem.quantity, *columns)
        .join(Tool, Tool.id == KitItem.tool_id)
        .where(KitItem.kit_id.in_(kit_ids))
        .order_by(KitItem.kit_id, KitItem.place)
    )
    found: dict[str, list[Wanted]] = {}
    for row in now.rows(asked):
        wanted = Wanted(row.tool_id, row.name, row.serial_number, row.told_as, row.quantity)
        found.setdefault(row.kit_id, []).append(wanted)
    return found


def _put_in(now: Transaction, kit_id: str, items: Sequence[Item]) -> None:
    ids = [item.tool_id for item in items]
    if len(set(ids)) < len(ids):
        raise ToolTwice()
    known = {row.id for row in now.rows(sa.select(Tool.id).where(Tool.id.in_(ids), Tool.deleted_at.is_(None)))}
    if unknown := [tool_id for tool_id in ids if tool_id not in known]:
        raise NoSuchTool(f"There is no tool {unknown[0][:36]!r}")
    rows = [
        {"kit_id": kit_id, "tool_id": item.tool_id, "place": place, "quantity": item.quantity}
        for place, item in enumerate(items)
    ]
    if rows:
        now.insert(KitItem, rows)


def _check_model(now: Transaction, name: str | None) -> None:
    if name is not None and (task := model_named(now, name).task) not in TASKS:
        raise ModelCannotCheck(f"{name} does {task}")


@contextmanager
def _name_kept_unique(now: Transaction) -> Iterator[None]:
    """The index decides, in a savepoint: a look beforehand would miss a twin that commits in between."""
    try:
        with now.connection.begin_nested():
            yield
    except sa.exc.IntegrityError as twin:
        raise KitNameTaken() from twin
