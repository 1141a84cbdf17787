"""A model file becomes a version: imported, tried, put on the shelf, made to answer."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import onnx
import pytest

from retinue import assembly
from retinue.base.clock import SetClock
from retinue.catalog.shelf import sweep_packages
from tests.accounts.people import Person
from tests.pictures import drawn
from tests.predictions.asking import predict
from tests.vision.exports import plain, ultralytics


def detector() -> bytes:
    """An Ultralytics export that always sees a wrench."""
    return _bytes(ultralytics.detector())


def _bytes(model: onnx.ModelProto) -> bytes:
    return model.SerializeToString()


async def add(person: Person, data: bytes, path: str = "/api/v1/models", **facts: str) -> Any:
    return await person.post(path, files={"file": ("tools.onnx", data)}, data=facts)


class TestAddingAModel:
    async def test_it_answers_after_its_intake_test(self, admin: Person, ada: Person) -> None:
        added = await add(admin, detector(), name="tools")
        assert added.status_code == 201, added.text
        assert added.json()["model"] == "tools"
        assert "wrench" in added.json()["intake"]["sentence"]
        seen = await predict(ada, drawn(1), model="tools")
        assert seen["detections"][0]["label"] == "wrench"
        assert len(seen["detections"][0]["box"]) == 4

    async def test_what_the_file_does_not_say_is_asked_for(self, admin: Person) -> None:
        answer = await add(admin, _bytes(plain.torchvision_classifier()), name="plain")
        assert (answer.status_code, answer.json()["code"]) == (422, "model-facts-missing")
        assert "labels" in answer.json()["missing"]

    async def test_facts_beside_the_file_complete_it(self, admin: Person, ada: Person) -> None:
        answer = await add(
            admin, _bytes(plain.keras_classifier()), name="colours", labels="red\ngreen\nblue", task="classify"
        )
        assert answer.status_code == 201, answer.text
        assert (await predict(ada, drawn(1), model="colours"))["task"] == "classify"

    @pytest.mark.parametrize("labels", ["[", "[1, 2", "[" * 100_000, "[{}]"])
    async def test_labels_that_are_no_list_are_refused(self, admin: Person, labels: str) -> None:
        answer = await add(admin, detector(), name="tools", labels=labels)
        assert answer.status_code == 422, answer.text

    @pytest.mark.parametrize(
        ("data", "status"), [(b"", 415), (b"\x80\x04pickle", 415), (detector()[:300], 422), (b"<html>", 415)]
    )
    async def test_a_bad_file_is_refused_and_leaves_nothing(
        self, admin: Person, tmp_path: Path, data: bytes, status: int
    ) -> None:
        answer = await add(admin, data, name="bad")
        assert answer.status_code in {status, 422}, answer.text
        assert str(tmp_path) not in answer.text
        assert (await admin.get("/api/v1/models/bad")).status_code == 404
        assert list((tmp_path / "data" / "incoming").iterdir()) == []

    async def test_a_name_is_taken_once(self, admin: Person, house: assembly.House) -> None:
        """The files of the second stay until the sweeper comes; those of the first stay."""
        await add(admin, detector(), name="tools")
        kept = {entry.key async for entry in house.storage.list("models/")}
        assert (await add(admin, detector(), name="tools")).status_code == 409
        assert {entry.key async for entry in house.storage.list("models/")} > kept
        tomorrow = SetClock()
        tomorrow.time = datetime.now(UTC) + timedelta(hours=25)
        assert await sweep_packages(house.database, house.storage, tomorrow) == len(kept)
        assert {entry.key async for entry in house.storage.list("models/")} == kept

    async def test_it_is_for_admins(self, ada: Person) -> None:
        assert (await add(ada, detector(), name="tools")).status_code == 403


class TestVersions:
    async def test_a_new_version_answers_when_it_is_activated(self, admin: Person, ada: Person) -> None:
        await add(admin, detector(), name="tools")
        added = await add(admin, _bytes(ultralytics.detector(dynamic=True)), "/api/v1/models/tools/versions")
        assert (added.status_code, added.json()["version"]) == (201, "2")
        assert (await predict(ada, drawn(1), model="tools"))["model_version"] == "1"
        assert (await predict(ada, drawn(2), model="tools", version="2"))["model_version"] == "2"
        activated = await admin.post("/api/v1/models/tools/versions/2/activate", json={"reason": "better"})
        assert activated.json()["active_version"] == "2"
        assert (await predict(ada, drawn(3), model="tools"))["model_version"] == "2"

    async def test_rolling_back_is_activating_the_older(self, admin: Person, ada: Person) -> None:
        await add(admin, detector(), name="tools")
        await add(admin, detector(), "/api/v1/models/tools/versions")
        for version in ("2", "1"):
            await admin.post(f"/api/v1/models/tools/versions/{version}/activate", json={"reason": "trying"})
            assert (await predict(ada, drawn(int(version)), model="tools"))["model_version"] == version
        trail = (await admin.get("/api/v1/admin/audit")).json()["items"]
        assert [deed["action"] for deed in trail if deed["action"] == "model.activate"] == ["model.activate"] * 3

    async def test_the_active_one_cannot_be_retired(self, admin: Person) -> None:
        await add(admin, detector(), name="tools")
        assert (await admin.post("/api/v1/models/tools/versions/1/retire")).status_code == 409

    async def test_a_retired_one_answers_no_more(self, admin: Person, ada: Person) -> None:
        await add(admin, detector(), name="tools")
        await add(admin, detector(), "/api/v1/models/tools/versions")
        retired = await admin.post("/api/v1/models/tools/versions/2/retire")
        assert [one["state"] for one in retired.json()["versions"]] == ["retired", "active"]
        answer = await ada.post("/api/v1/predict", files={"file": drawn(1)}, data={"model": "tools", "version": "2"})
        assert (answer.status_code, answer.json()["code"]) == (409, "model-off")
        again = await admin.post("/api/v1/models/tools/versions/2/activate", json={"reason": "again"})
        assert again.status_code == 409

    async def test_another_task_is_refused(self, admin: Person) -> None:
        await add(admin, detector(), name="tools")
        other = await add(admin, _bytes(ultralytics.classifier()), "/api/v1/models/tools/versions")
        assert (other.status_code, other.json()["code"]) == (422, "other-task")


class TestChangingAModel:
    async def test_its_own_price_is_charged(self, admin: Person, ada: Person) -> None:
        changed = await admin.patch("/api/v1/models/efficientnet-lite0", json={"price": 0.5})
        assert changed.json()["price"] == 0.5
        assert (await predict(ada, drawn(1)))["cost"] == 0.5

    async def test_switched_off_it_says_so(self, admin: Person, ada: Person) -> None:
        await admin.patch("/api/v1/models/efficientnet-lite0", json={"enabled": False})
        answer = await ada.post("/api/v1/predict", files={"file": drawn(1)})
        assert (answer.status_code, answer.json()["code"]) == (409, "model-off")

    async def test_thresholds_per_class_decide_what_is_seen(self, admin: Person, ada: Person) -> None:
        await add(admin, detector(), name="tools")
        assert (await predict(ada, drawn(1), model="tools"))["detections"]
        await admin.patch("/api/v1/models/tools", json={"thresholds": {"wrench": 0.99}})
        seen = await predict(ada, drawn(1), model="tools")
        assert "wrench" not in {one["label"] for one in seen["detections"]}
        assert "wrench" in {one["label"] for one in seen["unsure"]}

    @pytest.mark.parametrize(
        "change", [{"price": -1}, {"price": 0.001}, {"enabled": None}, {"thresholds": {"a": 2}}, {"name": "x"}]
    )
    async def test_a_bad_change_is_refused(self, admin: Person, change: dict[str, Any]) -> None:
        assert (await admin.patch("/api/v1/models/efficientnet-lite0", json=change)).status_code == 422


class TestListing:
    async def test_it_says_what_a_caller_must_know(self, ada: Person) -> None:
        models = {one["name"]: one for one in (await ada.get("/api/v1/models")).json()["items"]}
        lite = models["efficientnet-lite0"]
        assert (lite["task"], lite["labels_count"], lite["price"]) == ("classify", 1000, 2.75)
        assert (lite["input"]["width"], lite["licence"]) == (224, "Apache-2.0")
        assert {"inpaint-telea", "inpaint-ns"} <= set(models)

    async def test_one_model_has_its_versions(self, ada: Person) -> None:
        told = (await ada.get("/api/v1/models/efficientnet-lite0")).json()
        assert [one["version"] for one in told["versions"]] == ["1"]
        assert len(told["versions"][0]["labels"]) == 1000
        assert len(told["versions"][0]["sha256"]) == 64


class TestPullingAModel:
    @pytest.mark.parametrize(
        ("told", "status"),
        [
            ({"source": "https://127.0.0.1/model.onnx"}, 422),
            ({"source": "http://models.example/model.onnx"}, 422),
            ({"source": "file:///etc/passwd"}, 422),
            ({"source": "hf://owner/../../etc"}, 422),
            ({"source": ""}, 422),
            ({"source": "https://models.example/m.onnx", "sha256": "short"}, 422),
            ({"unheard": "of"}, 422),
        ],
    )
    async def test_a_bad_source_is_refused(self, admin: Person, told: dict[str, str], status: int) -> None:
        answer = await admin.post("/api/v1/models", json=told)
        assert answer.status_code == status, answer.text

    async def test_broken_json_is_refused(self, admin: Person) -> None:
        answer = await admin.post("/api/v1/models", content=b"{", headers={"Content-Type": "application/json"})
        assert answer.status_code == 422
