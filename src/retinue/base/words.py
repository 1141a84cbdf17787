"""Which text people may send: what both databases can store, in sizes that fit what it is for.

PostgreSQL refuses NUL, and no UTF-8 can carry half a surrogate pair; both are valid JSON.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic_core import CoreSchema, core_schema

CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029"  # inside the brackets of a pattern
_CONTROL = re.compile(f"[{CONTROL}]")
_NUMBER = re.compile(r"[+-]?[\d._]+(e[+-]?\d+)?", re.IGNORECASE)


def storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("holds a NUL character, which cannot be stored")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("holds half a surrogate pair, which cannot be stored") from None
    return text


def one_line(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("holds control characters or line breaks")
    return storable(text)


def written_out(told: Any) -> Any:
    """A bare number would be read as seconds since 1970, which nobody means who was promised RFC 3339."""
    if not isinstance(told, str) or _NUMBER.fullmatch(told.strip()):
        raise ValueError("is not a time such as 2026-11-20T08:00:00Z")
    return told


def aware(moment: datetime) -> datetime:
    """A time without a zone is one in UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


@dataclass(frozen=True, slots=True)
class Words:
    """A check of a text, and the pattern by which the document says it."""

    check: Callable[[str], str]
    pattern: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"pattern": self.pattern, **handler(schema)}


Storable = Words(storable, r"^[^\x00]*$")
OneLine = Words(one_line, rf"^[^{CONTROL}]*$")

ShortLine = Annotated[str, StringConstraints(strip_whitespace=True, max_length=100), OneLine]
Named = Words(one_line, rf"^[^{CONTROL}]*[^\s{CONTROL}][^{CONTROL}]*$")
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), Named]
Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=300), OneLine]
Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300), Named]
Paragraph = Annotated[str, StringConstraints(max_length=16_384), Storable]
# `strict` is about values of Python; what is sent is text.
Moment = Annotated[datetime, Field(strict=False), BeforeValidator(written_out), AfterValidator(aware)]
# What is to come names its zone.
ZonedMoment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(written_out)]
