"""What came of an upload, file by file: the same report for every kind of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from retinue.base.errors import RetinueError
from retinue.credits.shapes import as_credits
from retinue.datasets.checking import Facts
from retinue.vision.errors import VisionError


@dataclass(frozen=True, slots=True)
class Line:
    """A file that passed its check, and what it costs if it is new."""

    name: str
    mask_name: str | None
    group: str
    facts: Facts
    cost: int

    @property
    def path(self) -> str:
        return f"{self.group}/{self.name}" if self.group else self.name


class Report(TypedDict):
    accepted: list[dict[str, Any]]
    skipped: list[str]
    duplicates: list[str]
    rejected: list[dict[str, str]]


def report_of(
    lines: Sequence[Line],
    indexes: Mapping[str, int] | None,
    *,
    skipped: Sequence[str],
    rejected: Sequence[tuple[str, RetinueError | VisionError]],
    there: frozenset[str] | set[str] = frozenset(),
) -> Report:
    """`indexes` are those of the new items by fingerprint; None when nothing is taken in (a dry run), and then `there`
    tells what the dataset has already."""
    report = Report(accepted=[], skipped=list(skipped), duplicates=[], rejected=[])
    told = set(there)
    for line in lines:
        mark = line.facts.fingerprint
        if mark in told or (indexes is not None and mark not in indexes):
            report["duplicates"].append(line.path)
            continue
        told.add(mark)
        report["accepted"].append(_accepted(line, None if indexes is None else indexes[mark]))
    report["rejected"].extend({"name": name, "code": one.code, "reason": one.detail} for name, one in rejected)
    return report


def _accepted(line: Line, index: int | None) -> dict[str, Any]:
    return {
        "index": index,
        "name": line.path,
        "mask": line.mask_name,
        "type": line.facts.type,
        "frames": line.facts.frames,
        "cost": as_credits(line.cost),
    }
