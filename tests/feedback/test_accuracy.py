"""Wilson's interval against values that others computed."""

import pytest

from retinue.feedback.accuracy import Accuracy


@pytest.mark.parametrize(
    ("right", "judged", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (5, 10, 0.2366, 0.7634),
        (81, 263, 0.2553, 0.3662),  # from Newcombe (1998), table I
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_interval(right: int, judged: int, low: float, high: float) -> None:
    assert Accuracy(right, judged).interval == pytest.approx((low, high), abs=5e-5)


def test_nothing_is_known_of_what_nobody_judged() -> None:
    assert (Accuracy(0, 0).share, Accuracy(0, 0).interval) == (None, None)
