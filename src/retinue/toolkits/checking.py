"""What a picture says about a kit: which tools are there, which are not, what else lies there. Nothing but a rule.

A detector has sorted what it saw by the threshold of each class already: sure, or unsure (between half of it and it).
What is unsure counts as missing until a person says otherwise: a tool that was left in an engine is worse than a
second look.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many of a tool belong into the kit. Without a label no picture can show it."""

    tool_id: str
    name: str
    serial_number: str | None
    label: str | None
    quantity: int


@dataclass(frozen=True, slots=True)
class Sighting:
    """Something that was seen, and where."""

    label: str
    score: float
    box: tuple[float, ...]

    def as_json(self) -> dict[str, Any]:
        return {"label": self.label, "score": self.score, "box": list(self.box)}


@dataclass(frozen=True, slots=True)
class Line:
    """One single thing: a tool of the kit, what was seen of it, or both."""

    tool: Wanted | None
    sighting: Sighting | None

    def as_json(self) -> dict[str, Any]:
        """A line without a sighting has no score and no box."""
        seen: dict[str, Any] = {"label": None, "score": None, "box": None}
        if self.sighting is not None:
            seen = self.sighting.as_json()
        if self.tool is None:
            return {"tool_id": None, "name": seen["label"], "serial_number": None, **seen}
        told = {"tool_id": self.tool.tool_id, "name": self.tool.name, "serial_number": self.tool.serial_number}
        return {**told, **seen, "label": self.tool.label}


@dataclass(frozen=True, slots=True)
class Comparison:
    """`unsure` are those of the missing that were perhaps seen."""

    present: Sequence[Line]
    missing: Sequence[Line]
    extra: Sequence[Line]

    @property
    def unsure(self) -> Sequence[Line]:
        return [line for line in self.missing if line.sighting is not None]

    @property
    def is_complete(self) -> bool:
        return not self.missing

    def as_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {"complete": self.is_complete}
        for name in ("present", "missing", "extra", "unsure"):
            told[name] = [line.as_json() for line in getattr(self, name)]
        return told


def compare(wanted: Sequence[Wanted], sure: Sequence[Sighting], unsure: Sequence[Sighting]) -> Comparison:
    """Tools that share a label are filled in the kit's order, by the surest sightings first: no picture tells them
    apart. What is left of the sure sightings is extra; what is left of the unsure ones is nothing."""
    seen, perhaps = _by_label(sure), _by_label(unsure)
    present: list[Line] = []
    missing: list[Line] = []
    for tool in wanted:
        found = list(islice(seen.get(tool.label, iter(())), tool.quantity))
        present += [Line(tool, sighting) for sighting in found]
        for _ in range(tool.quantity - len(found)):
            missing.append(Line(tool, next(perhaps.get(tool.label, iter(())), None)))
    tools = {tool.label: tool for tool in wanted}
    extra = [Line(tools.get(sighting.label), sighting) for left in seen.values() for sighting in left]
    return Comparison(present, missing, extra)


def compare_answer(wanted: Sequence[Wanted], result: Mapping[str, Any]) -> Comparison:
    """The same from the answer of a detector or a segmenter, as it is remembered."""
    return compare(
        wanted, _sightings(result.get("detections", result.get("masks", ()))), _sightings(result.get("unsure", ()))
    )


def _sightings(told: Sequence[Mapping[str, Any]]) -> list[Sighting]:
    return [Sighting(one["label"], one["score"], tuple(one["box"])) for one in told]


def _by_label(sightings: Sequence[Sighting]) -> dict[str | None, Iterator[Sighting]]:
    """Each label's sightings, the surest first, to be taken one by one."""
    sorted_out: dict[str | None, list[Sighting]] = {}
    for one in sorted(sightings, key=lambda one: -one.score):
        sorted_out.setdefault(one.label, []).append(one)
    return {label: iter(found) for label, found in sorted_out.items()}
