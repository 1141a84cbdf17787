"""A kit held against a picture of it, with the shipped detector."""

from io import BytesIO
from zipfile import ZipFile

from PIL import Image

from retinue import assembly
from tests.accounts.people import Person
from tests.datasets.sending import books, credits_of
from tests.pictures import drawn
from tests.toolkits.asking import a_kit, first_kit, made, names
from tests.toolkits.scenes import LAST, bench
from training.toolbox.scene import LABELS


class TestChecking:
    async def test_a_complete_kit_and_one_that_lacks_a_tool(self, ada: Person, house: assembly.House) -> None:
        path = f"/api/v1/toolkits/{(await first_kit(ada))['id']}/check"
        full = (await ada.post(path, files={"file": ("kit.png", bench())})).json()
        assert full["complete"] is True
        assert sorted(line["label"] for line in full["present"]) == sorted(LABELS)
        assert (full["missing"], full["extra"], full["unsure"]) == ([], [], [])
        lacking = (await ada.post(path, files={"file": ("kit.png", bench(10))})).json()
        assert lacking["complete"] is False
        assert [line["label"] for line in lacking["missing"]] == [LAST]
        assert len(lacking["present"]) == 10
        assert await credits_of(ada) == (94.5, 0.0)
        assert books(house) == []

    async def test_each_line_has_its_box_and_a_link_to_it(self, ada: Person) -> None:
        path = f"/api/v1/toolkits/{(await first_kit(ada))['id']}/check"
        told = (await ada.post(path, files={"file": ("kit.png", bench())})).json()
        line = told["present"][0]
        crop = await ada.http.get(line["crop_url"])
        assert (crop.status_code, crop.headers["content-type"]) == (200, "image/jpeg")
        width, height = Image.open(BytesIO(crop.content)).size
        assert line["box"][2] <= width <= line["box"][2] * 1.3 + line["box"][3] * 0.3
        assert height < 640
        assert (await ada.http.get(line["crop_url"][:-2])).status_code == 403
        assert (await ada.http.get(told["annotated_url"])).headers["content-type"] == "image/jpeg"

    async def test_what_is_unsure_is_told_as_tools_of_the_kit(self, ada: Person) -> None:
        path = f"/api/v1/toolkits/{(await first_kit(ada))['id']}/check"
        told = (await ada.post(path, files={"file": bench()}, data={"confidence": "0.9"})).json()
        assert len(told["unsure"]) > 0
        assert {line["tool_id"] for line in told["unsure"]} <= {line["tool_id"] for line in told["missing"]}

    async def test_it_is_in_the_history_as_a_check(self, ada: Person) -> None:
        kit = await first_kit(ada)
        told = (await ada.post(f"/api/v1/toolkits/{kit['id']}/check", files={"file": bench(10)})).json()
        remembered = (await ada.get(f"/api/v1/predictions/{told['prediction_id']}")).json()
        assert (remembered["source"], remembered["toolkit"]["toolkit_id"]) == ("check", kit["id"])
        assert names(remembered["toolkit"]["missing"]) == names(told["missing"])

    async def test_sent_again_under_its_key_it_is_paid_once(self, ada: Person) -> None:
        path = f"/api/v1/toolkits/{(await first_kit(ada))['id']}/check"
        first, again = [
            await ada.post(path, files={"file": bench()}, headers={"Idempotency-Key": "k"}) for _ in range(2)
        ]
        assert again.headers["idempotency-replayed"] == "true"
        assert again.content == first.content
        assert await credits_of(ada) == (97.25, 0.0)

    async def test_what_cannot_be_checked(self, olga: Person) -> None:
        by_hand = await a_kit(olga, "hammer")
        for kit_id, status, code in (("nobody", 404, "no-such-toolkit"), (by_hand["id"], 409, "no-model-for-toolkit")):
            answer = await olga.post(f"/api/v1/toolkits/{kit_id}/check", files={"file": bench()})
            assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert await credits_of(olga) == (100.0, 0.0)


class TestPredictingWithAKit:
    async def test_the_kits_model_answers_and_the_comparison_is_told(self, ada: Person) -> None:
        kit = await first_kit(ada)
        answer = await ada.post("/api/v1/predict", files={"file": bench(10)}, data={"toolkit_id": kit["id"]})
        told = answer.json()
        assert (told["model"], told["toolkit"]["complete"]) == ("toolbox", False)
        assert [line["label"] for line in told["toolkit"]["missing"]] == [LAST]
        assert len(told["detections"]) == 10

    async def test_an_answer_from_the_cache_is_held_against_the_kit_that_was_asked_about(self, olga: Person) -> None:
        plain = await olga.post("/api/v1/predict", files={"file": bench()}, data={"model": "toolbox"})
        assert "toolkit" not in plain.json()
        two = await a_kit(olga, "pliers", "submarine", model="toolbox")
        told = (await olga.post("/api/v1/predict", files={"file": bench()}, data={"toolkit_id": two["id"]})).json()
        assert (told["cached"], told["cost"]) == (True, 0.0)
        assert names(told["toolkit"]["present"]) == ["pliers"]
        assert names(told["toolkit"]["missing"]) == ["submarine"]
        assert len(told["toolkit"]["extra"]) == 10

    async def test_a_high_floor_turns_the_sure_into_the_unsure(self, ada: Person) -> None:
        fields = {"toolkit_id": (await first_kit(ada))["id"], "confidence": "0.9"}
        told = (await ada.post("/api/v1/predict", files={"file": bench()}, data=fields)).json()["toolkit"]
        unsure = names(told["unsure"])
        assert len(unsure) > 0
        assert set(unsure) <= set(names(told["missing"]))
        assert len(told["present"]) + len(told["missing"]) == 11
        assert all(0.45 <= line["score"] < 0.9 and line["crop_url"] for line in told["unsure"])

    async def test_batches_and_archives(self, ada: Person) -> None:
        fields = {"toolkit_id": (await first_kit(ada))["id"]}
        files = [("files", ("full.png", bench())), ("files", ("lacking.png", bench(10)))]
        batch = (await ada.post("/api/v1/predict/batch", files=files, data=fields)).json()
        assert [one["prediction"]["toolkit"]["complete"] for one in batch["results"]] == [True, False]
        packed = BytesIO()
        with ZipFile(packed, "w") as archive:
            archive.writestr("full.png", bench())
        zipped = (await ada.post("/api/v1/predict/zip", files={"file": packed.getvalue()}, data=fields)).json()
        assert zipped["results"][0]["prediction"]["toolkit"]["complete"] is True

    async def test_refused_before_anything_is_paid(self, olga: Person) -> None:
        kit = await made(olga, "toolkits", name="empty")
        refused = [
            ({"toolkit_id": "nobody"}, 404, "no-such-toolkit"),
            ({"toolkit_id": kit["id"], "model": "efficientnet-lite0"}, 422, "cannot-compare"),
        ]
        for fields, status, code in refused:
            answer = await olga.post("/api/v1/predict", files={"file": drawn(1)}, data=fields)
            assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert await credits_of(olga) == (100.0, 0.0)
