"""What an inference request asks: read from its body, checked against the model's tensors, before any credit moves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError

from retinue.protocol import wire
from retinue.protocol.wire import HEADER, Unreadable
from retinue.vision.errors import BadTensors
from retinue.vision.tensors import TEXT, Signature, Spec, Tensors

Datatype = Literal[
    "BOOL",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "FP16",
    "FP32",
    "FP64",
    "BYTES",
]
Parameters = dict[str, str | bool | int | float]
TensorName = Annotated[str, Field(min_length=1, max_length=500)]
LONGEST_HEADER_DIGITS = 12
# Extensions that would change the answer: ignoring them would answer another question.
NOT_OFFERED = frozenset({"classification", "sequence_id", "shared_memory_region"})


class InputTensor(BaseModel):
    name: TensorName
    shape: list[Annotated[int, Field(ge=0, le=1 << 40)]] = Field(max_length=16)
    datatype: Datatype
    parameters: Parameters = Field(default={}, description="binary_data_size: its bytes follow the JSON.")
    data: Any = Field(default=None, description="Row by row, flat or nested like the shape.")


class OutputWanted(BaseModel):
    name: TensorName
    parameters: Parameters = Field(default={}, description="binary_data: as bytes behind the JSON, or not.")


class InferRequest(BaseModel):
    id: Annotated[str, Field(max_length=200)] | None = None
    parameters: Parameters = Field(
        default={}, description="binary_data_output: all outputs as bytes. timeout: microseconds the answer is of use."
    )
    inputs: list[InputTensor] = Field(min_length=1, max_length=64)
    outputs: list[OutputWanted] | None = Field(default=None, max_length=64, description="Absent: all.")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One output of the answer, and how it is written."""

    name: str
    as_bytes: bool


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A request that fits its model: arrays for the graph, or encoded pictures to make them from."""

    id: str | None
    given: Tensors | list[bytes]
    outputs: tuple[Wanted, ...]
    elements: int
    deadline_s: float | None

    @property
    def pictures(self) -> Sequence[bytes]:
        return self.given if isinstance(self.given, list) else ()


def header_bytes_of(headers: Mapping[str, str]) -> int | None:
    told = headers.get(HEADER)
    if told is None:
        return None
    if not told.isascii() or not told.isdecimal() or len(told) > LONGEST_HEADER_DIGITS:
        raise Unreadable(f"{HEADER} is a number of bytes")
    return int(told)


def read(body: bytes, header_bytes: int | None, signature: Signature) -> Asked:
    """Refused in words where it cannot be read, or does not fit."""
    if header_bytes == 0:
        return _read_bare(body, signature)
    document, tail = wire.take_apart(body, header_bytes)
    try:
        request = InferRequest.model_validate(document)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        raise Unreadable(f"{'.'.join(map(str, first['loc'])) or 'the request'}: {first['msg']}") from None
    _refuse_unoffered(request)
    given = _read_inputs(request.inputs, tail, signature)
    elements = _elements_in(given, signature)
    return Asked(request.id, given, _wanted(request, signature), elements, _deadline_s(request.parameters))


def _read_inputs(inputs: Sequence[InputTensor], tail: memoryview, signature: Signature) -> Tensors | list[bytes]:
    if len({told.name for told in inputs}) < len(inputs):
        raise Unreadable("An input comes twice")
    specs = {spec.name: spec for spec in signature.inputs}
    arrays: Tensors = {}
    at = 0
    for told in inputs:
        size = told.parameters.get("binary_data_size")
        if size is None:
            arrays[told.name] = wire.from_json(told.name, told.datatype, told.shape, told.data)
        else:
            if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= len(tail) - at:
                raise Unreadable(f"“{told.name}”: binary_data_size is not what follows the JSON")
            arrays[told.name] = wire.from_bytes(told.name, told.datatype, told.shape, tail[at : at + size])
            at += size
        if _is_pictures(told, specs.get(told.name)):
            if len(inputs) > 1 or at != len(tail):
                raise Unreadable("Encoded pictures come alone")
            return wire.pictures_of(arrays[told.name], is_json=size is None)
    if at != len(tail):
        raise Unreadable(f"{len(tail) - at} bytes follow the JSON that no binary_data_size tells of")
    return arrays


def _is_pictures(told: InputTensor, spec: Spec | None) -> bool:
    return told.datatype == wire.BYTES and spec is not None and spec.dtype != TEXT


def _elements_in(given: Tensors | list[bytes], signature: Signature) -> int:
    if isinstance(given, dict):
        return signature.elements_in(given)
    if not given:
        raise BadTensors("There is no picture in the request.")
    signature.check_pictures(len(given))
    return len(given)


def _wanted(request: InferRequest, signature: Signature) -> tuple[Wanted, ...]:
    all_as_bytes = _flag(request.parameters, "binary_data_output", default=False)
    if request.outputs:
        told = tuple(
            Wanted(one.name, _flag(one.parameters, "binary_data", default=all_as_bytes)) for one in request.outputs
        )
    else:
        told = tuple(Wanted(spec.name, all_as_bytes) for spec in signature.outputs)
    signature.check_outputs([one.name for one in told])
    halves = {spec.name for spec in signature.outputs if spec.dtype == "float16"}
    if impossible := [one.name for one in told if one.name in halves and not one.as_bytes]:
        raise Unreadable(f"“{impossible[0]}” is FP16, which has no form in JSON; ask for it with binary_data")
    return told


def _read_bare(body: bytes, signature: Signature) -> Asked:
    """No JSON at all: the whole body is the only input, one element of it, and everything comes back as bytes."""
    if len(signature.inputs) != 1:
        raise Unreadable("A request without JSON needs a model with one input")
    (spec,) = signature.inputs
    array = _shaped(spec, body, is_batched=signature.is_batched)
    given = {spec.name: array}
    outputs = tuple(Wanted(told.name, as_bytes=True) for told in signature.outputs)
    return Asked(None, given, outputs, signature.elements_in(given), None)


def _shaped(spec: Spec, body: bytes, *, is_batched: bool) -> NDArray[Any]:
    if spec.dtype == TEXT:
        raise Unreadable("A request without JSON needs a model that takes numbers")
    shape = [1 if place == 0 and is_batched else side for place, side in enumerate(spec.shape)]
    try:
        return np.frombuffer(body, spec.dtype).reshape(shape)
    except ValueError:
        raise Unreadable(f"{len(body)} bytes are no “{spec.name}” of {list(spec.shape)} {spec.dtype}") from None


def _refuse_unoffered(request: InferRequest) -> None:
    told = [request.parameters, *(one.parameters for one in (*request.inputs, *(request.outputs or ())))]
    if found := NOT_OFFERED & {name for parameters in told for name in parameters}:
        raise Unreadable(f"{min(found)} is an extension that this server does not offer")


def _flag(parameters: Parameters, name: str, *, default: bool) -> bool:
    told = parameters.get(name, default)
    if not isinstance(told, bool):
        raise Unreadable(f"{name} is true or false")
    return told


def _deadline_s(parameters: Parameters) -> float | None:
    """`timeout` is in microseconds; 0 means none."""
    told = parameters.get("timeout", 0)
    if isinstance(told, bool | str) or told < 0:
        raise Unreadable("timeout is a number of microseconds")
    return told / 1e6 if told else None
