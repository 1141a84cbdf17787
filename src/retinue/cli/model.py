"""`retinue model …`: the table of its commands. All but `list` work on this machine's own database."""

import cyclopts

from retinue.cli.reaching import NOWHERE, At
from retinue.cli.showing import Json, show_json, show_table

app = cyclopts.App(name="model", help="Add, list, activate and measure models.", result_action="return_value")
for name in ("add", "show", "activate", "retire", "tune", "quantize", "bench"):
    app.command(f"retinue.cli.local_models:{name}", name=name)


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
