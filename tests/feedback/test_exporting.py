"""Pictures go out with what models and people said of them, ready for training."""

import json

import pytest

from retinue import assembly
from tests.accounts.people import Person, with_key
from tests.datasets.test_exporting import export
from tests.feedback.models import classifier, picture, put_in, say
from tests.jobs.asking import order, until_over
from tests.jobs.datasets import a_dataset
from tests.vision.exports import ultralytics


async def answered(house: assembly.House, person: Person, *colours: str, model: str) -> list[str]:
    """A dataset `photos` of such pictures, and the predictions that a job made of them."""
    await a_dataset(house, person, [(f"g/{n}.png", picture(colour, n)) for n, colour in enumerate(colours)])
    ordered = await order(person, model=model)
    assert (await until_over(person, ordered["inference_id"]))["done"] == len(colours)
    rows = (await person.get("/api/v1/predictions?source=job")).json()["predictions"]
    return [row["prediction_id"] for row in sorted(rows, key=lambda row: str(row["filename"]))]


class TestClasses:
    async def test_verdicts_stand_over_answers(self, house: assembly.House, ada: Person) -> None:
        await put_in(house, "colours", classifier(blue="red"))
        right, corrected, wrong, _ = await answered(house, ada, "red", "blue", "blue", "green", model="colours")
        await say(ada, right, correct=True)
        await say(ada, corrected, correct=False, label="../sky/blue")
        await say(ada, wrong, correct=False)

        async def folders(told: str, **more: str) -> list[str]:
            names = (await export(ada, "photos", format="folders", **{"with": told}, **more)).namelist()
            return [name.split("/")[1] for name in names if name.endswith("jpg")]

        assert await folders("predictions") == ["red", "red", "red", "green"]
        assert await folders("feedback") == ["red", "_sky_blue", "g", "g"]
        assert await folders("predictions,feedback") == ["red", "_sky_blue", "g", "green"]
        assert await folders("predictions", model="colours", version="2") == ["g"] * 4

        archive = await export(ada, "photos", **{"with": "feedback, predictions"})
        lines = [json.loads(line) for line in archive.read("photos/answers.jsonl").splitlines()]
        assert [line["index"] for line in lines] == [0, 1, 2, 3]
        assert lines[1]["feedback"]["label"] == "../sky/blue"
        assert lines[1]["feedback"]["of"]["answer"][0]["label"] == "red"
        assert lines[3]["prediction"]["model"] == "colours"
        assert "feedback" not in lines[3]
        plain = await export(ada, "photos")
        assert "photos/answers.jsonl" not in plain.namelist()
        refused = await ada.get("/api/v1/datasets/photos/export?with=opinions")
        assert (refused.status_code, refused.json()["code"]) == (422, "bad-with")

    async def test_a_key_for_datasets_reads_no_predictions(self, house: assembly.House, ada: Person) -> None:
        await a_dataset(house, ada, [("g/0.png", picture("red", 0))])
        place = "/api/v1/datasets/photos/export"
        narrow = with_key(house, ada, scopes=["datasets:read"])
        assert (await narrow.get(place)).status_code == 200
        for told in ("predictions", "feedback"):
            refused = await narrow.get(f"{place}?with={told}")
            assert (refused.status_code, refused.json()["code"]) == (403, "key-too-narrow")
        wider = with_key(house, ada, scopes=["datasets:read", "predictions:read"])
        assert (await wider.get(f"{place}?with=predictions")).status_code == 200

    async def test_of_many_answers_the_latest_counts(self, house: assembly.House, ada: Person) -> None:
        await put_in(house, "older", classifier(blue="red"))
        await put_in(house, "newer", classifier(blue="green"))
        [first] = await answered(house, ada, "blue", model="older")
        assert (await until_over(ada, (await order(ada, model="newer"))["inference_id"]))["done"] == 1
        await say(ada, first, correct=False, label="blue")

        async def told(**more: str) -> dict[str, str]:
            archive = await export(ada, "photos", **{"with": "predictions,feedback"}, **more)
            [line] = map(json.loads, archive.read("photos/answers.jsonl").splitlines())
            verdict = {"said": line["feedback"]["label"]} if "feedback" in line else {}
            return {"seen": line["prediction"]["answer"][0]["label"], **verdict}

        assert await told() == {"seen": "green", "said": "blue"}
        assert await told(model="older") == {"seen": "red", "said": "blue"}
        assert await told(model="newer") == {"seen": "green"}


class TestBoxes:
    async def test_corrected_boxes_take_the_place_of_seen_ones(self, house: assembly.House, ada: Person) -> None:
        await put_in(house, "tools", ultralytics.detector().SerializeToString())
        seen, corrected, empty = await answered(house, ada, "red", "green", "blue", model="tools")
        boxes = [{"label": "pliers", "box": [1, 2, 30, 20]}, {"label": "hammer", "box": [0.4, 0, 9.6, 9]}]
        await say(ada, corrected, correct=False, boxes=boxes)
        await say(ada, empty, correct=False, boxes=[])
        archive = await export(ada, "photos", format="coco", **{"with": "predictions,feedback"})
        coco = json.loads(archive.read("photos/annotations/instances_all.json"))
        names = {one["id"]: one["name"] for one in coco["categories"]}
        found = [(one["image_id"], names[one["category_id"]], one["bbox"]) for one in coco["annotations"]]
        [detected] = (await ada.get(f"/api/v1/predictions/{seen}")).json()["detections"]
        assert found[0][:2] == (1, "wrench")
        assert found[0][2] == pytest.approx(detected["box"], abs=0.51)
        assert found[1:] == [(2, "pliers", [1, 2, 30, 20]), (2, "hammer", [0, 0, 10, 9])]
