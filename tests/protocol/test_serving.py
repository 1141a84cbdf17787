"""What a client of the protocol learns before it asks: who is there, which models, and what they take."""

import pytest

from retinue import assembly
from tests.accounts.people import Person
from tests.predictions.asking import credits_of
from tests.protocol.speaking import LITE0, a_picture, send_array

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class TestHealth:
    async def test_everybody_may_ask(self, ada: Person) -> None:
        assert (await ada.http.get("/v2/health/live")).json() == {"live": True}
        assert (await ada.http.get("/v2/health/ready")).json() == {"ready": True, "live": True}

    async def test_a_house_that_is_closing_is_not_ready(self, ada: Person, house: assembly.House) -> None:
        house.health.drain()
        answer = await ada.http.get("/v2/health/ready")
        assert (answer.status_code, answer.json()) == (503, {"ready": False, "live": True})


class TestMetadata:
    async def test_of_the_server_with_a_slash_and_without(self, ada: Person) -> None:
        for path in ("/v2", "/v2/"):
            told = (await ada.get(path)).json()
            assert told["name"] == "retinue"
            assert "binary_tensor_data" in told["extensions"]
            refused = await ada.http.get(path)
            assert (refused.status_code, bool(refused.json()["error"])) == (401, True)

    async def test_of_a_model_are_the_tensors_of_its_file(self, ada: Person) -> None:
        told = (await ada.get("/v2/models/efficientnet-lite0")).json()
        assert told == {
            "name": "efficientnet-lite0",
            "versions": ["1"],
            "platform": "onnx_onnxv1",
            "inputs": [{"name": "input", "datatype": "FP32", "shape": [-1, 3, 224, 224]}],
            "outputs": [{"name": "logits", "datatype": "FP32", "shape": [-1, 1000]}],
        }
        assert (await ada.get("/v2/models/efficientnet-lite0/versions/1")).json() == told

    async def test_of_what_is_not_there(self, ada: Person) -> None:
        for path in ("models/none", "models/efficientnet-lite0/versions/9", "models/inpaint-ns", "models/none/ready"):
            answer = await ada.get(f"/v2/{path}")
            assert (answer.status_code, bool(answer.json()["error"])) == (404, True)
        assert (await ada.get("/v2/models/efficientnet-lite0/ready")).json()["ready"] is True


class TestStatistics:
    async def test_count_what_was_asked_in_this_process(self, ada: Person) -> None:
        await send_array(ada, a_picture(3))
        for path in ("efficientnet-lite0/stats", "efficientnet-lite0/versions/1/stats", "stats"):
            told = (await ada.get(f"/v2/models/{path}")).json()["model_stats"]
            (found,) = (one for one in told if one["name"] == "efficientnet-lite0")
            assert (found["version"], found["inference_count"], found["execution_count"]) == ("1", 3, 3)
            assert found["inference_stats"]["success"]["count"] == 3
            assert found["inference_stats"]["compute_infer"]["ns"] > 0
            assert found["last_inference"] > 0
        assert (await ada.get("/v2/models/toolbox/stats")).json() == {"model_stats": []}
        assert (await ada.get("/v2/models/none/stats")).status_code == 404


class TestTheRepository:
    async def test_unloaded_a_model_answers_nobody_until_it_is_loaded(self, admin: Person, ada: Person) -> None:
        unload, load = (f"/v2/repository/models/efficientnet-lite0/{verb}" for verb in ("unload", "load"))
        assert (await send_array(ada, a_picture())).status_code == 200
        assert (await admin.post(unload)).status_code == 200
        state = {one["name"]: one["state"] for one in (await admin.post("/v2/repository/index")).json()}
        assert state["efficientnet-lite0"] == "UNAVAILABLE"
        ready = (await admin.post("/v2/repository/index", json={"ready": True})).json()
        assert "efficientnet-lite0" not in {one["name"] for one in ready}
        assert (await ada.get("/v2/models/efficientnet-lite0/ready")).status_code == 409
        refused = await ada.post(LITE0, json={"inputs": []})
        assert (refused.status_code, refused.json()["code"]) == (409, "model-off")
        assert (await admin.post(load, json={"parameters": {"config": "{}"}})).status_code == 400
        assert (await admin.post(load)).status_code == 200
        assert (await send_array(ada, a_picture())).status_code == 200
        assert await credits_of(ada) == (94.5, 0.0)

    async def test_is_for_admins(self, ada: Person) -> None:
        for path in ("index", "models/efficientnet-lite0/load", "models/efficientnet-lite0/unload"):
            assert (await ada.post(f"/v2/repository/{path}")).status_code == 403
