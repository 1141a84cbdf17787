"""What the OpenAPI document says where a shape cannot say it by itself."""

from typing import Any

from pydantic import BaseModel

_NULL = {"type": "null"}


def fields_of(shape: type[BaseModel]) -> dict[str, Any]:
    """The fields of a shape as those of a form or a query, which know no null: what is unset is not sent."""
    properties = shape.model_json_schema(ref_template="#/components/schemas/{model}")["properties"]
    return {name: without_null(told) for name, told in properties.items()}


def just_one(**kinds: str) -> dict[str, Any]:
    """Of fields that may be null, exactly one is given."""
    return {
        "oneOf": [
            {
                "required": [given],
                "properties": {name: {"type": kinds[name]} if name == given else _NULL for name in kinds},
            }
            for given in kinds
        ]
    }


def without_null(told: dict[str, Any]) -> dict[str, Any]:
    """Of a text no reading is null."""
    readings = [one for one in told.get("anyOf", ()) if one != _NULL]
    if _NULL not in told.get("anyOf", ()):
        return told
    rest = {name: value for name, value in told.items() if name not in {"anyOf", "default"}}
    return {**rest, **readings[0]} if len(readings) == 1 else {**rest, "anyOf": readings}
