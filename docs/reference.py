"""Writes docs/reference and docs/openapi.json from the code that decides them; `--check` fails when they are behind."""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from retinue import assembly
from retinue.base.errors import RetinueError
from retinue.base.settings import Settings
from retinue.base.tables import Instant, Row
from retinue.cli.main import COMMANDS, app
from retinue.vision.errors import VisionError
from retinue.web.problems import status_of

HERE = Path(__file__).parent
NOTE = "<!-- Written by `make reference` from the code; change it there. -->\n\n"


def main() -> None:
    behind = []
    for name, text in pages():
        file = HERE / name
        if file.exists() and file.read_text("utf-8") == text:
            continue
        behind.append(name)
        if "--check" not in sys.argv:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
    if behind and "--check" in sys.argv:
        sys.exit(f"Behind the code: {', '.join(behind)}. Run: make reference")


def pages() -> Iterator[tuple[str, str]]:
    document = openapi()
    yield "openapi.json", json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    yield "reference/settings.md", NOTE + settings_page()
    yield "reference/errors.md", NOTE + errors_page()
    yield "reference/commands.md", NOTE + commands_page()
    yield "reference/api.md", NOTE + api_page(document)
    yield "data.md", NOTE + data_page()


def openapi() -> dict:
    with tempfile.TemporaryDirectory() as folder:
        house = assembly.open_house(Settings(data_dir=Path(folder)))
        try:
            return assembly.application(house).openapi()
        finally:
            house.close()


def settings_page() -> str:
    lines = ["# Settings\n", Settings.__doc__ or "", "| setting | default | what it does |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True, validated_data={})
        shown = "" if default in (None, [], "") else f"`{default}`"
        lines.append(f"| `RETINUE_{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(line for line in lines if line) + "\n"


def errors_page() -> str:
    found = {error.code: error for root in (RetinueError, VisionError) for error in _family(root)}
    lines = ["# Errors\n", "Every answer that is not a success is a problem document with one of these codes.\n"]
    lines += ["| code | status | what it says |", "|---|---|---|"]
    for code, error in sorted(found.items()):
        lines.append(f"| `{code}` | {status_of(error.__new__(error))} | {error.title} |")
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    lines = ["# Commands\n"]
    for name in sorted(COMMANDS):
        lines += [f"## `retinue {name}`\n", "```text", _help_of(name), "```\n"]
        for below in (one for one in app[name] if not one.startswith("-")):
            lines += [f"### `retinue {name} {below}`\n", "```text", _help_of(name, below), "```\n"]
    return "\n".join(lines)


def api_page(document: dict) -> str:
    lines = [
        "# Routes\n",
        "The full document is [openapi.json](../openapi.json); a running server shows it at `/docs`.\n",
    ]
    lines += ["| route | operation | what it does |", "|---|---|---|"]
    for path, operations in sorted(document["paths"].items()):
        for method, operation in operations.items():
            words = (operation.get("description") or operation.get("summary", "")).split("\n")[0]
            lines.append(f"| `{method.upper()} {path}` | `{operation['operationId']}` | {words} |")
    return "\n".join(lines) + "\n"


def data_page() -> str:
    """Every table by its room, with the words that stand where it is defined."""
    lines = ["# What the database holds\n", "Room by room. The lines of the diagram are foreign keys.\n"]
    rooms: dict[str, list[type[Row]]] = {}
    for table in sorted(_family(Row), key=lambda one: one.__name__):
        if table is not Row:
            rooms.setdefault(table.__module__, []).append(table)
    lines += ["```mermaid", "erDiagram", *_relations(), "```\n"]
    for module, tables in sorted(rooms.items()):
        lines += [f"## {module.split('.')[1]}\n", f"{sys.modules[module].__doc__ or ''}".strip() + "\n"]
        for one in tables:
            own = one.__dict__.get("__doc__")
            lines += [f"### `{one.__tablename__}`\n", *([" ".join(own.split()) + "\n"] if own else [])]
            lines += ["| column | type | |", "|---|---|---|"]
            lines += [*(_column_line(column) for column in one.__table__.columns), ""]
    return "\n".join(lines)


def _relations() -> Iterator[str]:
    for table in sorted(Row.metadata.tables.values(), key=lambda one: one.name):
        for key in sorted(table.foreign_keys, key=lambda one: one.parent.name):
            yield f"  {key.column.table.name} ||--o{{ {table.name} : {key.parent.name}"


def _column_line(column: sa.Column) -> str:
    marks = ["key"] if column.primary_key else []
    marks += [f"→ `{key.column.table.name}`" for key in column.foreign_keys]
    marks += ["may be empty"] if column.nullable else []
    return f"| `{column.name}` | {_kind_of(column.type)} | {', '.join(marks)} |"


def _kind_of(kind: Any) -> str:
    return "moment" if isinstance(kind, Instant) else str(kind).lower()


def _family(root: type) -> Iterator[type]:
    yield root
    for child in root.__subclasses__():
        yield from _family(child)


def _help_of(*names: str) -> str:
    import io

    from rich.console import Console

    out = io.StringIO()
    app.help_print([*names], console=Console(file=out, width=100, no_color=True, legacy_windows=False))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()).strip()


if __name__ == "__main__":
    main()
