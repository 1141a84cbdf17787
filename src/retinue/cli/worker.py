"""`retinue worker`: a process that works on jobs, beside the ones that serve."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.console import Console

from retinue import assembly
from retinue.base import failpoints
from retinue.base.observe import start_logging
from retinue.base.settings import read_settings


def worker(
    *,
    pool: Annotated[Literal["cpu", "gpu"] | None, Parameter(help="Whose chunks to take.")] = None,
    slots: Annotated[int | None, Parameter(help="Chunks to work on at once.")] = None,
    host: Annotated[str | None, Parameter(help="Address for --eye-port.")] = None,
    eye_port: Annotated[
        int | None, Parameter(help="Also run networks for nodes whose RETINUE_EYE_URL names us.")
    ] = None,
    data_dir: Annotated[Path | None, Parameter(help="Folder that holds everything.")] = None,
) -> int:
    """Take chunks of jobs until SIGTERM or Ctrl-C; what is at work then is put back and costs nothing."""
    settings = read_settings(pool=pool, slots=slots, host=host, eye_port=eye_port, data_dir=data_dir)
    failpoints.arm(settings.failpoints)
    start_logging(level=settings.log_level, file=settings.log_file)
    house = assembly.open_house(settings)
    try:
        assembly.prepare(house)
        asyncio.run(_work(house))
    finally:
        house.close()
    return 0


async def _work(house: assembly.House) -> None:
    asked_to_stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, asked_to_stop.set)
    async with assembly.worker(house) as jobs:
        pool, slots = house.settings.pool, house.settings.slots
        Console(stderr=True, highlight=False).print(
            f"Worker [bold]{jobs.worker_id}[/bold] takes {slots} chunks at once of pool {pool}"
        )
        await asked_to_stop.wait()
