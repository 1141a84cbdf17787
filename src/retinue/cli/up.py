"""`retinue up`: the whole server in one process."""

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from retinue import assembly
from retinue.base import failpoints
from retinue.base.observe import start_logging
from retinue.base.settings import read_settings
from retinue.web.serving import Server, check_place


def up(
    *,
    host: Annotated[str | None, Parameter(help="Address to listen on.")] = None,
    port: Annotated[int | None, Parameter(help="Port to listen on; 0 takes a free one.")] = None,
    data_dir: Annotated[Path | None, Parameter(help="Folder that holds everything.")] = None,
) -> int:
    """Serve the API and the pages, and work on jobs; Ctrl-C stops."""
    return run(host=host, port=port, data_dir=data_dir)


def run(*, host: str | None, port: int | None, data_dir: Path | None, takes_chunks: bool = True) -> int:
    settings = read_settings(host=host, port=port, data_dir=data_dir)
    check_place(settings.host, settings.port)
    failpoints.arm(settings.failpoints)
    start_logging(level=settings.log_level, file=settings.log_file)
    house = assembly.open_house(settings)
    try:
        assembly.prepare(house)
        serve(house, takes_chunks=takes_chunks)
    finally:
        house.close()
    return 0


def serve(house: assembly.House, *, takes_chunks: bool = True) -> None:
    def greet(address: str) -> None:
        for line in assembly.greeting(house, address):
            Console(stderr=True, highlight=False, soft_wrap=True).print(line)

    app = assembly.application(house, takes_chunks=takes_chunks)
    server = Server(app, house.settings, house.health, when_ready=greet)
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:  # uvloop, where it is installed
        runner.run(server.serve())
