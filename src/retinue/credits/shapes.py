"""How an amount of credits looks outside: a JSON number with two places; inside it is an integer of hundredths."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field, PlainSerializer


def as_credits(hundredths: int) -> float:
    """97.25 for 9725: exact for every amount below the ledger's cap of 15 digits."""
    return hundredths / 100


def as_hundredths(amount: Decimal) -> int:
    return int(amount * 100)


# In answers: hundredths inside, a JSON number outside.
CreditsField = Annotated[int, PlainSerializer(as_credits, return_type=float)]
# In requests: at most two places, else 422; 15 digits are the ledger's cap.
CreditsGiven = Annotated[Decimal, Field(decimal_places=2, max_digits=15, allow_inf_nan=False)]
