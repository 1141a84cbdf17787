"""The rule by which a version may take over, as a table; and how likely a lead is luck."""

import pytest

from retinue.feedback.comparing import Comparison
from retinue.feedback.promoting import Promote, Stay, decide


@pytest.mark.parametrize(
    ("both", "only_active", "only_candidate", "neither", "expected"),
    [
        (0, 0, 0, 0, Stay),
        (0, 0, 29, 0, Stay),  # too few, however good
        (29, 0, 1, 0, Promote),
        (30, 0, 0, 0, Stay),  # as good is not better
        (0, 0, 0, 30, Stay),
        (20, 6, 5, 0, Stay),
        (20, 5, 6, 0, Promote),
        (0, 0, 1, 29, Promote),
        (500, 3, 4, 90, Promote),
    ],
)
def test_the_rule(both: int, only_active: int, only_candidate: int, neither: int, expected: type) -> None:
    decision = decide(Comparison(both, only_active, only_candidate, neither), least=30)
    assert isinstance(decision, expected), decision.words


def test_it_says_why() -> None:
    assert decide(Comparison(5, 1, 2, 0), least=30).words == (
        "Both versions were judged on 8 of the same pictures; the rule asks for 30"
    )
    assert decide(Comparison(20, 6, 5, 0), least=30).words == (
        "Of 31 pictures it was right on 25, the active version on 26"
    )


@pytest.mark.parametrize(
    ("only_a", "only_b", "chance"),
    [(0, 0, 1.0), (1, 1, 1.0), (0, 5, 0.0625), (1, 9, 0.021484), (9, 1, 0.021484), (5000, 5000, 1.0), (0, 9000, 0.0)],
)
def test_how_likely_a_lead_is_luck(only_a: int, only_b: int, chance: float) -> None:
    assert Comparison(100, only_a, only_b, 7).chance == pytest.approx(chance, abs=1e-6)
