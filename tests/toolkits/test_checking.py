"""What was seen against what should be there, as a table."""

import pytest

from retinue.toolkits.checking import Sighting, Wanted, compare

HAMMER = Wanted("h", "Hammer", "H-1", "hammer", 1)
NAILS = Wanted("n", "Nail", None, "nail", 3)
FLAT = Wanted("f", "Flat pliers", None, "pliers", 1)
LONG = Wanted("l", "Long pliers", None, "pliers", 1)
MAGNET = Wanted("m", "Magnet", None, None, 1)

# wanted, sure, unsure → present, missing, extra, unsure; each sighting a label and a score
CASES = {
    "everything is there": ([HAMMER], ["hammer .9"], [], ["h .9"], [], [], []),
    "nothing is wanted, nothing is there": ([], [], [], [], [], [], []),
    "nothing is there": ([HAMMER], [], [], [], ["h"], [], []),
    "perhaps it is there": ([HAMMER], [], ["hammer .3"], [], ["h .3"], [], ["h .3"]),
    "one too many": ([HAMMER], ["hammer .6", "hammer .9"], [], ["h .9"], [], ["h .6"], []),
    "a stranger": ([HAMMER], ["hammer .9", "spoon .8"], [], ["h .9"], [], ["- .8"], []),
    "perhaps a stranger is nobody": ([HAMMER], ["hammer .9"], ["spoon .3", "hammer .3"], ["h .9"], [], [], []),
    "two of three": ([NAILS], ["nail .9", "nail .8"], ["nail .2"], ["n .9", "n .8"], ["n .2"], [], ["n .2"]),
    "one of three and one perhaps": ([NAILS], ["nail .9"], ["nail .2"], ["n .9"], ["n .2", "n"], [], ["n .2"]),
    "tools that look alike are filled in order": (
        [FLAT, LONG],
        ["pliers .7"],
        ["pliers .3"],
        ["f .7"],
        ["l .3"],
        [],
        ["l .3"],
    ),
    "what no picture can show": ([MAGNET], ["hammer .9"], [], [], ["m"], ["- .9"], []),
}


def sightings(told: list[str]) -> list[Sighting]:
    return [Sighting(one.split()[0], float(one.split()[1]), (1.0, 2.0, 3.0, 4.0)) for one in told]


@pytest.mark.parametrize("case", CASES)
def test_compare(case: str) -> None:
    wanted, sure, unsure, present, missing, extra, doubtful = CASES[case]
    found = compare(wanted, sightings(sure), sightings(unsure))
    told = [
        [
            " ".join(
                [line.tool.tool_id if line.tool else "-"]
                + ([f"{line.sighting.score:.1f}"[1:]] if line.sighting else [])
            )
            for line in lines
        ]
        for lines in (found.present, found.missing, found.extra, found.unsure)
    ]
    assert told == [present, missing, extra, doubtful]
    assert found.is_complete is (missing == [])


def test_a_line_without_a_sighting_has_no_box() -> None:
    (line,) = compare([HAMMER], [], []).as_json()["missing"]
    assert line == {
        "tool_id": "h",
        "name": "Hammer",
        "serial_number": "H-1",
        "label": "hammer",
        "score": None,
        "box": None,
    }
