"""`retinue dataset …`: made, filled, listed and exported, on a server."""

from pathlib import Path
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from retinue.cli.progress import bytes_bar
from retinue.cli.reaching import NOWHERE, At
from retinue.cli.showing import Json, say, show_json, show_table
from retinue.client.datasets import Layout, Said

app = cyclopts.App(name="dataset", help="Make, fill, list and export datasets.", result_action="return_value")
Name = Annotated[str, Parameter(help="Name of the dataset.")]


@app.command
def create(name: Name, /, *, tag: tuple[str, ...] = (), as_json: Json = False, at: At = NOWHERE) -> int:
    """An empty dataset.

    For example:

    ```console
    $ retinue dataset create kit-7 --tag night-shift
    ```
    """
    with at.client() as client:
        made = client.datasets.create(name, tags=tag)
    if as_json:
        show_json(made.model_dump(mode="json"))
    else:
        print(made.id)
    return 0


@app.command
def push(
    name: Name,
    files: Annotated[
        tuple[Path, ...], Parameter(help="Pictures, videos, ZIPs, or folders of them; a mask has `mask` in its name.")
    ],
    /,
    *,
    group: Annotated[str | None, Parameter(help="Group for all of it; unset: the folders' names.")] = None,
    fps: Annotated[float | None, Parameter(help="Frames per second that are taken from videos.")] = None,
    dry_run: Annotated[bool, Parameter(negative=(), help="Report and price only.")] = False,
    at_once: Annotated[int, Parameter(help="Files that are sent at once.")] = 4,
    as_json: Json = False,
    at: At = NOWHERE,
) -> int:
    """Send files into a dataset; it is made if it is not there. Exit code 1 when some of them were refused.

    Sent again, only what is not there yet travels: after a failure, push the same files again. Files above 16 MiB go in
    pieces and continue where they stood.

    For example:

    ```console
    $ retinue dataset push kit-7 photos/
    $ retinue dataset push kit-7 night.zip --dry-run
    ```
    """
    from retinue.cli.pushing import Push

    with at.client() as client:
        told = Push(client, name, group=group, fps=fps, dry_run=dry_run, at_once=at_once).run(files)
    if as_json:
        show_json(told.as_json())
    else:
        for refused, reason in told.rejected:
            say(f"{refused}: {reason}")
        print(
            f"{told.accepted} taken in, {told.there} were there, {len(told.rejected)} refused, {told.cost:.2f} credits"
        )
    return 1 if told.rejected else 0


@app.command(name="list")
def list_datasets(*, tag: str | None = None, as_json: Json = False, at: At = NOWHERE) -> int:
    """Yours, the newest first."""
    with at.client() as client:
        found = [one.model_dump(mode="json") for one in client.datasets.list(tag=tag)]
    if as_json:
        show_json(found)
        return 0
    rows = [(one["name"], one["items"], one["pictures"], one["videos"], ", ".join(one["tags"])) for one in found]
    show_table(("Dataset", "Items", "Pictures", "Videos", "Tags"), rows)
    return 0


@app.command
def export(
    name: Name,
    /,
    *,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"], help="Unset: NAME.zip here.")] = None,
    layout: Annotated[Layout, Parameter(help="`masks` is what an import reads back.")] = "masks",
    split: Annotated[str | None, Parameter(help="Shares of train/val/test: 80/10/10.")] = None,
    seed: Annotated[int | None, Parameter(help="The same seed makes the same split.")] = None,
    including: Annotated[
        tuple[Said, ...],
        Parameter(name="--with", help="Also what models answered, and what people said of it; may be repeated."),
    ] = (),
    model: Annotated[str | None, Parameter(help="Only answers of this model.")] = None,
    at: At = NOWHERE,
) -> int:
    """Everything as a ZIP; its path is printed.

    For example:

    ```console
    $ retinue dataset export kit-7 --layout coco --split 80/10/10
    $ retinue dataset export kit-7 --layout coco --with predictions --with feedback
    ```
    """
    with at.client() as client, bytes_bar(f"export {name}") as told:
        file = client.datasets.export(
            name,
            out or Path(f"{name}.zip"),
            layout=layout,
            split=split,
            seed=seed,
            including=including,
            model=model,
            on_progress=told,
        )
    print(file)
    return 0
