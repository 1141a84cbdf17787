"""`retinue credits …`: what people have, and the whole ledger, of this machine's house or of a server that is named."""

import json
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import cyclopts
from cyclopts import Parameter

from retinue.cli.reaching import NOWHERE, At
from retinue.cli.showing import Json
from retinue.client import RetinueError

if TYPE_CHECKING:
    from retinue.cli.local_credits import Here
    from retinue.cli.server_credits import There

app = cyclopts.App(
    name="credits",
    help="Look at credits, add some, verify the ledger: here, or with `--server` or `--profile` on a server.",
    result_action="return_value",
)
Who = Annotated[str, Parameter(help="Address or id of the user.")]


class NotAnAmount(RetinueError):
    @property
    def title(self) -> str:
        return "This is no amount of credits"


@app.command
def show(who: Who, /, *, as_json: Json = False, at: At = NOWHERE) -> int:
    """What somebody has, and what of it is set aside for work under way."""
    _tell(who, _credits(at).show(who), as_json=as_json)
    return 0


@app.command
def add(
    who: Who,
    amount: Annotated[Decimal, Parameter(help="Credits; negative takes back what was too much.")],
    /,
    *,
    reason: Annotated[str, Parameter(help="Shown to the user and kept in the audit trail.")] = "added at the console",
    as_json: Json = False,
    at: At = NOWHERE,
) -> int:
    """Add credits to somebody's account."""
    if amount != amount.quantize(Decimal("0.01")) or amount == 0:
        raise NotAnAmount("It has at most two places and is not 0")
    _tell(who, _credits(at).add(who, amount, reason=reason), as_json=as_json)
    return 0


@app.command
def verify(*, as_json: Json = False, at: At = NOWHERE) -> int:
    """Recompute every balance from the ledger's entries. Exit code 1 when something is not right."""
    found = _credits(at).verify()
    if as_json:
        print(json.dumps({"ok": not found, "violations": found}))
    else:
        for one in found:
            print(f"{one['rule']}  {one['about']}  {one['words']}")
        print("Something is not right" if found else "Every hundredth is where it should be", file=sys.stderr)
    return 1 if found else 0


def _credits(at: At) -> "Here | There":
    if at.is_named():
        from retinue.cli.server_credits import There

        return There(at)
    from retinue.cli.local_credits import Here

    return Here()


def _tell(who: str, has: dict[str, float], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(has))
    else:
        print(f"{who}: " + ", ".join(f"{name} {value:.2f}" for name, value in has.items()))
