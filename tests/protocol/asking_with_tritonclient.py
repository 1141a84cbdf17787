"""What an unmodified tritonclient does with a Retinue: health, metadata, inference in both forms, other types, errors.

Runs in an environment of its own: python asking_with_tritonclient.py ADDRESS KEY ADMIN_TOKEN PICTURE
"""

import sys

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

ADDRESS, KEY, ADMIN, PICTURE = sys.argv[1:]
LITE0 = "efficientnet-lite0"


def bearer(credential: str) -> dict[str, str]:
    """Anew for each call: the client writes the length of its JSON into what it is given."""
    return {"Authorization": f"Bearer {credential}"}


def given(name: str, array: np.ndarray, *, as_bytes: bool = True) -> triton.InferInput:
    types = {"float32": "FP32", "float16": "FP16", "uint8": "UINT8", "object": "BYTES", "float64": "FP64"}
    told = triton.InferInput(name, list(array.shape), types[str(array.dtype)])
    told.set_data_from_numpy(array, binary_data=as_bytes)
    return told


def refused(ask, status: str, words: str) -> None:
    told = "not refused", ""
    try:
        ask()
    except InferenceServerException as refusal:
        told = refusal.status() or "", refusal.message()
    assert status in told[0], told
    assert words in told[1], told


def main() -> None:
    server = triton.InferenceServerClient(ADDRESS.removeprefix("http://"))
    assert server.is_server_live()
    assert server.is_server_ready()
    assert server.is_model_ready(LITE0, headers=bearer(KEY))
    assert not server.is_model_ready("nothing", headers=bearer(KEY))
    assert server.get_server_metadata(headers=bearer(KEY))["name"] == "retinue"
    told = server.get_model_metadata(LITE0, model_version="1", headers=bearer(KEY))
    assert told["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 3, 224, 224]}], told

    numbers = np.random.default_rng(1).standard_normal((2, 3, 224, 224)).astype(np.float32)
    by_default = server.infer(LITE0, [given("input", numbers)], headers=bearer(KEY), request_id="seven")
    assert by_default.get_response()["id"] == "seven"
    logits = by_default.as_numpy("logits")
    assert logits.shape == (2, 1000)
    for as_bytes in (True, False):
        wanted = [triton.InferRequestedOutput("logits", binary_data=as_bytes)]
        inputs = [given("input", numbers, as_bytes=as_bytes)]
        answer = server.infer(LITE0, inputs, outputs=wanted, headers=bearer(KEY))
        np.testing.assert_allclose(answer.as_numpy("logits"), logits, atol=1e-4)
    later = server.async_infer(LITE0, [given("input", numbers)], headers=bearer(KEY))
    np.testing.assert_allclose(later.get_result().as_numpy("logits"), logits, atol=1e-4)

    with open(PICTURE, "rb") as file:  # noqa: PTH123
        picture = np.array([file.read()], dtype=np.object_)
    seen = server.infer(LITE0, [given("input", picture)], headers=bearer(KEY)).as_numpy("logits")
    assert seen.argmax() == 967, seen.argmax()  # espresso

    colours = np.full((1, 32, 32, 3), 200, np.uint8)
    for as_bytes in (True, False):
        (name,) = (one["name"] for one in server.get_model_metadata("eight-bits", headers=bearer(KEY))["inputs"])
        server.infer("eight-bits", [given(name, colours, as_bytes=as_bytes)], headers=bearer(KEY))
    halves = np.zeros((1, 3, 224, 224), np.float16)
    assert server.infer("halves", [given("input", halves)], headers=bearer(KEY)).as_numpy("output").shape == (1, 3)
    found = server.infer("finder", [given("image", np.zeros((3, 64, 64), np.float32))], headers=bearer(KEY))
    assert found.as_numpy("labels").dtype == np.int64
    assert found.as_numpy("labels").tolist() == [1, 2]

    refused(lambda: server.infer("nothing", [given("input", numbers)], headers=bearer(KEY)), "404", "nothing")
    refused(lambda: server.infer(LITE0, [given("input", numbers)]), "401", "Authorization")
    refused(lambda: server.infer(LITE0, [given("input", numbers.astype(float))], headers=bearer(KEY)), "400", "float32")
    refused(lambda: server.infer(LITE0, [given("input", numbers[:, :2])], headers=bearer(KEY)), "400", "shape")
    refused(lambda: server.infer(LITE0, [given("other", numbers)], headers=bearer(KEY)), "400", "other")
    refused(lambda: server.get_model_repository_index(headers=bearer(KEY)), "403", "")

    (stats,) = server.get_inference_statistics(LITE0, headers=bearer(KEY))["model_stats"]
    assert stats["inference_count"] >= 9, stats

    index = server.get_model_repository_index(headers=bearer(ADMIN))
    assert LITE0 in {one["name"] for one in index if one["state"] == "READY"}
    server.unload_model(LITE0, headers=bearer(ADMIN))
    assert not server.is_model_ready(LITE0, headers=bearer(KEY))
    refused(lambda: server.infer(LITE0, [given("input", numbers)], headers=bearer(KEY)), "409", "switched off")
    server.load_model(LITE0, headers=bearer(ADMIN))
    assert server.is_model_ready(LITE0, headers=bearer(KEY))


main()
