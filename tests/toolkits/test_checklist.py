"""What a signed list comes to, as a table: the picture's word, a person's word, the reason."""

import pytest

from retinue.base.errors import Invalid
from retinue.toolkits.checking import Sighting, Wanted, compare
from retinue.toolkits.checklist import Correction, fill_in, status_of

HAMMER = Wanted("h", "Hammer", "H-1", "hammer", 1)
NAILS = Wanted("n", "Nail", None, "nail", 3)
ALL = ["hammer", "nail", "nail", "nail"]

# seen in the picture (None: by hand), corrections (None: all there), reason, refused → status, or the refusal's code
CASES = {
    "the picture shows all": (ALL, {}, "", False, "complete"),
    "the picture shows all, and a person knows better": (ALL, {"h": 0}, "", False, "reason-needed"),
    "a tool is gone": (ALL[1:], {}, "lost in the bay", False, "incomplete"),
    "a tool is gone and nobody says why": (ALL[1:], {}, "", False, "reason-needed"),
    "one of three is gone": (ALL[:3], {}, "broken", False, "incomplete"),
    "the picture missed it": (ALL[1:], {"h": None}, "", False, "overridden"),
    "the picture missed one of two": (ALL[1:3], {"h": None}, "one nail is bent", False, "incomplete"),
    "the picture missed one of three": (ALL[:3], {"n": 3}, "", False, "overridden"),
    "a person agrees with the picture": (ALL, {"h": None}, "", False, "complete"),
    "by hand, all there": (None, {}, "", False, "complete"),
    "by hand, one gone": (None, {"h": 0}, "in repair", False, "incomplete"),
    "by hand, one gone and nobody says why": (None, {"h": 0}, "", False, "reason-needed"),
    "refused": (ALL[1:], {}, "not without a hammer", True, "refused"),
    "refused although complete": (ALL, {}, "dirty", True, "refused"),
    "refused without a word": (ALL, {}, "", True, "reason-needed"),
    "a correction of another kit's tool": (ALL, {"x": 0}, "", False, "not-in-toolkit"),
    "more than belong into it": (ALL, {"h": 2}, "", False, "more-than-belong"),
}


@pytest.mark.parametrize("case", CASES)
def test_status(case: str) -> None:
    seen, words, reason, is_refused, expected = CASES[case]
    wanted = [HAMMER, NAILS]
    comparison = None if seen is None else compare(wanted, [Sighting(one, 0.9, (0, 0, 1, 1)) for one in seen], [])
    try:
        lines = fill_in(wanted, comparison, [Correction(tool_id, found) for tool_id, found in words.items()])
        told: str = status_of(lines, reason=reason, is_refused=is_refused)
    except Invalid as refusal:
        told = refusal.code
    assert told == expected


def test_what_is_missing_is_said_by_name() -> None:
    lines = fill_in([HAMMER, NAILS], None, [Correction("h", 0), Correction("n", 1)])
    with pytest.raises(Invalid, match="1 × Hammer, 2 × Nail") as refusal:
        status_of(lines, reason="", is_refused=False)
    assert [one["quantity"] for one in refusal.value.facts["missing"]] == [1, 2]


def test_a_tool_is_corrected_once() -> None:
    with pytest.raises(Invalid, match="corrected once"):
        fill_in([HAMMER], None, [Correction("h", 0), Correction("h", None)])
