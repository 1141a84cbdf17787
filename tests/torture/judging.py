"""What is wrong with the answer to a file at a door: its status, its document, its time, its price, what it leaves."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from retinue.base.errors import RetinueError
from retinue.vision.errors import VisionError
from tests.accounts.people import Person
from tests.torture.doors import DOORS, Door
from tests.torture.files import TAKEN, File, holds_an_archive, status_of

REFUSED = frozenset({400, 413, 415, 422})
PROBLEM = {"type", "title", "status", "detail", "instance", "code"}


@dataclass
class Judge:
    """Asks as one person and remembers everything that was not right. `folder` is where the server keeps its files."""

    person: Person
    folder: Path
    secret: str = "CANARY"
    is_timed: bool = True  # beside other tests, time says nothing
    wrong: list[str] = field(default_factory=list)
    asked: int = 0
    slowest_s: float = 0.0
    slowest: str = ""

    async def send_everywhere(self, file: File, doors: Iterable[Door] = DOORS) -> None:
        for door in doors:
            await self.send(door, file)

    async def send(self, door: Door, file: File) -> None:
        balance, files = await self._balance(), self._files()
        answer, seconds = await self._timed(door, file)
        if self.is_timed and seconds > door.patience_s:  # the machine is not ours alone: slow twice is slow
            answer, seconds = await self._timed(door, file)
        self.asked += 1
        if seconds > self.slowest_s and door.patience_s <= 5:
            self.slowest_s, self.slowest = seconds, f"{file} → {door}"
        found = list(_complaints(door, file, answer))
        if self.is_timed and seconds > door.patience_s:
            found.append(f"took {seconds:.1f} s")
        if _effective_status(answer) not in TAKEN:
            if (now := await self._balance()) != balance:
                found.append(f"was charged: {balance} → {now}")
            if left := self._files() - files:
                found.append(f"left {sorted(left)[:3]}")
        if self.secret in answer.text:
            found.append("told the secret")
        for one in found:
            print(f"{file} → {door}: {one}")
            self.wrong.append(f"{file} → {door}: {one}")

    async def _timed(self, door: Door, file: File) -> tuple[httpx2.Response, float]:
        begun = time.monotonic()
        answer = await door.send(self.person, file)
        return answer, time.monotonic() - begun

    async def _balance(self) -> tuple[float, float]:
        """And what is held, which must be nothing between two requests."""
        told = (await self.person.get("/api/v1/me/credits")).json()
        if told["held"]:
            self.wrong.append(f"{told['held']} credits are still held")
        return told["balance"], told["held"]

    def _files(self) -> set[str]:
        """All but the database's own, and the pieces of dropped uploads, which the sweeper takes away."""
        found = (path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file())
        return {path for path in found if ".db" not in path and not path.startswith("files/uploads/")}


def _complaints(door: Door, file: File, answer: httpx2.Response) -> Iterator[str]:
    status = _effective_status(answer)
    if file.kind in door.takes:
        allowed = file.statuses | ({422} if "archive" in door.takes and holds_an_archive(file) else set())
    else:
        allowed = REFUSED | TAKEN
    if status not in allowed:
        yield f"{status} instead of {sorted(allowed)}: {answer.text[:300]}"
    if answer.status_code >= 400:
        is_document = answer.headers.get("content-type") == "application/problem+json"
        if not is_document or not answer.json().keys() >= PROBLEM:
            yield f"no problem document: {answer.text[:300]}"


def _effective_status(answer: httpx2.Response) -> int:
    """Of a batch in which nothing was good: what its first file would have been answered alone."""
    if answer.status_code != 200 or not answer.headers.get("content-type", "").startswith("application/json"):
        return answer.status_code
    results = answer.json().get("results", [])
    if not results or any(one["ok"] for one in results):
        return 200
    return STATUS_OF_CODE[results[0]["error"]["code"]]


def _tree(branch: type[Exception]) -> Iterator[type[Exception]]:
    yield branch
    for twig in branch.__subclasses__():
        yield from _tree(twig)


STATUS_OF_CODE = {
    twig.code: status_of(twig)  # type: ignore[attr-defined]
    for branch in (RetinueError, VisionError)
    for twig in _tree(branch)
}
