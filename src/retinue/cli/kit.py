"""`retinue kit …`: what of a kit is in a picture, and into whose hands it goes, on a server."""

from pathlib import Path
from typing import Annotated

import cyclopts
from cyclopts import Parameter
from rich.console import Console

from retinue.cli.reaching import NOWHERE, At
from retinue.cli.showing import Json, say, show_json, show_table
from retinue.client import Client, RetinueError
from retinue.client.toolkits import Check, Kit

app = cyclopts.App(
    name="kit", help="Check tool kits against pictures, hand them out, take them back.", result_action="return_value"
)
for name, place in {"issue": "issue", "return": "take_back", "loans": "list_loans"}.items():
    app.command(f"retinue.cli.lending:{place}", name=name)


class NoSuchKit(RetinueError):
    @property
    def title(self) -> str:
        return "There is no such kit"


@app.command(name="list")
def list_kits(*, as_json: Json = False, at: At = NOWHERE) -> int:
    """Kits, and whether they are here."""
    with at.client() as client:
        found = [one.model_dump(mode="json") for one in client.kits.list()]
    if as_json:
        show_json(found)
        return 0
    rows = [
        (one["name"], sum(item["quantity"] for item in one["items"]), "out" if one["out"] else "here", one["id"])
        for one in found
    ]
    show_table(("Kit", "Tools", "Is", "Id"), rows)
    return 0


@app.command
def check(
    kit: Annotated[str, Parameter(help="Name or id of the kit.")],
    picture: Annotated[Path, Parameter(help="Photograph of what is in it.")],
    /,
    *,
    confidence: Annotated[float | None, Parameter(help="Floor for every class; unset: the model's thresholds.")] = None,
    save: Annotated[Path | None, Parameter(help="Folder for the marked-up picture.")] = None,
    as_json: Json = False,
    at: At = NOWHERE,
) -> int:
    """Say what is present, missing, extra and unsure. Exit code 1 when the kit is not complete.

    For example:

    ```console
    $ retinue kit check "Mechanic's kit" crib-7.jpg --save marked
    ```
    """
    with at.client() as client:
        told = client.kits.check(kit_named(client, kit).id, picture, confidence=confidence)
        if save is not None:
            save.mkdir(parents=True, exist_ok=True)
            say(str(client.media.save(told.annotated_url, save / f"{picture.stem}-checked.jpg")))
    if as_json:
        show_json(told.model_dump(mode="json"))
    else:
        _tell(told)
    return 0 if told.complete else 1


def _tell(told: Check) -> None:
    console = Console(highlight=False, soft_wrap=True)
    unsure = {one.tool_id for one in told.unsure}
    missing = [one for one in told.missing if one.tool_id not in unsure]
    lines = {"present": told.present, "missing": missing, "unsure": told.unsure, "extra": told.extra}
    for words, found in lines.items():
        for one in found:
            sure = "" if one.score is None else f"  {one.score:.2f}"
            console.print(f"{words:<8} {one.name}{sure}")
    console.print("[bold]complete[/bold]" if told.complete else "[bold]not complete[/bold]")


def kit_named(client: Client, kit: str) -> Kit:
    for one in client.kits.list():
        if kit in {one.id, one.name}:
            return one
    raise NoSuchKit(f"Nothing is called {kit!r}; `retinue kit list` shows what there is")
