"""Tensors in, tensors out, each element paid for; what cannot be read costs nothing."""

import asyncio
import base64
from typing import Any

import numpy as np
import pytest

from retinue import assembly
from retinue.protocol import answering
from retinue.vision.images import decode
from retinue.vision.opening import open_model
from tests.accounts.people import Person
from tests.pictures import photograph
from tests.predictions.asking import credits_of, predict
from tests.protocol.speaking import (
    HEADER,
    LITE0,
    a_picture,
    arrays_of,
    as_json,
    element,
    send_array,
    send_bytes,
    send_pictures,
)
from tests.vision.exports import plain

# What is read from a body is the same on both.
ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
INPUT = ("input", "FP32", [1, 3, 224, 224])


@ONE_DATABASE
class TestAskingWithTensors:
    async def test_json_and_bytes_give_the_same_answer(self, ada: Person) -> None:
        picture = a_picture()
        as_text = await ada.post(LITE0, json=as_json(picture, id="mine"))
        assert (as_text.json()["model_name"], as_text.json()["model_version"]) == ("efficientnet-lite0", "1")
        assert as_text.json()["id"] == "mine"
        as_bytes = await send_array(ada, picture, parameters={"binary_data_output": True})
        assert as_bytes.headers["content-type"] == "application/octet-stream"
        one, other = arrays_of(as_text)["logits"], arrays_of(as_bytes)["logits"]
        assert other.shape == (1, 1000)
        np.testing.assert_allclose(one, other, atol=1e-5)

    async def test_prepared_by_the_caller_it_is_what_predict_says(self, ada: Person, house: assembly.House) -> None:
        with open_model("efficientnet-lite0", threads=1) as model:
            (numbers,) = model.model.prepare(decode(photograph("coffee"), short_side=256)).numbers
        answer = await send_array(ada, numbers[None])
        seen = await predict(ada, photograph("coffee"))
        assert arrays_of(answer)["logits"].argmax() == seen["classes"][0]["class_id"]

    async def test_without_json_the_whole_body_is_the_input(self, ada: Person) -> None:
        picture = a_picture()
        answer = await ada.post(LITE0, content=picture.tobytes(), headers={HEADER: "0"})
        same = await send_array(ada, picture)
        np.testing.assert_allclose(arrays_of(answer)["logits"], arrays_of(same)["logits"], atol=1e-5)

    async def test_an_output_says_for_itself_how_it_comes(self, ada: Person) -> None:
        wanted = [{"name": "logits", "parameters": {"binary_data": True}}]
        answer = await send_array(ada, a_picture(), outputs=wanted)
        assert answer.headers[HEADER]
        as_text = [{"name": "logits", "parameters": {"binary_data": False}}]
        answer = await send_array(ada, a_picture(), outputs=as_text, parameters={"binary_data_output": True})
        assert HEADER not in answer.headers

    async def test_other_types_of_numbers(self, ada: Person, admin: Person) -> None:
        model = plain.keras_classifier().SerializeToString()
        facts = {"name": "colours", "labels": "red\ngreen\nblue", "task": "classify"}
        added = await admin.post("/api/v1/models", files={"file": ("m.onnx", model)}, data=facts)
        assert added.status_code == 201, added.text
        told = (await ada.get("/v2/models/colours")).json()
        name, shape = told["inputs"][0]["name"], [1 if side == -1 else side for side in told["inputs"][0]["shape"]]
        numbers = np.zeros(shape, np.float32)
        right = [(name, told["inputs"][0]["datatype"], shape, numbers.tobytes())]
        assert (await send_bytes(ada, "/v2/models/colours/infer", right)).status_code == 200
        wrong = [(name, "FP64", shape, numbers.astype(np.float64).tobytes())]
        refused = await send_bytes(ada, "/v2/models/colours/infer", wrong)
        assert (refused.status_code, refused.json()["code"]) == (400, "tensors-do-not-fit")


class TestAskingWithEncodedPictures:
    async def test_the_server_prepares_them_and_remembers_them_as_pictures(self, ada: Person) -> None:
        answer = await send_pictures(ada, photograph("coffee"), photograph("rocket"))
        logits = arrays_of(answer)["logits"]
        history = (await ada.get("/api/v1/predictions?source=protocol")).json()["predictions"]
        assert sorted(one["predicted_class"] for one in history) == ["espresso", "missile"]
        assert sorted(one["classes"][0]["class_id"] for one in history) == sorted(logits.argmax(axis=1).tolist())
        assert await credits_of(ada) == (94.5, 0.0)

    async def test_in_json_they_stand_in_base64(self, ada: Person) -> None:
        text = base64.b64encode(photograph("coffee")).decode()
        told = {"name": "input", "shape": [1], "datatype": "BYTES", "data": [text]}
        answer = await ada.post(LITE0, json={"inputs": [told]})
        assert arrays_of(answer)["logits"].shape == (1, 1000)

    async def test_one_bad_picture_is_refused_with_all_and_costs_nothing(self, ada: Person) -> None:
        for picture, status in [(b"", 422), (b"<svg/>", 415), (photograph("coffee")[:9000], 422)]:
            answer = await send_pictures(ada, photograph("rocket"), picture)
            assert answer.status_code == status
            assert answer.json()["error"] == answer.json()["detail"]
        assert await credits_of(ada) == (100.0, 0.0)


