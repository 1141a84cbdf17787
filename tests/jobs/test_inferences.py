"""A model over a dataset, from the order to the results, with a real eye and the broker in memory."""

import io
import zipfile
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from PIL import Image

from retinue import assembly
from retinue.base.database import Database
from retinue.credits import ledger
from retinue.credits.verifying import verify
from retinue.jobs import submitting
from retinue.jobs.manifests import Frozen, freeze
from retinue.vision.images import encode_jpeg
from retinue.webhooks import endpoints
from tests.accounts.people import Person
from tests.jobs.asking import order, results_of, until_over
from tests.jobs.datasets import a_dataset, drawn_pictures
from tests.pictures import drawn, mask, photograph
from tests.predictions.asking import credits_of
from training.toolbox.drawing import draw_scene

THREE = [("cup.jpg", photograph("coffee", width=320)), ("bad.jpg", b"no picture"), ("cat.jpg", photograph("chelsea"))]


ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def _sound_afterwards(house: assembly.House, database: Database) -> object:
    yield
    assert database.read_now(lambda now: verify(now, more=assembly.LEDGER_CHECKS.more)) == []


class TestOrdering:
    async def test_a_dry_run_tells_the_price_and_creates_nothing(self, house: assembly.House, ada: Person) -> None:
        await a_dataset(house, ada, drawn_pictures(3))
        answer = await ada.post("/api/v1/inferences", json={"dataset": "photos", "dry_run": True})
        assert (answer.status_code, answer.json()["items"], answer.json()["price"]) == (200, 3, 8.25)
        assert (await ada.get("/api/v1/inferences")).json()["items"] == []
        assert await credits_of(ada) == (100.0, 0.0)

    async def test_the_whole_price_is_held_first(self, house: assembly.House, ada: Person) -> None:
        await a_dataset(house, ada, drawn_pictures(37))
        answer = await ada.post("/api/v1/inferences", json={"dataset": "photos"})
        assert (answer.status_code, answer.json()["code"]) == (402, "not-enough-credits")
        assert answer.json()["needed"] == 101.75
        assert (await ada.get("/api/v1/inferences")).json()["items"] == []
        assert [entry async for entry in house.storage.list("jobs/")] == []

    async def test_sent_again_with_its_key_it_is_the_same_work(self, house: assembly.House, ada: Person) -> None:
        await a_dataset(house, ada, drawn_pictures(3))
        key, wanted = {"Idempotency-Key": "once"}, {"dataset": "photos"}
        first = await ada.post("/api/v1/inferences", json=wanted, headers=key)
        again = await ada.post("/api/v1/inferences", json=wanted, headers=key)
        assert (again.status_code, again.headers["Idempotency-Replayed"]) == (202, "true")
        assert again.json() == first.json()
        other = await ada.post("/api/v1/inferences", json={**wanted, "priority": 1}, headers=key)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
        await until_over(ada, first.json()["inference_id"])
        assert await credits_of(ada) == (91.75, 0.0)
        await ada.delete("/api/v1/datasets/photos")
        late = await ada.post("/api/v1/inferences", json=wanted, headers=key)
        assert (late.status_code, late.content) == (202, first.content)

    @ONE_DATABASE
    async def test_where_the_commit_is_in_doubt_its_list_stays(self, house: assembly.House, ada: Person) -> None:
        await a_dataset(house, ada, drawn_pictures(3))
        key, broken = {"Idempotency-Key": "once"}, []

        @sa.event.listens_for(house.database._writing, "commit")
        def _break(connection: sa.Connection) -> None:
            if not broken and connection.execute(sa.text("SELECT count(*) FROM jobs")).scalar():
                broken.append(True)
                connection.exec_driver_sql("COMMIT")
                raise sa.exc.OperationalError("COMMIT", None, Exception("cut"), connection_invalidated=True)

        lost = await ada.post("/api/v1/inferences", json={"dataset": "photos"}, headers=key)
        assert (lost.status_code, lost.json()["code"]) == (503, "commit-in-doubt")
        again = await ada.post("/api/v1/inferences", json={"dataset": "photos"}, headers=key)
        assert (await until_over(ada, again.json()["inference_id"]))["done"] == 3
        assert await credits_of(ada) == (91.75, 0.0)

    @ONE_DATABASE
    async def test_what_is_deleted_while_it_is_ordered_is_nothing_to_do(
        self, house: assembly.House, ada: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await a_dataset(house, ada, drawn_pictures(1))

        async def too_late(*told: Any, **more: Any) -> Frozen:
            await ada.delete("/api/v1/datasets/photos/items/0")
            return await freeze(*told, **more)

        monkeypatch.setattr(submitting, "freeze", too_late)
        answer = await ada.post("/api/v1/inferences", json={"dataset": "photos"})
        assert (answer.status_code, answer.json()["code"]) == (422, "nothing-to-do")
        assert [entry async for entry in house.storage.list("jobs/")] == []

    @ONE_DATABASE
    async def test_whose_list_is_lost_it_says_so(
        self, house: assembly.House, ada: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await a_dataset(house, ada, drawn_pictures(2))

        async def lost(*told: Any, **more: Any) -> Frozen:
            frozen = await freeze(*told, **more)
            await house.storage.delete([frozen.key])
            return frozen

        monkeypatch.setattr(submitting, "freeze", lost)
        inference_id = (await order(ada))["inference_id"]
        ended = await until_over(ada, inference_id)
        assert (ended["status"], ended["failed"], ended["done"]) == ("FAILED", 2, 0)
        assert ended["error"] == "The list of this inference's items is lost"
        shown = (await ada.get(f"/api/v1/inferences/{inference_id}")).json()
        assert (shown["error"], shown["cost"]) == (ended["error"], 0.0)
        assert await credits_of(ada) == (100.0, 0.0)

    async def test_what_cannot_be_is_refused(self, house: assembly.House, ada: Person, bob: Person) -> None:
        await a_dataset(house, ada, [])
        for wanted, status in (
            ({"dataset": "photos"}, 422),
            ({"dataset": "nobody's"}, 404),
            ({"dataset": "photos", "model": "nobody"}, 404),
            ({"dataset": "photos", "parameters": {"top_k": 0}}, 422),
        ):
            assert (await ada.post("/api/v1/inferences", json=wanted)).status_code == status, wanted
        assert (await bob.post("/api/v1/inferences", json={"dataset": "photos"})).status_code == 404


class TestWorking:
    async def test_one_bad_picture_costs_nothing_and_stops_nothing(self, house: assembly.House, ada: Person) -> None:
        await a_dataset(house, ada, THREE)
        begun = await order(ada, parameters={"top_k": 1})
        ended = await until_over(ada, begun["inference_id"])
        assert (ended["status"], ended["done"], ended["failed"], ended["progress"]) == ("COMPLETED", 2, 1, 100.0)
        images, failed = await results_of(ada, begun["inference_id"])
        assert [(one["original_path"], one["prediction"]["predicted_class"]) for one in images] == [
            ("cup.jpg", "espresso"),
            ("cat.jpg", images[1]["prediction"]["predicted_class"]),
        ]
        assert [(one["index"], one["original_path"], one["code"]) for one in failed] == [
            (1, "bad.jpg", "not-a-picture")
        ]
        assert await credits_of(ada) == (94.5, 0.0)
        history = (await ada.get("/api/v1/predictions?source=job")).json()
        assert history["total"] == 2
        gone = images[0]["prediction"]["prediction_id"]
        assert (await ada.delete(f"/api/v1/predictions/{gone}")).status_code == 204
        images, _ = await results_of(ada, begun["inference_id"])
        assert [one["prediction"] is None for one in images] == [True, False]
        lines = await ada.get(f"/api/v1/inferences/{begun['inference_id']}/download?format=jsonl")
        assert gone not in lines.text

    @pytest.mark.slow
    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    async def test_one_bad_picture_among_a_thousand(
        self, house: assembly.House, ada: Person, database: Database
    ) -> None:
        database.write_now(lambda now: ledger.topup(now, ada.user.id, 1_000_000))
        pictures = drawn_pictures(1000)
        pictures[500] = ("bad.jpg", drawn(500)[:700])
        await a_dataset(house, ada, pictures)
        begun = await order(ada)
        ended = await until_over(ada, begun["inference_id"], patience_s=300)
        assert (ended["status"], ended["done"], ended["failed"]) == ("COMPLETED", 999, 1)
        images, failed = await results_of(ada, begun["inference_id"])
        assert sorted(one["index"] for one in images) == [n for n in range(1000) if n != 500]
        assert [(one["index"], one["code"]) for one in failed] == [(500, "broken-picture")]
        assert await credits_of(ada) == (10_100.0 - 999 * 2.75, 0.0)

    async def test_the_same_answer_as_for_one_picture_alone(self, house: assembly.House, ada: Person) -> None:
        await a_dataset(house, ada, [("cup.jpg", photograph("coffee"))])
        begun = await order(ada)
        await until_over(ada, begun["inference_id"])
        images, _ = await results_of(ada, begun["inference_id"])
        alone = await ada.post("/api/v1/predict", files={"file": ("cup.jpg", photograph("coffee"))})
        assert images[0]["prediction"]["classes"] == alone.json()["classes"]

    async def test_when_nothing_could_be_done_it_failed_and_cost_nothing(
        self, house: assembly.House, ada: Person
    ) -> None:
        await a_dataset(house, ada, [("bad.jpg", b"no picture"), ("worse.jpg", b"nor this")])
        begun = await order(ada)
        ended = await until_over(ada, begun["inference_id"])
        assert (ended["status"], ended["failed"]) == ("FAILED", 2)
        assert ended["error"]
        assert await credits_of(ada) == (100.0, 0.0)

    async def test_detections_as_lines_and_as_coco(self, house: assembly.House, ada: Person) -> None:
        await a_dataset(
            house, ada, [("tools/one.jpg", encode_jpeg(draw_scene(9_000_001).picture)), ("two.jpg", drawn(2))]
        )
        begun = await order(ada, model="toolbox")
        assert (await until_over(ada, begun["inference_id"]))["done"] == 2
        place = f"/api/v1/inferences/{begun['inference_id']}/download"
        lines = [orjson.loads(line) for line in (await ada.get(place, params={"format": "jsonl"})).text.splitlines()]
        assert [line["original_path"] for line in lines] == ["tools/one.jpg", "two.jpg"]
        coco = (await ada.get(place, params={"format": "coco"})).json()
        assert [one["file_name"] for one in coco["images"]] == ["tools/one.jpg", "two.jpg"]
        assert len(coco["annotations"]) == sum(len(line["detections"]) for line in lines) > 0
        assert {one["category_id"] for one in coco["annotations"]} == {one["id"] for one in coco["categories"]}

    async def test_inpainting_uses_the_stored_masks_and_gives_pictures(
        self, house: assembly.House, ada: Person
    ) -> None:
        pictures = [("a/cup.jpg", photograph("coffee", width=96), mask(96, 64)), ("bare.jpg", drawn(1))]
        await a_dataset(house, ada, pictures)
        begun = await order(ada, model="inpaint-telea")
        ended = await until_over(ada, begun["inference_id"])
        assert (ended["done"], ended["failed"]) == (1, 1)
        images, failed = await results_of(ada, begun["inference_id"])
        assert (images[0]["output_path"], failed[0]["code"]) == ("a/cup.png", "mask-needed")
        opened = await ada.http.get(images[0]["output_url"])
        assert Image.open(io.BytesIO(opened.content)).size == (96, 64)
        packed = await ada.get(f"/api/v1/inferences/{begun['inference_id']}/download")
        with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
            assert archive.namelist() == ["outputs/a/cup.png", "results.jsonl"]
            assert archive.read("outputs/a/cup.png") == opened.content

    async def test_other_tasks_look_past_the_masks(self, house: assembly.House, ada: Person) -> None:
        await a_dataset(house, ada, [("cup.jpg", photograph("coffee", width=96), mask(96, 64)), ("bare.jpg", drawn(1))])
        ended = await until_over(ada, (await order(ada))["inference_id"])
        assert (ended["done"], ended["failed"]) == (2, 0)

    async def test_annotated_pictures_on_demand(self, house: assembly.House, ada: Person) -> None:
        await a_dataset(house, ada, [("cup.jpg", photograph("coffee", width=320))])
        begun = await order(ada)
        await until_over(ada, begun["inference_id"])
        packed = await ada.get(f"/api/v1/inferences/{begun['inference_id']}/download", params={"annotated": "true"})
        with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
            assert Image.open(archive.open("annotated/cup.jpg")).size == (320, 213)

    async def test_the_failed_ones_are_tried_again_alone(self, house: assembly.House, ada: Person) -> None:
        await a_dataset(house, ada, THREE)
        begun = await order(ada)
        await until_over(ada, begun["inference_id"])
        again = await ada.post(f"/api/v1/inferences/{begun['inference_id']}/retry")
        assert (again.status_code, again.json()["items"], again.json()["held"]) == (202, 1, 2.75)
        assert again.json()["retry_of"] == begun["inference_id"]
        assert (await until_over(ada, again.json()["inference_id"]))["failed"] == 1
        assert await credits_of(ada) == (94.5, 0.0)

    async def test_only_a_part_of_the_dataset(self, house: assembly.House, ada: Person) -> None:
        await a_dataset(house, ada, [("a/1.jpg", drawn(1)), ("b/2.jpg", drawn(2)), ("b/3.jpg", drawn(3))])
        begun = await order(ada, filter={"group": "b", "to_index": 1})
        await until_over(ada, begun["inference_id"])
        images, _ = await results_of(ada, begun["inference_id"])
        assert [one["original_path"] for one in images] == ["b/2.jpg"]


class TestEnding:
    async def test_who_wants_to_be_told_is_noted_with_the_settlement(
        self, house: assembly.House, ada: Person, database: Database
    ) -> None:
        await a_dataset(house, ada, drawn_pictures(1))
        address = "http://93.184.216.34:22/done"
        refused = await ada.post("/api/v1/inferences", json={"dataset": "photos", "webhook": address})
        assert (refused.status_code, refused.json()["code"]) == (422, "address-refused")
        database.write_now(lambda now: endpoints.make(now, ada.user.id, url=address, events=["job.completed"]))
        begun = await order(ada)
        await until_over(ada, begun["inference_id"])
        (note,) = (await ada.get("/api/v1/webhooks/deliveries")).json()["items"]
        assert note["event"] == "job.completed"
        facts = orjson.loads(note["body"])["data"]
        assert (facts["inference_id"], facts["done"], facts["cost"]) == (begun["inference_id"], 1, 2.75)

    async def test_an_aborted_one_gives_back_what_was_not_done(self, house: assembly.House, ada: Person) -> None:
        await a_dataset(house, ada, drawn_pictures(36))
        begun = await order(ada)
        answer = await ada.post(f"/api/v1/inferences/{begun['inference_id']}/abort")
        assert answer.status_code == 200
        ended = await until_over(ada, begun["inference_id"])
        assert ended["status"] == "ABORTED"
        balance, held = await credits_of(ada)
        assert (balance, held) == (100.0 - 2.75 * ended["done"], 0.0)
        images, _ = await results_of(ada, begun["inference_id"])
        assert len(images) == ended["done"]
        assert (await ada.post(f"/api/v1/inferences/{begun['inference_id']}/abort")).status_code == 409

    async def test_nobody_else_sees_it_but_an_admin(
        self, house: assembly.House, ada: Person, bob: Person, admin: Person
    ) -> None:
        await a_dataset(house, ada, drawn_pictures(1))
        begun = await order(ada)
        await until_over(ada, begun["inference_id"])
        for path in ("", "/status", "/events", "/results", "/download"):
            assert (await bob.get(f"/api/v1/inferences/{begun['inference_id']}{path}")).status_code == 404
        listed = (await admin.get("/api/v1/admin/jobs")).json()["items"]
        assert [one["user_id"] for one in listed] == [ada.user.id]
        (worker,) = (await admin.get("/api/v1/admin/workers")).json()
        assert (worker["pool"], worker["slots"], worker["live"]) == ("cpu", 2, True)
        assert house.database.read_now(lambda now: ledger.balance(now, ada.user.id).held) == 0


class TestWatching:
    async def test_the_stream_tells_all_and_may_be_read_on(self, house: assembly.House, ada: Person) -> None:
        await a_dataset(house, ada, drawn_pictures(33))
        begun = await order(ada)
        told = await self.stream(ada, begun["inference_id"])
        assert told[0][1] == "status"
        assert told[0][2]["status"] == "PENDING"
        assert told[-1][2] == {
            "status": "COMPLETED",
            "aborting": False,
            "done": 33,
            "failed": 0,
            "total": 33,
            "progress": 100.0,
        }
        assert [number for number, _, _ in told] == sorted(number for number, _, _ in told)
        again = await self.stream(ada, begun["inference_id"], after=told[1][0])
        assert again == told[2:]

    async def stream(
        self, person: Person, inference_id: str, *, after: int | None = None
    ) -> list[tuple[int, str, dict]]:  # type: ignore[type-arg]
        headers = {} if after is None else {"Last-Event-ID": str(after)}
        answer = await person.get(f"/api/v1/inferences/{inference_id}/events", headers=headers)
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [
            dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            for block in answer.text.strip().split("\n\n")
        ]
        return [(int(one["id"]), one["event"], orjson.loads(one["data"])) for one in events if "id" in one]
