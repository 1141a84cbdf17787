"""How an answer is shown: data on standard output, as a table or as JSON; everything else on standard error."""

import json
import sys
from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

Json = Annotated[bool, Parameter(name="--json", negative=(), help="JSON instead of words.")]


def show_json(told: Any) -> None:
    print(json.dumps(told, indent=1, ensure_ascii=False, default=str))


def show_line(told: Any) -> None:
    """One JSON document a line, for programs that read while we write."""
    print(json.dumps(told, ensure_ascii=False, default=str), flush=True)


def show_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    Console().print(table)


def say(words: str) -> None:
    print(words, file=sys.stderr)