class TestPaying:
    async def test_each_element_costs_and_counts_as_one(self, ada: Person, house: assembly.House) -> None:
        assert arrays_of(await send_array(ada, a_picture(3)))["logits"].shape == (3, 1000)
        assert await credits_of(ada) == (91.75, 0.0)
        history = (await ada.get("/api/v1/predictions")).json()
        assert history["total"] == 3
        assert {one["source"] for one in history["predictions"]} == {"protocol"}
        assert {one["cost"] for one in history["predictions"]} == {2.75}
        assert len([entry async for entry in house.storage.list("tensors")]) == 1

    async def test_too_few_credits_for_the_last_element_write_nothing(self, ada: Person, house: assembly.House) -> None:
        answer = await send_array(ada, a_picture(37))
        assert answer.status_code == 402
        assert (answer.json()["needed"], answer.json()["available"]) == (101.75, 100.0)
        assert "error" in answer.json()
        assert (await ada.get("/api/v1/predictions")).json()["total"] == 0
        assert [entry async for entry in house.storage.list("tensors")] == []

    async def test_a_key_makes_a_repeat_count_once(self, ada: Person) -> None:
        picture = a_picture()
        key = {"Idempotency-Key": "again", HEADER: "0"}
        answers = [await ada.post(LITE0, content=picture.tobytes(), headers=key) for _ in range(2)]
        assert answers[0].content == answers[1].content
        assert answers[1].headers["Idempotency-Replayed"] == "true"
        assert answers[0].headers[HEADER] == answers[1].headers[HEADER]
        assert await credits_of(ada) == (97.25, 0.0)

    @pytest.mark.parametrize("as_bytes", [True, False], ids=["known before", "known after"])
    async def test_an_answer_too_large_to_keep_is_refused_under_a_key_and_free(
        self, ada: Person, monkeypatch: pytest.MonkeyPatch, as_bytes: bool
    ) -> None:
        monkeypatch.setattr(answering, "LARGEST_KEPT_BYTES", 3000)
        asked = {"parameters": {"binary_data_output": as_bytes}}
        for _ in range(2):
            refused = await send_array(ada, a_picture(), headers={"Idempotency-Key": "large"}, **asked)
            assert (refused.status_code, refused.json()["code"]) == (422, "answer-too-large-for-key")
        assert await credits_of(ada) == (100.0, 0.0)
        assert arrays_of(await send_array(ada, a_picture(), **asked))["logits"].shape == (1, 1000)

    async def test_the_ledger_agrees(self, ada: Person, admin: Person) -> None:
        await asyncio.gather(send_array(ada, a_picture(2)), send_pictures(ada, photograph("coffee")))
        assert (await admin.get("/api/v1/admin/ledger/verify")).json()["ok"] is True


def told(**changes: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "input", "datatype": "FP32", "shape": [1, 3, 224, 224], "data": [], **changes}]}


UNREADABLE: list[Any] = [
    {},
    [],
    {"inputs": []},
    told(datatype="FP8"),
    told(shape=[1, -3]),
    told(data=None),
    told(data="text"),
    told(shape=[2], data=["1", "2"]),
    told(shape=[2], data=[[1], [2, 3]]),
    told(shape=[2, 2], data=[1, 2, 3]),
    told(datatype="INT8", shape=[1], data=[300]),
    told(datatype="INT64", shape=[1], data=[1.5]),
    told(datatype="BOOL", shape=[1], data=[3]),
    told(datatype="FP16", shape=[1], data=[1.0]),
    told(datatype="BYTES", shape=[1], data=["not base64!"]),
    told(parameters={"binary_data_size": 4}),
    told(parameters={"shared_memory_region": "mine"}),
    told(parameters={"nested": {}}),
    {**told(), "parameters": {"sequence_id": 1}},
    {**told(), "parameters": {"timeout": -1}},
    {**told(shape=[1, 3, 224, 224], data=[0] * 150528), "outputs": [{"name": "nothing"}]},
    {**told(name="other", shape=[1], data=[1])},
]


@ONE_DATABASE
class TestWhatCannotBeRead:
    async def test_is_refused_in_words_and_costs_nothing(self, ada: Person) -> None:
        for request_told in UNREADABLE:
            answer = await ada.post(LITE0, json=request_told)
            assert answer.status_code == 400, (request_told, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["error"]
        assert await credits_of(ada) == (100.0, 0.0)

    async def test_lengths_that_do_not_add_up(self, ada: Person) -> None:
        raw = a_picture().tobytes()
        wrong = [
            send_bytes(ada, LITE0, [(*INPUT, raw[:-4])]),
            send_bytes(ada, LITE0, [("input", "FP32", [0, 1 << 40, 1 << 40], b"")]),
            send_bytes(ada, LITE0, [("input", "BYTES", [0, 1 << 40, 1 << 40], b"")]),
            ada.post(LITE0, json=told(shape=[0, 1 << 40, 1 << 40])),
            send_bytes(ada, LITE0, [(*INPUT, raw)], headers={HEADER: "999999999"}),
            send_bytes(ada, LITE0, [(*INPUT, raw)], headers={HEADER: "-1"}),
            send_bytes(ada, LITE0, [(*INPUT, raw)], headers={HEADER: "7"}),
            send_bytes(ada, LITE0, [("input", "BYTES", [1], element(b"picture")[:-1])]),
            send_bytes(ada, LITE0, [("input", "BYTES", [2], element(photograph("coffee")))]),
            ada.post(LITE0, content=raw[:-4], headers={HEADER: "0"}),
            ada.post(LITE0, content=b"{", headers={HEADER: "1"}),
        ]
        for answer in [await one for one in wrong]:
            assert (answer.status_code, bool(answer.json()["error"])) == (400, True), answer.text
        assert await credits_of(ada) == (100.0, 0.0)
