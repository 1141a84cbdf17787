"""What an export looks like: for each format where files lie and what is written beside them.

A class is the item's group. A mask is told as the separate regions it marks; a room above may tell more marks than
the masks hold (predictions, verdicts) by giving `exporting.Export` more: then the first mark of a picture also names
its folder.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import cv2
import numpy as np
import orjson
from numpy.typing import NDArray

from retinue.datasets.aside import Aside, Sheet
from retinue.datasets.tables import Item
from retinue.vision.masks import as_rle

Format = Literal["masks", "folders", "coco", "yolo"]
Data: TypeAlias = bytes | Iterator[bytes]
MOST_REGIONS = 1000  # the largest ones: a speckled mask has more than any reader wants
WITHOUT_GROUP = "object"


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that is marked in a picture. The box is left, top, width, height in pixels."""

    label: str
    box: tuple[int, int, int, int]
    area: int
    run_lengths: tuple[tuple[int, int], str] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """One item on its way out: its part of the split ("" without one), its name there, and what is marked in it."""

    item: Item
    part: str
    extension: str
    marks: Sequence[Mark]

    @property
    def stem(self) -> str:
        return f"{'image' if self.item.frames is None else 'video'}_{self.item.index:06}"


class Layout(Protocol):
    wants_marks: bool

    def file_of(self, place: Place) -> str | None:
        """Where the original goes; None for what this format has no place for."""

    def mask_of(self, place: Place, extension: str) -> str | None: ...

    def beside(self, place: Place) -> Iterator[tuple[str, bytes]]: ...

    def at_the_end(self) -> Iterator[tuple[str, Data]]: ...


class Masks:
    """Our own: groups as folders, pairs by number. What it writes, an import reads back."""

    wants_marks = False

    def __init__(self, aside: Aside) -> None:
        self._lines = aside.sheet()

    def file_of(self, place: Place) -> str | None:
        return _joined(place.part, place.item.group, f"{place.stem}.{place.extension}")

    def mask_of(self, place: Place, extension: str) -> str | None:
        return _joined(place.part, place.item.group, f"mask_{place.item.index:06}.{extension}")

    def beside(self, place: Place) -> Iterator[tuple[str, bytes]]:
        item = place.item
        told = {name: getattr(item, name) for name in ("index", "group", "name", "mask_name", "type", "frames", "fps")}
        self._lines.write(orjson.dumps({"file": self.file_of(place), **told}, option=orjson.OPT_APPEND_NEWLINE))
        return iter(())

    def at_the_end(self) -> Iterator[tuple[str, Data]]:
        yield "items.jsonl", self._lines.pieces()


class Folders:
    """A folder per class, as many programs read pictures for classification."""

    wants_marks = False

    def file_of(self, place: Place) -> str | None:
        if place.item.frames is not None:
            return None
        folder = _class_of(place.item).replace("/", "_")
        if place.marks:  # a label is anybody's text: a folder of that name stays in the archive
            folder = re.sub(r"[/\\:]", "_", place.marks[0].label).strip(". ") or WITHOUT_GROUP
        return _joined(place.part, folder, f"{place.stem}.{place.extension}")

    def mask_of(self, place: Place, extension: str) -> str | None:
        return None

    def beside(self, place: Place) -> Iterator[tuple[str, bytes]]:
        return iter(())

    def at_the_end(self) -> Iterator[tuple[str, Data]]:
        return iter(())


