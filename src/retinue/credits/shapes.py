"""How an amount of credits looks outside: a JSON number with two places; inside it is an integer of hundredths."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

LARGEST = 10**12  # credits in one request: a tenth of the ledger's cap


def as_credits(hundredths: int) -> float:
    """97.25 for 9725: exact for every amount below the ledger's cap of 15 digits."""
    return hundredths / 100


def as_hundredths(amount: Decimal) -> int:
    return int(amount * 100)


def _number(told: Any) -> Any:
    """0.1 + 0.2 is 0.30000000000000004 in a program, and 0.30 in credits."""
    if isinstance(told, bool) or not isinstance(told, int | float | Decimal):
        raise ValueError("is not a number")
    if isinstance(told, float) and abs(told) <= LARGEST and abs(told * 100 - round(told * 100)) < 1e-6:
        return round(Decimal(str(told)), 2)
    return told


def _not_nothing(amount: Decimal) -> Decimal:
    if amount == 0:
        raise ValueError("must not be 0")
    return amount


def _as_number(*, least: float, **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "number", "multipleOf": 0.01, "minimum": least, "maximum": LARGEST, **more})


# In answers: hundredths inside, a JSON number outside.
CreditsField = Annotated[int, PlainSerializer(as_credits, return_type=float)]
# In requests: at most two places, else 422.
_Given = Annotated[
    Decimal,
    Field(decimal_places=2, max_digits=15, allow_inf_nan=False, le=LARGEST, strict=False),
    BeforeValidator(_number),
]
CreditsGiven = Annotated[
    _Given, Field(ge=-LARGEST), AfterValidator(_not_nothing), _as_number(least=-LARGEST, **{"not": {"const": 0}})
]
RefundGiven = Annotated[_Given, Field(gt=0), _as_number(least=0.01)]
PriceGiven = Annotated[_Given, Field(ge=0), _as_number(least=0)]
