"""What counts as the same answer, and which disagreements are strong."""

import pytest

from retinue.feedback.matching import Saying, Thing, is_same, saying_of, strength


def classes(**scores: float) -> Saying:
    return saying_of("classify", {"classes": [{"label": name, "score": score} for name, score in scores.items()]})


def things(*told: tuple[str, tuple[float, float, float, float], float]) -> Saying:
    return Saying(things=[Thing(label, box, score) for label, box, score in told])


WRENCH = ("wrench", (10.0, 10.0, 20.0, 20.0), 0.9)
NEAR = ("wrench", (12.0, 11.0, 20.0, 20.0), 0.6)  # overlaps by 0.75
APART = ("wrench", (22.0, 10.0, 20.0, 20.0), 0.6)  # by 0.25
PLIERS = ("pliers", (10.0, 10.0, 20.0, 20.0), 0.3)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (classes(cat=0.9, dog=0.1), classes(cat=0.4, dog=0.35), 0.0),
        (classes(cat=0.51, dog=0.49), classes(dog=0.51, cat=0.49), 0.02),
        (classes(cat=0.9, dog=0.1), classes(dog=0.8, cat=0.2), 0.7),
        (classes(cat=1.0), classes(dog=1.0), 1.0),
        (things(), things(), 0.0),
        (things(WRENCH), things(NEAR), 0.0),
        (things(WRENCH), things(), 1.0),
        (things(WRENCH), things(APART), 1.0),
        (things(WRENCH), things(PLIERS), 1.0),
        (things(WRENCH, PLIERS), things(NEAR), 0.3 / 1.8),
        (things(WRENCH, WRENCH), things(NEAR), 0.9 / 2.4),  # seen twice is once too often
    ],
)
def test_strength(one: Saying, other: Saying, expected: float) -> None:
    assert strength(one, other) == pytest.approx(expected)
    assert strength(other, one) == pytest.approx(expected)
    assert is_same(one, other) is (expected == 0)


def test_of_things_nobody_is_sure_of_the_strength_is_none() -> None:
    one, other = things(("wrench", WRENCH[1], 0.0)), things()
    assert strength(one, other) == 0.0
    assert not is_same(one, other)


def test_masks_are_told_by_their_boxes() -> None:
    mask = {"label": "wrench", "score": 0.9, "box": [10, 10, 20, 20], "rle": {}}
    assert is_same(saying_of("segment", {"masks": [mask]}), things(NEAR))
