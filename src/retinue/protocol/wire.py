"""How tensors are written on the wire of the Open Inference Protocol v2, as JSON and as bytes, whoever sends them."""

import base64
import binascii
import struct
from collections.abc import Iterator, Sequence
from itertools import chain
from math import prod
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from retinue.base.errors import Malformed
from retinue.vision.tensors import TEXT

HEADER = "Inference-Header-Content-Length"
BINARY = "application/octet-stream"
BYTES = "BYTES"
DATATYPES: dict[str, str] = {
    "BOOL": "bool",
    "FP16": "float16",
    "FP32": "float32",
    "FP64": "float64",
    BYTES: TEXT,
    **{f"{sign}INT{bits}": f"{sign.lower()}int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)},
}
_WORDS = {dtype: datatype for datatype, dtype in DATATYPES.items()}
_LENGTH = struct.Struct("<I")
# What JSON may hold for each: a number with a fraction is no INT32, and FP16 has no form in JSON at all.
_TAKES: dict[str, set[type]] = {
    "BOOL": {bool},
    "FP16": set(),
    "FP32": {float, int},
    "FP64": {float, int},
    BYTES: {str},
    **{f"{sign}INT{bits}": {int} for sign in ("", "U") for bits in (8, 16, 32, 64)},
}


class Unreadable(Malformed):
    code = "bad-tensors"
    title = "These tensors cannot be read"


def datatype_of(dtype: str | np.dtype[Any]) -> str:
    """The protocol's word for a type of numbers."""
    return _WORDS[str(dtype)]


def take_apart(body: bytes, header_bytes: int | None) -> tuple[Any, memoryview]:
    """The JSON in front, and the bytes of the tensors behind it. Without a length all of it is JSON."""
    view = memoryview(body)
    if header_bytes is not None and header_bytes > len(body):
        raise Unreadable(f"{HEADER} says {header_bytes} bytes of JSON, but the body has {len(body)}")
    end = len(body) if header_bytes is None else header_bytes
    try:
        return orjson.loads(view[:end]), view[end:]
    except orjson.JSONDecodeError as wrong:
        raise Unreadable(f"The JSON cannot be read: {wrong.msg} at byte {wrong.pos}") from None


def put_together(document: Any, tails: Sequence[bytes]) -> tuple[bytes, int | None]:
    """A body, and how much of it is JSON where anything follows."""
    # Numbers that are none (NaN, infinities) have no place in JSON: they become null.
    head = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    return (b"".join((head, *tails)), len(head)) if tails else (head, None)


def from_bytes(name: str, datatype: str, shape: Sequence[int], raw: memoryview) -> NDArray[Any]:
    """Little-endian, row by row, without gaps."""
    count = prod(shape)
    if datatype == BYTES:
        elements = list(_elements(name, raw))
        _check_count(name, shape, len(elements))
        return _texts(name, elements, shape)
    dtype = np.dtype(DATATYPES[datatype]).newbyteorder("<")
    if len(raw) != count * dtype.itemsize:
        raise Unreadable(
            f"“{name}” has {len(raw)} bytes, but {list(shape)} of {datatype} takes {count * dtype.itemsize}"
        )
    if datatype == "BOOL" and len(raw) and max(raw) > 1:
        raise Unreadable(f"“{name}” holds bytes that are neither 0 nor 1")
    return _shaped(name, np.frombuffer(raw, dtype), shape)


def to_bytes(array: NDArray[Any]) -> bytes:
    if array.dtype == TEXT:
        each = [_as_bytes(element) for element in array.ravel()]
        return b"".join(_LENGTH.pack(len(one)) + one for one in each)
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()


def from_json(name: str, datatype: str, shape: Sequence[int], data: Any) -> NDArray[Any]:
    """Nested like the shape or flat. What would lose something on its way is refused, not rounded."""
    if not isinstance(data, list):
        raise Unreadable(f"“{name}” has neither data nor binary_data_size")
    elements = _flattened(name, data, shape)
    _check_count(name, shape, len(elements))
    kinds = set(map(type, elements))
    if not kinds <= _TAKES[datatype]:
        raise Unreadable(f"The data of “{name}” is not {datatype}, or that has no form in JSON")
    if datatype == BYTES:
        return _texts(name, [element.encode() for element in elements], shape)
    dtype = np.dtype(DATATYPES[datatype])
    try:
        return _shaped(name, np.array(elements, dtype), shape)
    except OverflowError:
        raise Unreadable(f"“{name}” holds numbers that {datatype} does not reach") from None


def to_json(array: NDArray[Any]) -> Any:
    """Flat, as the protocol's own examples are."""
    if array.dtype == TEXT:
        return [_as_bytes(element).decode("utf-8", "replace") for element in array.ravel()]
    return np.ascontiguousarray(array).reshape(-1)


def pictures_of(array: NDArray[Any], *, is_json: bool) -> list[bytes]:
    """Encoded pictures, one an element. In JSON, which holds no bytes, they stand in base64."""
    elements = [_as_bytes(element) for element in array.ravel()]
    if not is_json:
        return elements
    try:
        return [base64.b64decode(element, validate=True) for element in elements]
    except binascii.Error:
        raise Unreadable("Pictures in JSON are base64; or send their bytes behind the JSON") from None


def _elements(name: str, raw: memoryview) -> Iterator[bytes]:
    at = 0
    while at < len(raw):
        if at + _LENGTH.size > len(raw):
            raise Unreadable(f"“{name}” ends within the length of an element")
        (length,) = _LENGTH.unpack_from(raw, at)
        at += _LENGTH.size
        if at + length > len(raw):
            raise Unreadable(f"“{name}” ends within an element")
        yield bytes(raw[at : at + length])
        at += length


def _flattened(name: str, data: list[Any], shape: Sequence[int]) -> list[Any]:
    sides: list[int] = []
    while data and type(data[0]) is list:
        sides.append(len(data))
        if {type(one) for one in data} != {list} or len({len(one) for one in data}) > 1:
            raise Unreadable(f"The data of “{name}” is nested unevenly")
        data = list(chain.from_iterable(data))
    if sides and sides != list(shape)[: len(sides)]:
        raise Unreadable(f"The data of “{name}” is nested as {sides}, its shape says {list(shape)}")
    return data


def _texts(name: str, elements: Sequence[bytes], shape: Sequence[int]) -> NDArray[Any]:
    array = np.empty(len(elements), object)
    array[:] = elements
    return _shaped(name, array, shape)


def _shaped(name: str, array: NDArray[Any], shape: Sequence[int]) -> NDArray[Any]:
    """Of no elements at all there may be sides whose product no machine can count."""
    try:
        return array.reshape(shape)
    except ValueError:
        raise Unreadable(f"“{name}” has a shape that no array can have: {list(shape)}") from None


def _as_bytes(element: Any) -> bytes:
    return element if isinstance(element, bytes) else str(element).encode()


def _check_count(name: str, shape: Sequence[int], count: int) -> None:
    if count != prod(shape):
        raise Unreadable(f"“{name}” holds {count} elements, its shape {list(shape)} says {prod(shape)}")
