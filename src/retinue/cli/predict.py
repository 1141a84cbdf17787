"""`retinue predict`: look at pictures, here or on a server."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from retinue.cli.reaching import NOWHERE, At


def predict(
    *files: Annotated[Path, Parameter(help="Pictures to look at.")],
    model: Annotated[
        str | None,
        Parameter(help="A built-in model, a package's folder, or an ONNX file; on a server, the name of one of its."),
    ] = None,
    confidence: Annotated[float | None, Parameter(help="Floor for every class; unset: the model's thresholds.")] = None,
    top_k: Annotated[int, Parameter(help="How many classes a classifier answers with.")] = 5,
    iou: Annotated[float | None, Parameter(help="Overlap above which two boxes are one thing.")] = None,
    mask: Annotated[Path | None, Parameter(help="What to fill, for inpainting.")] = None,
    save: Annotated[Path | None, Parameter(help="Folder for marked-up (or filled) pictures.")] = None,
    here: Annotated[bool, Parameter(negative=(), help="On this machine, though you are signed in somewhere.")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative=(), help="One JSON line per picture.")] = False,
    at: At = NOWHERE,
) -> int:
    """Look at pictures. Exit code 1 when one of them could not be looked at; the others are.

    Without a server, this machine looks itself. A server charges for each picture.

    For example:

    ```console
    $ retinue predict cat.jpg
    $ retinue predict *.jpg --model toolbox --save marked
    $ retinue predict cat.jpg --server https://retinue.example --json
    ```
    """
    if not files:
        print("Name at least one picture: retinue predict cat.jpg", file=sys.stderr)
        return 2
    if at.is_told() and not here:
        from retinue.cli.server_predict import predict_there

        how = {"model": model, "confidence": confidence, "top_k": top_k, "iou": iou}
        return predict_there(at, files, how, mask=mask, save=save, as_json=as_json)
    from retinue.cli.local_predict import predict_here
    from retinue.vision import Asked

    asked = Asked(confidence=confidence, top_k=top_k, iou=iou)
    return predict_here(files, model or "efficientnet-lite0", asked, mask=mask, save=save, as_json=as_json)
