"""How files travel into a dataset: several at once, only what is not there yet, large ones from where they stood."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from platformdirs import user_state_path

from retinue.cli.progress import files_bar
from retinue.client import Client, Conflict, NotEnoughCredits, NotFound, NotSignedIn, RetinueError
from retinue.client.datasets import IN_ONE_REQUEST_BYTES, TakenIn
from retinue.client.errors import Gone
from retinue.datasets.pairing import pair_up  # nothing but names: it needs no server


@dataclass(frozen=True, slots=True)
class Load:
    """A file, or an original with its mask, and the group it goes into."""

    file: Path
    mask: Path | None
    group: str

    @property
    def place(self) -> str:
        return f"{self.group}/{self.file.name}" if self.group else self.file.name


@dataclass(slots=True)
class Pushed:
    accepted: int = 0
    there: int = 0
    cost: float = 0.0
    price: float = 0.0
    rejected: list[tuple[str, str]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        refused = [{"file": file, "reason": reason} for file, reason in self.rejected]
        return {
            "accepted": self.accepted,
            "there": self.there,
            "cost": self.cost,
            "price": self.price,
            "rejected": refused,
        }


@dataclass(slots=True)
class Push:
    client: Client
    name: str
    group: str | None = None
    fps: float | None = None
    dry_run: bool = False
    at_once: int = 4

    def run(self, files: Sequence[Path]) -> Pushed:
        told = Pushed()
        loads = [*self._loads(files, told)]
        there = self._there()
        waiting = [load for load in loads if not _is_there(load, there)]
        told.there += len(loads) - len(waiting)
        with files_bar() as bar, ThreadPoolExecutor(self.at_once) as hands:
            task = bar.add_task(self.name, total=len(waiting))
            running = {hands.submit(self._send, load): load for load in waiting}
            try:
                for done in as_completed(running):
                    self._count(running[done], done, told)
                    bar.advance(task)
            except BaseException:
                hands.shutdown(wait=True, cancel_futures=True)  # what is on its way is finished, nothing else is begun
                raise
        return told

    def _send(self, load: Load) -> TakenIn:
        group = load.group or None
        if load.mask is None and load.file.stat().st_size > IN_ONE_REQUEST_BYTES:
            upload_id = _Begun(self.client, load.file).send()
            return self.client.datasets.add_upload(
                self.name, upload_id, group=group, fps=self.fps, dry_run=self.dry_run
            )
        return self.client.datasets.add(
            self.name, load.file, mask=load.mask, group=group, fps=self.fps, dry_run=self.dry_run
        )

    def _count(self, load: Load, done: Any, told: Pushed) -> None:
        try:
            taken: TakenIn = done.result()
        except (NotSignedIn, NotEnoughCredits):
            raise  # the next file would hear the same
        except (RetinueError, OSError) as refusal:
            told.rejected.append((str(load.file), getattr(refusal, "detail", str(refusal))))
            return
        told.accepted += len(taken.report.accepted)
        told.there += len(taken.report.duplicates)
        told.cost += taken.credits_used
        told.price += taken.price
        told.rejected += [(f"{load.file}: {one.name}", one.reason) for one in taken.report.rejected]

    def _there(self) -> dict[str, int]:
        """What the dataset has, by its place, and how large it is. A dataset that is not there is made."""
        try:
            return {one.image_path: one.size_bytes for one in self.client.datasets.items(self.name)}
        except NotFound:
            try:
                self.client.datasets.create(self.name)
            except Conflict:  # somebody else made it this moment
                return self._there()
            return {}

    def _loads(self, files: Sequence[Path], told: Pushed) -> Iterator[Load]:
        """Folders are walked, each one a group; originals and masks are paired as in a ZIP."""
        found: list[tuple[str, Path]] = []
        for one in files:
            if one.is_dir():
                inside = sorted(path for path in one.rglob("*") if path.is_file() and not path.name.startswith("."))
                found += [(path.relative_to(one).as_posix(), path) for path in inside]
            else:
                found.append((one.name, one))
        matched = pair_up([f"_/{name}" for name, _ in found])
        told.rejected += [(str(found[alone.position][1]), alone.reason) for alone in matched.rejected]
        for pair in matched.pairs:
            mask = None if pair.mask is None else found[pair.mask][1]
            yield Load(found[pair.original][1], mask, pair.group if self.group is None else self.group)


def _is_there(load: Load, there: dict[str, int]) -> bool:
    """Originals are kept byte for byte. Masks are not, so of a pair only the name can be compared."""
    return load.place in there and (load.mask is not None or there[load.place] == load.file.stat().st_size)


class _Begun:
    """An upload that outlives this process: its id is written down until it is used."""

    lock = Lock()

    def __init__(self, client: Client, file: Path) -> None:
        told = file.stat()
        self.client = client
        self.file = file
        self.mark = f"{client.server} {file.absolute()} {told.st_size} {told.st_mtime_ns}"
        self.place = user_state_path("retinue") / "uploads.json"

    def send(self) -> str:
        begun = self._read().get(self.mark)
        try:
            done = self.client.uploads.send(self.file, resume=begun, on_begun=self._note)
        except (NotFound, Gone):
            if begun is None:
                raise
            self._note(None)  # it has expired, or was dropped
            done = self.client.uploads.send(self.file, on_begun=self._note)
        self._note(None)
        return done.upload_id

    def _note(self, upload_id: str | None) -> None:
        with self.lock:
            told = {mark: kept for mark, kept in self._read().items() if mark != self.mark}
            if upload_id is not None:
                told[self.mark] = upload_id
            self.place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = self.place.with_suffix(".part")
            draft.write_text(json.dumps(told, indent=1), "utf-8")
            draft.replace(self.place)

    def _read(self) -> dict[str, str]:
        try:
            told: dict[str, str] = json.loads(self.place.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        return told
