"""Which text people may send: what both databases can store, in sizes that fit what it is for.

PostgreSQL refuses NUL, and no UTF-8 can carry half a surrogate pair; both are valid JSON.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


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


Storable = AfterValidator(storable)
OneLine = AfterValidator(one_line)

ShortLine = Annotated[str, StringConstraints(strip_whitespace=True, max_length=100), OneLine]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), OneLine]
Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=300), OneLine]
Paragraph = Annotated[str, StringConstraints(max_length=16_384), Storable]
