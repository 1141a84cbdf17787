"""`retinue api`: the server alone, where workers of their own take the jobs."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from retinue.cli.up import run


def api(
    *,
    host: Annotated[str | None, Parameter(help="Address to listen on.")] = None,
    port: Annotated[int | None, Parameter(help="Port to listen on; 0 takes a free one.")] = None,
    data_dir: Annotated[Path | None, Parameter(help="Folder that holds everything.")] = None,
) -> int:
    """Serve the API and the pages, and leave jobs to `retinue worker`; SIGTERM or Ctrl-C stops."""
    return run(host=host, port=port, data_dir=data_dir, takes_chunks=False)
