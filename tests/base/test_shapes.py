"""Which JSON a body may be."""

import pytest
from pydantic import ValidationError

from retinue.base.shapes import Strict


class Order(Strict):
    pieces: int
    is_gift: bool = False
    weight: float = 1.0


def test_a_whole_number_is_one_however_it_is_written() -> None:
    assert Order.model_validate({"pieces": 6.0, "weight": 2}).model_dump() == {
        "pieces": 6,
        "is_gift": False,
        "weight": 2.0,
    }


@pytest.mark.parametrize("told", [{"pieces": 6.5}, {"pieces": "6"}, {"pieces": True}, {"pieces": 1, "is_gift": 1}, []])
def test_nothing_is_read_as_something_else(told: object) -> None:
    with pytest.raises(ValidationError):
        Order.model_validate(told)
