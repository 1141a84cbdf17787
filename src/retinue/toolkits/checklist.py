"""The list that a person signs: filled in by a picture where there is one, corrected by hand, and what it comes to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from retinue.base.errors import Invalid
from retinue.toolkits.checking import Comparison, Wanted
from retinue.toolkits.tables import Status


class ReasonNeeded(Invalid):
    code = "reason-needed"
    title = "A kit that is incomplete or refused needs a reason"


class NotInKit(Invalid):
    code = "not-in-toolkit"
    title = "A correction names a tool that does not belong to this kit"


class TooManyFound(Invalid):
    code = "more-than-belong"
    title = "A correction finds more of a tool than belong into this kit"


class CorrectedTwice(Invalid):
    code = "corrected-twice"
    title = "A tool is corrected once"


@dataclass(frozen=True, slots=True)
class Correction:
    """A person's word. `found` None: all of them are there."""

    tool_id: str
    found: int | None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One tool of the kit. `seen` None: no picture was taken."""

    tool: Wanted
    seen: int | None
    unsure: int
    found: int
    comment: str = ""

    @property
    def missing(self) -> int:
        return self.tool.quantity - self.found

    @property
    def is_overridden(self) -> bool:
        """More is there than the picture shows, because somebody says so."""
        return self.seen is not None and self.found > self.seen


def fill_in(wanted: Sequence[Wanted], comparison: Comparison | None, corrections: Sequence[Correction]) -> list[Line]:
    """A line per tool. Without a picture it is a list by hand: what no correction calls missing is there, and whoever
    signs says so."""
    by_hand = _by_tool(wanted, corrections)
    return [_line(tool, comparison, by_hand.get(tool.tool_id)) for tool in wanted]


def status_of(lines: Sequence[Line], *, reason: str, is_refused: bool) -> Status:
    missing = [f"{line.missing} × {line.tool.name}" for line in lines if line.missing]
    if not reason and is_refused:
        raise ReasonNeeded("Say why the kit is refused")
    if not reason and missing:
        told = [{"tool_id": line.tool.tool_id, "name": line.tool.name, "quantity": line.missing} for line in lines]
        raise ReasonNeeded(
            f"Missing: {', '.join(missing)}. Correct the list, or give a reason",
            missing=[one for one in told if one["quantity"]],
        )
    if is_refused:
        return "refused"
    if missing:
        return "incomplete"
    return "overridden" if any(line.is_overridden for line in lines) else "complete"


def _line(tool: Wanted, comparison: Comparison | None, correction: Correction | None) -> Line:
    seen, unsure = None, 0
    if comparison is not None:
        seen = sum(line.tool == tool for line in comparison.present)
        unsure = sum(line.tool == tool for line in comparison.unsure)
    if correction is None:
        return Line(tool, seen, unsure, tool.quantity if seen is None else seen)
    found = tool.quantity if correction.found is None else correction.found
    return Line(tool, seen, unsure, found, correction.comment)


def _by_tool(wanted: Sequence[Wanted], corrections: Sequence[Correction]) -> Mapping[str, Correction]:
    quantities = {tool.tool_id: tool.quantity for tool in wanted}
    for one in corrections:
        if one.tool_id not in quantities:
            raise NotInKit(f"{one.tool_id[:36]!r} is none of its tools")
        if (one.found or 0) > quantities[one.tool_id]:
            raise TooManyFound(f"Only {quantities[one.tool_id]} belong into it")
    found = {one.tool_id: one for one in corrections}
    if len(found) < len(corrections):
        raise CorrectedTwice()
    return found
