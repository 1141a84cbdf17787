"""How people in tests speak the protocol: requests as its clients write them, answers as they read them."""

import json
from typing import Any

import httpx2
import numpy as np

from tests.accounts.people import Person

HEADER = "Inference-Header-Content-Length"
LITE0 = "/v2/models/efficientnet-lite0/infer"
DTYPES = {"FP32": "<f4", "FP64": "<f8", "INT64": "<i8", "UINT8": "u1", "INT8": "i1", "FP16": "<f2"}


def a_picture(count: int = 1, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 3, 224, 224)).astype(np.float32)


def as_json(array: np.ndarray, *, name: str = "input", **more: Any) -> dict[str, Any]:
    told = {"name": name, "shape": list(array.shape), "datatype": "FP32", "data": array.ravel().tolist()}
    return {"inputs": [told], **more}


async def send_bytes(
    person: Person, path: str, inputs: list[tuple[str, str, list[int], bytes]], **more: Any
) -> httpx2.Response:
    """Each input: name, datatype, shape, bytes."""
    headers = more.pop("headers", {})
    told = [
        {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(raw)}}
        for name, datatype, shape, raw in inputs
    ]
    head = json.dumps({"inputs": told, **more}).encode()
    body = head + b"".join(raw for *_, raw in inputs)
    sent = {HEADER: str(len(head)), "Content-Type": "application/octet-stream", **headers}
    return await person.post(path, content=body, headers=sent)


async def send_array(person: Person, array: np.ndarray, *, path: str = LITE0, **more: Any) -> httpx2.Response:
    return await send_bytes(person, path, [("input", "FP32", list(array.shape), array.tobytes())], **more)


def element(raw: bytes) -> bytes:
    return len(raw).to_bytes(4, "little") + raw


async def send_pictures(person: Person, *pictures: bytes, path: str = LITE0, **more: Any) -> httpx2.Response:
    raw = b"".join(element(picture) for picture in pictures)
    return await send_bytes(person, path, [("input", "BYTES", [len(pictures)], raw)], **more)


def arrays_of(answer: httpx2.Response) -> dict[str, np.ndarray]:
    """The outputs, whichever way they came."""
    assert answer.status_code == 200, answer.text
    head = answer.headers.get(HEADER)
    told = json.loads(answer.content[: int(head)] if head else answer.content)
    at, arrays = int(head or 0), {}
    for one in told["outputs"]:
        dtype = DTYPES[one["datatype"]]
        if "data" in one:
            arrays[one["name"]] = np.array(one["data"], dtype).reshape(one["shape"])
            continue
        size = one["parameters"]["binary_data_size"]
        arrays[one["name"]] = np.frombuffer(answer.content[at : at + size], dtype).reshape(one["shape"])
        at += size
    assert not head or at == len(answer.content)
    return arrays
