"""Whether a version may take over by what was judged of it and of the active one; a rule, and nothing else."""

from dataclasses import dataclass
from typing import Literal

from retinue.base.errors import Conflict
from retinue.feedback.comparing import Comparison

Rule = Literal["better"]


class NotBetter(Conflict):
    code = "not-better"
    title = "By what was judged so far this version may not take over"


@dataclass(frozen=True, slots=True)
class Promote:
    words: str


@dataclass(frozen=True, slots=True)
class Stay:
    words: str


def decide(compared: Comparison, *, least: int) -> Promote | Stay:
    """Better on at least `least` pictures that both were judged on. The active version is `a`."""
    pictures, right, was_right = compared.pictures, compared.b.right, compared.a.right
    if pictures < least:
        return Stay(f"Both versions were judged on {pictures} of the same pictures; the rule asks for {least}")
    if right <= was_right:
        return Stay(f"Of {pictures} pictures it was right on {right}, the active version on {was_right}")
    return Promote(f"right on {right} of {pictures} judged pictures, the version before on {was_right}")
