"""Bars on standard error: for bytes on their way, files, and a job's items. Where no person looks, none."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TransferSpeedColumn,
)

from retinue.client.watching import Status


def progress_of(*columns: object) -> Progress:
    console = Console(stderr=True)
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)  # type: ignore[arg-type]


@contextmanager
def bytes_bar(words: str) -> Iterator[Callable[[int], None]]:
    """`told(bytes_so_far)`; how many there will be is not known."""
    with progress_of(TextColumn("{task.description}"), DownloadColumn(), TransferSpeedColumn()) as bar:
        task = bar.add_task(words, total=None)
        yield lambda count: bar.update(task, completed=count)


def files_bar() -> Progress:
    return progress_of(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), DownloadColumn())


@contextmanager
def job_bar(job_id: str) -> Iterator[Callable[[Status], None]]:
    with progress_of(TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), MofNCompleteColumn()) as bar:
        task = bar.add_task(f"job {job_id}", total=None)

        def tell(now: Status) -> None:
            left = "" if now.eta_seconds is None else f", {now.eta_seconds:.0f} s left"
            failed = f", {now.failed} failed" if now.failed else ""
            words = f"{'ABORTING' if now.aborting else now.status}{failed}{left}"
            bar.update(task, total=now.total, completed=now.done + now.failed, description=words)

        yield tell
