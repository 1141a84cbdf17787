"""What an unmodified KServe client does with a Retinue: health, inference in both forms, errors.

Runs in an environment of its own: python asking_with_kserve.py ADDRESS KEY
"""

import asyncio
import sys

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig
from kserve.protocol.infer_type import RequestedOutput

ADDRESS, KEY = sys.argv[1:]
LITE0 = "efficientnet-lite0"


def as_me() -> dict[str, str]:
    """Anew for each call: the client writes the length of its JSON into what it is given."""
    return {"Authorization": f"Bearer {KEY}"}


def request_of(numbers: np.ndarray, *, as_bytes: bool) -> InferRequest:
    told = InferInput("input", list(numbers.shape), "FP32")
    told.set_data_from_numpy(numbers, binary_data=as_bytes)
    wanted = [RequestedOutput("logits", parameters={"binary_data": as_bytes})]
    return InferRequest(LITE0, [told], request_id="seven", request_outputs=wanted)


async def main() -> None:
    client = InferenceRESTClient(RESTConfig(protocol="v2", retries=0))
    assert await client.is_server_live(ADDRESS)
    assert await client.is_server_ready(ADDRESS)
    assert await client.is_model_ready(ADDRESS, LITE0, headers=as_me())
    assert not await client.is_model_ready(ADDRESS, "nothing", headers=as_me())

    numbers = np.random.default_rng(1).standard_normal((2, 3, 224, 224)).astype(np.float32)
    found = []
    for as_bytes in (True, False):
        answer = await client.infer(ADDRESS, request_of(numbers, as_bytes=as_bytes), model_name=LITE0, headers=as_me())
        assert answer.id == "seven"
        found.append(answer.outputs[0].as_numpy().reshape(2, 1000))
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)

    for wrong, headers, status in ((numbers[:, :2], as_me(), 400), (numbers, {}, 401)):
        told = 200
        try:
            await client.infer(ADDRESS, request_of(wrong, as_bytes=True), model_name=LITE0, headers=headers)
        except httpx.HTTPStatusError as refusal:
            told = refusal.response.status_code
        assert told == status


asyncio.run(main())
