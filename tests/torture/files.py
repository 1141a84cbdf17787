"""All that strangers may send as a file, from every corpus, each with the statuses that it may be answered with."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from retinue.media.archives import is_archive
from retinue.web.problems import STATUS
from tests.corpus import archives, models, pictures, videos
from tests.corpus.model_graphs import secret_beside

Kind = Literal["picture", "archive", "video", "model"]
TAKEN = frozenset({200, 201})


@dataclass(frozen=True)
class File:
    """`statuses`: of the answers that are right at a door which is there for this kind."""

    name: str
    filename: str
    kind: Kind
    data: bytes
    statuses: frozenset[int]

    @property
    def is_taken(self) -> bool:
        return self.statuses == TAKEN

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}"


@dataclass(frozen=True)
class Recipe:
    """A file that is made when its turn comes: all of them together are gigabytes."""

    kind: Kind
    name: str
    make: Callable[[], File]


def hostile(canary: videos.Canary) -> list[Recipe]:
    return [
        *(Recipe("picture", case.name, partial(_picture, case)) for case in pictures.hostile_pictures()),
        *(Recipe("archive", case.name, partial(_archive, case)) for case in archives.hostile_archives()),
        *(Recipe("video", case.name, partial(_video, case, canary)) for case in videos.HOSTILE),
        *(Recipe("model", case.name, partial(_hostile_model, case)) for case in models.HOSTILE),
    ]


def benign() -> list[Recipe]:
    return [
        *(Recipe("picture", case.name, partial(_picture, case)) for case in pictures.benign_pictures()),
        *(Recipe("archive", case.name, partial(_archive, case)) for case in archives.benign_archives()),
        *(Recipe("video", case.name, partial(_benign_video, case)) for case in videos.BENIGN),
        *(Recipe("model", case.name, partial(_benign_model, case)) for case in models.BENIGN if _is_one_file(case)),
    ]


def one_of_each(recipes: list[Recipe]) -> Iterator[File]:
    """The last picture (the first ones are of 40 megapixels), archive and video; models take seconds to try."""
    for kind in ("picture", "archive", "video"):
        yield [recipe for recipe in recipes if recipe.kind == kind][-1].make()


def status_of(error: type[Exception]) -> int:
    return next(STATUS[branch] for branch in error.__mro__ if branch in STATUS)


def _picture(case: pictures.Case) -> File:
    statuses = TAKEN if case.status == "ok" else frozenset({case.status})
    return File(case.name, "picture.png", "picture", case.data, statuses)


def _archive(case: archives.Case) -> File:
    expected = case.refused or next(iter(case.rejected.values()), None)
    is_taken = expected is None or bool(case.accepted)
    data = case.make()
    statuses = TAKEN if is_taken else frozenset({status_of(expected)})  # type: ignore[arg-type]
    return File(case.name, "kit.zip", "archive", data, statuses)


def _video(case: videos.Hostile, canary: videos.Canary) -> File:
    statuses = frozenset(map(status_of, case.expected))
    return File(case.name, "film.mp4", "video", case.make(canary), statuses)


def _benign_video(case: videos.Benign) -> File:
    return File(case.name, "film.mp4", "video", case.make(), TAKEN)


def _hostile_model(case: models.Hostile) -> File:
    """Only the file itself travels: what lies beside it stays where it was."""
    with tempfile.TemporaryDirectory() as above:
        folder = Path(above, "handed-in")
        folder.mkdir()
        secret_beside(folder)
        file = _file_of(case.make(folder))
        return File(case.name, file.name, "model", file.read_bytes(), frozenset(map(status_of, case.expected)))


def _benign_model(case: models.Benign) -> File:
    with tempfile.TemporaryDirectory() as folder:
        file = _file_of(case.make(Path(folder)))
        return File(case.name, file.name, "model", file.read_bytes(), TAKEN)


def _file_of(made: Path) -> Path:
    return made if made.is_file() else made / "model.onnx"


def _is_one_file(case: models.Benign) -> bool:
    return case.name != "weights in a file of its own"


def holds_an_archive(file: File) -> bool:
    """What is an archive behind its first bytes is judged as one where archives are taken."""
    return file.kind != "archive" and is_archive(file.data)
