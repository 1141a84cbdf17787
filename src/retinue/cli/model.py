"""`retinue model …`: the table of its commands, on this machine's own house or on a server that is named."""

from pathlib import Path
from typing import Annotated, Any, Literal

import cyclopts
from cyclopts import Parameter

from retinue.cli.reaching import NOWHERE, At
from retinue.cli.showing import Json, show_json, show_table

app = cyclopts.App(name="model", help="Add, list, activate and measure models.", result_action="return_value")
for name in ("tune", "quantize", "bench"):
    app.command(f"retinue.cli.local_models:{name}", name=name)
Name = Annotated[str, Parameter(help="Name of the model.")]
Version = Annotated[str, Parameter(help="Number of the version.")]


@app.command
def add(
    source: Annotated[str, Parameter(help="FILE.onnx, a folder or ZIP with one, https://… or hf://owner/name[:file].")],
    /,
    *,
    name: Annotated[str | None, Parameter(help="Unset: the file's own name.")] = None,
    task: Annotated[
        Literal["classify", "detect", "segment", "inpaint"] | None,
        Parameter(help="What it does, where the file does not say."),
    ] = None,
    labels: Annotated[Path | None, Parameter(help="File with one class name per line.")] = None,
    size: Annotated[str | None, Parameter(help="Picture size it was trained on: 640x480.")] = None,
    pixels: Annotated[
        Literal["raw", "unit", "signed", "imagenet"] | None, Parameter(help="How it wants colours as numbers.")
    ] = None,
    licence: Annotated[str | None, Parameter(help="Its licence, where the file does not say.")] = None,
    sha256: Annotated[str | None, Parameter(help="Checksum a pulled file must have.")] = None,
    as_json: Json = False,
    at: At = NOWHERE,
) -> int:
    """Import a model, try it out, and make it a new model, or the next version of the one with its name.

    For example:

    ```console
    $ retinue model add yolo11n.onnx
    $ retinue model add yolo11n.onnx --name yolo --profile root
    ```
    """
    facts: dict[str, Any] = {"task": task, "size": size, "pixels": pixels, "licence": licence, "sha256": sha256}
    names = labels.read_text("utf-8").splitlines() if labels else None
    if at.is_named():
        from retinue.cli import server_models as models

        told = models.add(at, source, name=name, labels=names, **facts)
    else:
        from retinue.cli import local_models as here

        told = here.add(source, name=name, labels=names, **facts)
    if as_json:
        show_json(told)
        return 0
    print(told["intake"]["sentence"])
    if told["version"] == "1":
        print(f"{told['model']} is live: POST /api/v1/predict with model={told['model']}")
    else:
        print(f"To let it answer: retinue model activate {told['model']} {told['version']} --reason '…'")
    return 0


@app.command
def show(name: Name, /, *, as_json: Json = False, at: At = NOWHERE) -> int:
    """One model and its versions, the newest first."""
    if at.is_named():
        from retinue.cli import server_models as models

        shown = models.versions(at, name)
    else:
        from retinue.cli import local_models as here

        shown = here.versions_of(name)
    if as_json:
        show_json(shown)
    else:
        show_table(("Version", "State", "Labels", "Bytes", "Since", "SHA-256"), [list(one.values()) for one in shown])
    return 0


@app.command
def activate(
    name: Name,
    version: Version,
    /,
    *,
    reason: Annotated[str, Parameter(help="Kept in the audit trail.")],
    at: At = NOWHERE,
) -> int:
    """Let this version answer from now on; an older one is the roll-back."""
    if at.is_named():
        with at.client() as client:
            client.models.activate(name, version, reason=reason)
    else:
        from retinue.cli import local_models as here

        here.activate(name, version, reason=reason)
    return 0


@app.command
def retire(name: Name, version: Version, /, *, at: At = NOWHERE) -> int:
    """Let this version never answer again."""
    if at.is_named():
        with at.client() as client:
            client.models.retire(name, version)
    else:
        from retinue.cli import local_models as here

        here.retire(name, version)
    return 0


@app.command(name="list")
def list_models(*, as_json: Json = False, at: At = NOWHERE) -> int:
    """Every model with its task, active version, price, licence and measured quality.

    For example:

    ```console
    $ retinue model list
    $ retinue model list --server https://retinue.example --json
    ```
    """
    if at.is_told():
        with at.client() as client:
            found = [
                {
                    "name": one.name,
                    "task": one.task,
                    "version": one.active_version,
                    "enabled": one.enabled,
                    "price": one.price,
                    "licence": one.licence,
                    "quality": one.quality,
                }
                for one in client.models.list()
            ]
    else:
        from retinue.cli.local_models import list_here

        found = list_here()
    if as_json:
        show_json(found)
    else:
        show_table(
            ("Model", "Task", "Version", "On", "Price", "Licence", "Quality"), [list(one.values()) for one in found]
        )
    return 0
