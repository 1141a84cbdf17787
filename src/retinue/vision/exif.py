"""Reads the table of tags that TIFF files and EXIF blocks begin with, trusting none of its numbers."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from retinue.vision.errors import BrokenPicture, PictureTooBig

MAX_TAGS = 1024  # 5 ms; a camera writes thirty
UNIT_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
NUMBER_FORMS = {1: "B", 3: "H", 4: "L", 16: "Q"}
ORIENTATION = 274


class Tag(NamedTuple):
    """`outside_bytes` is what the tag keeps elsewhere in the file, `value` its first number where it fits inside."""

    number: int
    unit: int
    values: int
    outside_bytes: int
    value: int


def orientation_in(exif: bytes) -> int:
    """The orientation 1–8, and 1 for anything that cannot be understood: no picture is refused for its EXIF."""
    try:
        tags = read_tags(exif.removeprefix(b"Exif\0\0"))
        value = next((tag.value for tag in tags if tag.number == ORIENTATION), 1)
    except (BrokenPicture, PictureTooBig):
        return 1
    return value if 1 <= value <= 8 else 1


def read_tags(data: bytes) -> Iterator[Tag]:
    """The tags of the first directory; PictureTooBig if there are too many, BrokenPicture if one points outside."""
    try:
        order = {b"II": "<", b"MM": ">"}[data[:2]]
        is_big = struct.unpack_from(order + "H", data, 2) == (43,)
        (at,) = struct.unpack_from(order + ("Q" if is_big else "L"), data, 8 if is_big else 4)
        counter, entry = (
            struct.Struct(order + ("Q" if is_big else "H")),
            struct.Struct(order + "HH" + ("Q8s", "L4s")[not is_big]),
        )
        (tags,) = counter.unpack_from(data, at)
        if tags > MAX_TAGS:
            raise PictureTooBig(f"The picture has more than {MAX_TAGS} tags.")
        for place in range(tags):
            number, unit, count, field = entry.unpack_from(data, at + counter.size + place * entry.size)
            yield Tag(
                number,
                unit,
                count,
                _outside_bytes(order, count * UNIT_BYTES.get(unit, 0), field, data),
                _value(order, unit, field),
            )
    except (KeyError, struct.error, OverflowError) as cause:
        raise BrokenPicture("The picture's table of tags is broken.") from cause


def _outside_bytes(order: str, size: int, field: bytes, data: bytes) -> int:
    if size <= len(field):
        return 0
    if int.from_bytes(field, "little" if order == "<" else "big") + size > len(data):
        raise BrokenPicture("A tag of the picture points outside the file.")
    return size


def _value(order: str, unit: int, field: bytes) -> int:
    form = NUMBER_FORMS.get(unit)
    if form is None or struct.calcsize(order + form) > len(field):
        return 0
    return int(struct.unpack_from(order + form, field)[0])
