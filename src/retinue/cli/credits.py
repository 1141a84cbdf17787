"""`retinue credits …`: look at somebody's credits, add some, verify the whole ledger. Works on the database itself."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Annotated, TypeVar

import cyclopts
import orjson
from cyclopts import Parameter

from retinue.accounts.audit import CONSOLE
from retinue.assembly import LEDGER_CHECKS
from retinue.base.database import Database, Transaction
from retinue.base.errors import Invalid
from retinue.base.settings import read_settings
from retinue.cli.showing import Json
from retinue.credits import ledger
from retinue.credits.admin_routes import recharge, user_id_of
from retinue.credits.shapes import as_credits, as_hundredths
from retinue.credits.verifying import verify as verify_ledger

T = TypeVar("T")
app = cyclopts.App(name="credits", help="Look at credits, add some, verify the ledger.", result_action="return_value")
Who = Annotated[str, Parameter(help="Address or id of the user.")]


@app.command
def show(who: Who, /, *, as_json: Json = False) -> int:
    """What somebody has, and what of it is set aside for work under way."""
    _tell(who, lambda now: ledger.balance(now, user_id_of(now, who)), as_json=as_json)
    return 0


@app.command
def add(
    who: Who,
    amount: Annotated[Decimal, Parameter(help="Credits; negative takes back what was too much.")],
    /,
    *,
    reason: Annotated[str, Parameter(help="Shown to the user and kept in the audit trail.")] = "added at the console",
    as_json: Json = False,
) -> int:
    """Add credits to somebody's account."""
    hundredths = _hundredths(amount)

    def add_and_look(now: Transaction) -> ledger.Balance:
        user_id = user_id_of(now, who)
        recharge(now, user_id, hundredths, actor=CONSOLE, reason=reason)
        return ledger.balance(now, user_id)

    _tell(who, add_and_look, as_json=as_json, writes=True)
    return 0


@app.command
def verify(*, as_json: Json = False) -> int:
    """Recompute every balance from the ledger's entries. Exit code 1 when something is not right."""
    with _database() as database:
        found = database.read_now(lambda now: verify_ledger(now, more=LEDGER_CHECKS.more))
    if as_json:
        print(orjson.dumps({"ok": not found, "violations": found}).decode())
    else:
        for one in found:
            print(f"{one.rule}  {one.about}  {one.words}")
        print("Something is not right" if found else "Every hundredth is where it should be", file=sys.stderr)
    return 1 if found else 0


def _tell(who: str, work: Callable[[Transaction], ledger.Balance], *, as_json: bool, writes: bool = False) -> None:
    with _database() as database:
        has = database.write_now(work) if writes else database.read_now(work)
    shown = {"balance": has.balance, "held": has.held, "available": has.available}
    if as_json:
        print(orjson.dumps({name: as_credits(value) for name, value in shown.items()}).decode())
        return
    print(f"{who}: " + ", ".join(f"{name} {as_credits(value):.2f}" for name, value in shown.items()))


def _hundredths(amount: Decimal) -> int:
    if amount != amount.quantize(Decimal("0.01")) or amount == 0:
        raise Invalid("An amount has at most two places and is not 0")
    return as_hundredths(amount)


@contextmanager
def _database() -> Iterator[Database]:
    database = Database(read_settings().database)
    try:
        yield database
    finally:
        database.close()
