"""`retinue kit issue`, `return` and `loans`: a kit changes hands, on a server."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from cyclopts import Parameter

from retinue.cli.kit import kit_named
from retinue.cli.reaching import NOWHERE, At
from retinue.cli.showing import Json, say, show_json, show_table
from retinue.client import RetinueError
from retinue.client.lending import HandOver, Loan
from retinue.client.toolkits import Kit

Which = Annotated[str, Parameter(help="Name or id of the kit.")]
Picture = Annotated[Path | None, Parameter(help="Photograph of what is in it; without one, a person has checked it.")]
Tools = Annotated[tuple[str, ...], Parameter(help="Name or id of a tool, against the picture; may be repeated.")]
Missing = Annotated[tuple[str, ...], Parameter(help="Name or id of a tool that is not there; may be repeated.")]
Reason = Annotated[str | None, Parameter(help="Why it changes hands although something is missing.")]
Signed = Annotated[tuple[str, ...], Parameter(help="Who signs; may be repeated.")]
Place = Annotated[str | None, Parameter(help="Where it happens.")]
Refuse = Annotated[bool, Parameter(negative=(), help="It stays where it is; this is only put on record.")]


class NoSuchTool(RetinueError):
    @property
    def title(self) -> str:
        return "There is no such tool in the kit"


def issue(
    kit: Which,
    picture: Picture = None,
    /,
    *,
    to: Annotated[str | None, Parameter(help="Employee number of who gets it; unset: you.")] = None,
    due: Annotated[datetime | None, Parameter(help="When it shall be back.")] = None,
    present: Tools = (),
    missing: Missing = (),
    reason: Reason = None,
    signed_by: Signed = (),
    place: Place = None,
    refuse: Refuse = False,
    as_json: Json = False,
    at: At = NOWHERE,
) -> int:
    """Hand a kit out. What is missing needs a reason, and makes the exit code 1.

    For example:

    ```console
    $ retinue kit issue "Mechanic's kit" crib-7.jpg --to 4711
    $ retinue kit issue "Mechanic's kit" --to 4711 --missing "Adjustable wrench" --reason "on order"
    ```
    """
    with at.client() as client:
        found = kit_named(client, kit)
        told = _told(found, to, present, missing, reason, signed_by, place, refuse)
        if due is not None:
            told["due_at"] = due.astimezone()
        return _tell(client.kits.issue(found.id, picture, **told), as_json=as_json)


def take_back(
    kit: Which,
    picture: Picture = None,
    /,
    *,
    of: Annotated[str | None, Parameter(name="--from", help="Employee number of who brings it; unset: you.")] = None,
    present: Tools = (),
    missing: Missing = (),
    reason: Reason = None,
    signed_by: Signed = (),
    place: Place = None,
    refuse: Refuse = False,
    as_json: Json = False,
    at: At = NOWHERE,
) -> int:
    """Take a kit back. What is missing needs a reason, and makes the exit code 1.

    For example:

    ```console
    $ retinue kit return "Mechanic's kit" crib-7.jpg --from 4711
    ```
    """
    with at.client() as client:
        found = kit_named(client, kit)
        told = _told(found, of, present, missing, reason, signed_by, place, refuse)
        return _tell(client.kits.take_back(found.id, picture, **told), as_json=as_json)


def list_loans(
    *,
    kit: Annotated[str | None, Parameter(help="Only of this kit.")] = None,
    of: Annotated[str | None, Parameter(name="--of", help="Only of who has this employee number.")] = None,
    kind: Annotated[Literal["issue", "return"] | None, Parameter(name="--type", help="Only these.")] = None,
    out: Annotated[bool, Parameter(negative=(), help="Only kits that are out.")] = False,
    overdue: Annotated[bool, Parameter(negative=(), help="Only kits that should be back by now.")] = False,
    as_json: Json = False,
    at: At = NOWHERE,
) -> int:
    """What was handed out and taken back, the newest first: yours, or everybody's for operators."""
    with at.client() as client:
        kit_id = None if kit is None else kit_named(client, kit).id
        found = [*client.loans.list(type=kind, kit_id=kit_id, employee_number=of, open=out, overdue=overdue)]
    if as_json:
        show_json([one.model_dump(mode="json") for one in found])
        return 0
    rows = [
        (f"{one.time:%Y-%m-%d %H:%M}", one.type, one.kit["name"], _person(one), one.status, _state(one), one.id)
        for one in found
    ]
    show_table(("Time", "Type", "Kit", "Person", "Status", "Is", "Id"), rows)
    return 0


def _told(
    kit: Kit,
    number: str | None,
    present: tuple[str, ...],
    missing: tuple[str, ...],
    reason: str | None,
    signed_by: tuple[str, ...],
    place: str | None,
    refuse: bool,
) -> HandOver:
    corrections = [{"tool_id": _tool(kit, tool), "present": True} for tool in present]
    corrections += [{"tool_id": _tool(kit, tool), "present": False} for tool in missing]
    said: dict[str, Any] = {
        "employee_number": number,
        "corrections": corrections,
        "reason": reason,
        "signed_by": list(signed_by),
        "place": place,
        "refused": refuse,
    }
    return cast(HandOver, {name: value for name, value in said.items() if value})


def _tool(kit: Kit, named: str) -> str:
    for item in kit.items:
        if named in {item.tool_id, item.name, item.label}:
            return item.tool_id
    raise NoSuchTool(f"{kit.name} has nothing called {named!r}; it has {', '.join(item.name for item in kit.items)}")


def _tell(loan: Loan, *, as_json: bool) -> int:
    for words in _lines(loan):
        say(words)
    if as_json:
        show_json(loan.model_dump(mode="json"))
    else:
        print(loan.id)
    return 1 if loan.status in {"incomplete", "refused"} else 0


def _lines(loan: Loan) -> Iterator[str]:
    yield f"{loan.type} of {loan.kit['name']}, {_person(loan)}: {loan.status}"
    for words, tools in (("missing", loan.missing), ("extra", loan.extra)):
        for tool in tools:
            yield f"{words} {tool['name']}"


def _person(loan: Loan) -> str:
    told = (loan.person["name"], loan.person["surname"], loan.person["employee_number"])
    return " ".join(one for one in told if one) or loan.person["id"]


def _state(loan: Loan) -> str:
    if loan.overdue:
        return "overdue"
    return "out" if loan.open else ""