class Coco:
    """Pictures, and one JSON per part with an annotation for each marked region."""

    wants_marks = True

    def __init__(self, aside: Aside) -> None:
        self._aside = aside
        self._parts: dict[str, tuple[Sheet, Sheet]] = {}
        self._classes: dict[str, int] = {}
        self._annotations = 0

    def file_of(self, place: Place) -> str | None:
        return None if place.item.frames is not None else _joined("images", self._name(place))

    def mask_of(self, place: Place, extension: str) -> str | None:
        return None

    def beside(self, place: Place) -> Iterator[tuple[str, bytes]]:
        if place.part not in self._parts:
            self._parts[place.part] = self._aside.sheet(), self._aside.sheet()
        images, annotations = self._parts[place.part]
        item, image_id = place.item, place.item.index + 1
        if not place.marks:
            self._class(_class_of(item))
        size = {"width": item.width, "height": item.height}
        _list_on(images, {"id": image_id, "file_name": self._name(place), **size, "group": item.group})
        for mark in place.marks:
            _list_on(annotations, self._annotation(mark, image_id))
        return iter(())

    def at_the_end(self) -> Iterator[tuple[str, Data]]:
        categories = [{"id": number, "name": name} for name, number in self._classes.items()]
        for part, (images, annotations) in self._parts.items():
            yield f"annotations/instances_{part or 'all'}.json", _coco(images, annotations, categories)

    def _annotation(self, mark: Mark, image_id: int) -> dict[str, Any]:
        self._annotations += 1
        told: dict[str, Any] = {
            "id": self._annotations,
            "image_id": image_id,
            "category_id": self._class(mark.label),
            "bbox": list(mark.box),
            "area": mark.area,
            "iscrowd": 0,
        }
        if mark.run_lengths is not None:
            size, counts = mark.run_lengths
            told["segmentation"] = {"size": list(size), "counts": counts}
        return told

    def _class(self, name: str) -> int:
        return self._classes.setdefault(name, len(self._classes) + 1)

    def _name(self, place: Place) -> str:
        return _joined(place.part, f"{place.stem}.{place.extension}")


class Yolo:
    """Pictures and a text per picture: class, centre and size of each box as shares of the picture."""

    wants_marks = True

    def __init__(self) -> None:
        self._classes: dict[str, int] = {}
        self._parts: dict[str, None] = {}

    def file_of(self, place: Place) -> str | None:
        if place.item.frames is not None:
            return None
        return _joined("images", place.part or "train", f"{place.stem}.{place.extension}")

    def mask_of(self, place: Place, extension: str) -> str | None:
        return None

    def beside(self, place: Place) -> Iterator[tuple[str, bytes]]:
        part = place.part or "train"
        self._parts[part] = None
        if not place.marks:
            self._class(_class_of(place.item))
        lines = [self._line(mark, place.item) for mark in place.marks]
        yield _joined("labels", part, f"{place.stem}.txt"), "".join(lines).encode()

    def at_the_end(self) -> Iterator[tuple[str, Data]]:
        parts = [f"{part}: images/{part}" for part in ("train", "val", "test") if part in self._parts]
        if "val" not in self._parts:
            parts.append("val: images/train")  # readers insist on one
        names = [f"  {number}: {orjson.dumps(name).decode()}" for name, number in self._classes.items()]
        yield "data.yaml", "\n".join(["path: .", *parts, "names:", *names, ""]).encode()

    def _line(self, mark: Mark, item: Item) -> str:
        left, top, width, height = mark.box
        shares = (
            (left + width / 2) / item.width,
            (top + height / 2) / item.height,
            width / item.width,
            height / item.height,
        )
        return f"{self._class(mark.label)} " + " ".join(f"{share:.6f}" for share in shares) + "\n"

    def _class(self, name: str) -> int:
        return self._classes.setdefault(name, len(self._classes))


LAYOUTS: Mapping[Format, Callable[[Aside], Layout]] = {
    "masks": Masks,
    "folders": lambda _: Folders(),
    "coco": Coco,
    "yolo": lambda _: Yolo(),
}


def marks_of(mask: NDArray[np.bool_], item: Item) -> list[Mark]:
    """The separate regions of a mask, the largest first."""
    count, numbers, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    largest = sorted(range(1, count), key=lambda number: -int(facts[number, cv2.CC_STAT_AREA]))[:MOST_REGIONS]
    found = []
    for number in largest:
        left, top, width, height, area = (int(value) for value in facts[number])
        found.append(Mark(_class_of(item), (left, top, width, height), area, as_rle(numbers == number)))
    return found


def root_of(name: str) -> str:
    """The folder around everything, which an import strips again."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "dataset"


def _class_of(item: Item) -> str:
    return item.group or WITHOUT_GROUP


def _joined(*steps: str) -> str:
    return "/".join(step for step in steps if step)


def _list_on(sheet: Sheet, told: Mapping[str, Any]) -> None:
    """One more member of a JSON list."""
    sheet.write((b"" if sheet.is_empty() else b",") + orjson.dumps(told))


def _coco(images: Sheet, annotations: Sheet, categories: Sequence[Mapping[str, Any]]) -> Iterator[bytes]:
    yield b'{"info":{},"images":['
    yield from images.pieces()
    yield b'],"annotations":['
    yield from annotations.pieces()
    yield b'],"categories":' + orjson.dumps(categories) + b"}"
