"""What a JSON body may be: as its shape says, and nothing beside it."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Strict(BaseModel):
    """A field nobody declared is a mistake worth telling, and so is 1 where true is meant."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _whole_numbers(cls, told: Any) -> Any:
        """JSON has one kind of number: 6.0 is an integer."""
        if not isinstance(told, dict):
            return told
        return {name: int(one) if isinstance(one, float) and one.is_integer() else one for name, one in told.items()}
