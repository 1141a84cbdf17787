"""The eleven tools and the kit of them that the first start puts in, so that there is something to photograph."""

import sqlalchemy as sa

from retinue.base.database import Transaction
from retinue.catalog.tables import Model
from retinue.toolkits import kits, tools
from retinue.toolkits.kits import Item
from retinue.toolkits.tables import Kit, Tool

MODEL = "toolbox"
_LOCK = 5_248_303  # any number, the same on every node
# Name, category; the label is the name in small letters, as the shipped detector says it.
TOOLS: tuple[tuple[str, str], ...] = (
    ("Slotted screwdriver", "screwdrivers"),
    ("Phillips screwdriver", "screwdrivers"),
    ("Offset screwdriver", "screwdrivers"),
    ("Hand drill brace", "drilling"),
    ("Safety-wire pliers", "pliers"),
    ("Pliers", "pliers"),
    ("Shears", "cutting"),
    ("Adjustable wrench", "wrenches"),
    ("Can opener", "openers"),
    ("Combination wrench", "wrenches"),
    ("Side cutters", "cutting"),
)


def put_in_first(now: Transaction) -> None:
    """Only where there was never a tool or a kit: what somebody deleted does not come back."""
    if now.connection.dialect.name == "postgresql":  # on SQLite the transaction itself is the lock
        now.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    if now.value(sa.select(Tool.id).limit(1)) or now.value(sa.select(Kit.id).limit(1)):
        return
    added = [
        tools.add(
            now,
            {"name": name, "serial_number": f"RT-{number:03d}", "category": category, "label": name.lower()},
            by=None,
        )
        for number, (name, category) in enumerate(TOOLS, start=1)
    ]
    model = MODEL if now.value(sa.select(Model.id).where(Model.name == MODEL)) else None
    values = {"name": "Hand toolkit", "description": "The eleven tools that the built-in model knows.", "model": model}
    kits.add(now, values, [Item(tool.id, 1) for tool in added], by=None)
