"""How an inference is answered: the outputs as JSON or as bytes behind it, each as it was asked for."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from fastapi import Response
from pydantic import BaseModel

from retinue.base.errors import Invalid
from retinue.catalog.serving import Serving
from retinue.protocol import wire
from retinue.protocol.asking import Asked, Datatype, Parameters
from retinue.vision.tensors import ANY, TEXT, Signature, Spec, Tensors

LARGEST_KEPT_BYTES = 8 << 20  # an answer under an Idempotency-Key lies in the database for a day


class TooLargeForKey(Invalid):
    code = "answer-too-large-for-key"
    title = "An answer as large as this is not kept for a repeat; ask without an Idempotency-Key"


class OutputTensor(BaseModel):
    name: str
    shape: list[int]
    datatype: Datatype
    parameters: Parameters = {}
    data: list[Any] = []


class InferResponse(BaseModel):
    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[OutputTensor]


@dataclass(frozen=True, slots=True)
class Body:
    """`header_bytes` of it are JSON; none: all of it."""

    content: bytes
    header_bytes: int | None
    replayed: bool = False

    def response(self) -> Response:
        headers = {"Idempotency-Replayed": "true"} if self.replayed else {}
        if self.header_bytes is None:
            return Response(self.content, 200, headers, media_type="application/json")
        headers[wire.HEADER] = str(self.header_bytes)
        return Response(self.content, 200, headers, media_type=wire.BINARY)

    def check_can_be_kept(self) -> None:
        """Where the graph did not say before how much it would answer."""
        if len(self.content) > LARGEST_KEPT_BYTES:
            raise TooLargeForKey()

    def to_keep(self) -> bytes:
        """As one string of bytes, for a repeat of the request."""
        return b"%d\n%b" % (self.header_bytes or 0, self.content)

    @classmethod
    def kept(cls, told: bytes) -> "Body":
        length, _, content = told.partition(b"\n")
        return cls(content, int(length) or None, replayed=True)


def body_of(asked: Asked, serving: Serving, outputs: Tensors) -> Body:
    document: dict[str, Any] = {"model_name": serving.model.name, "model_version": serving.version.label}
    if asked.id is not None:
        document["id"] = asked.id
    tails: list[bytes] = []
    document["outputs"] = [_told(outputs, one.name, tails if one.as_bytes else None) for one in asked.outputs]
    return Body(*wire.put_together(document, tails))


def check_can_be_kept(asked: Asked, signature: Signature) -> None:
    """Before any work, as far as the graph says how large its outputs are."""
    specs = {spec.name: spec for spec in signature.outputs}
    elements = asked.elements if signature.is_batched and signature.answers_each else 1
    least = sum(_least_bytes(specs[one.name], elements, as_bytes=one.as_bytes) for one in asked.outputs)
    if least > LARGEST_KEPT_BYTES:
        raise TooLargeForKey()


def _least_bytes(spec: Spec, elements: int, *, as_bytes: bool) -> int:
    """A side of any length may be 1; a number in JSON takes a digit and a comma, a text as bytes its length."""
    count = prod(1 if side == ANY else side for side in spec.shape)
    if spec.shape[:1] == (ANY,):
        count *= elements
    each = 4 if spec.dtype == TEXT else np.dtype(spec.dtype).itemsize
    return count * (each if as_bytes else 2)


def _told(outputs: Tensors, name: str, tails: list[bytes] | None) -> dict[str, Any]:
    array = outputs[name]
    told = {"name": name, "shape": list(array.shape), "datatype": wire.datatype_of(array.dtype)}
    if tails is None:
        return {**told, "data": wire.to_json(array)}
    tails.append(wire.to_bytes(array))
    return {**told, "parameters": {"binary_data_size": len(tails[-1])}}


def request_to_keep(asked: Asked) -> bytes:
    """The arrays of a request in the protocol's own binary form, whichever form they came in. Its first line is how
    many of the bytes behind that line are JSON."""
    assert isinstance(asked.given, dict), "pictures are kept as pictures"
    told: list[dict[str, Any]] = []
    tails: list[bytes] = []
    for name, array in asked.given.items():
        tails.append(wire.to_bytes(array))
        size = {"binary_data_size": len(tails[-1])}
        shape = list(array.shape)
        told.append({"name": name, "shape": shape, "datatype": wire.datatype_of(array.dtype), "parameters": size})
    return Body(*wire.put_together({"inputs": told}, tails)).to_keep()
