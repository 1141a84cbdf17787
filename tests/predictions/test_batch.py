"""Many pictures in one request."""

import io
import zipfile

from tests.accounts.people import Person
from tests.pictures import drawn, photograph
from tests.predictions.asking import credits_of


def zipped(*files: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return out.getvalue()


class TestBatch:
    async def test_one_bad_picture_never_fails_the_rest(self, ada: Person) -> None:
        files = [
            ("files", ("cup.jpg", photograph("coffee"))),
            ("files", ("bad.jpg", b"no picture at all")),
            ("files", ("cat.jpg", photograph("chelsea"))),
        ]
        answer = await ada.post("/api/v1/predict/batch", files=files, data={"top_k": "1"})
        assert answer.status_code == 200
        results = answer.json()["results"]
        assert [(one["filename"], one["ok"]) for one in results] == [
            ("cup.jpg", True),
            ("bad.jpg", False),
            ("cat.jpg", True),
        ]
        assert results[0]["prediction"]["predicted_class"] == "espresso"
        assert results[1]["error"]["code"] == "not-a-picture"
        assert answer.json()["cost"] == 5.5
        assert await credits_of(ada) == (94.5, 0.0)

    async def test_a_picture_that_breaks_late_is_not_charged(self, ada: Person) -> None:
        files = [("files", ("ok.jpg", drawn(1))), ("files", ("cut.jpg", photograph("coffee")[:9000]))]
        answer = await ada.post("/api/v1/predict/batch", files=files)
        assert [one["ok"] for one in answer.json()["results"]] == [True, False]
        assert await credits_of(ada) == (97.25, 0.0)

    async def test_too_many_are_sent_to_datasets_and_jobs(self, ada: Person) -> None:
        files = [("files", ("x.jpg", drawn(1))) for _ in range(65)]
        answer = await ada.post("/api/v1/predict/batch", files=files)
        assert answer.status_code == 413
        assert "/api/v1/datasets" in answer.json()["detail"]

    async def test_all_or_nothing_when_credits_are_short(self, ada: Person) -> None:
        files = [("files", (f"{seed}.jpg", drawn(seed))) for seed in range(40)]
        answer = await ada.post("/api/v1/predict/batch", files=files)
        assert (answer.status_code, answer.json()["needed"]) == (402, 110.0)
        assert (await ada.get("/api/v1/predictions")).json()["total"] == 0

    async def test_an_unknown_model_refuses_the_whole(self, ada: Person) -> None:
        files = [("files", ("x.jpg", drawn(1)))]
        answer = await ada.post("/api/v1/predict/batch", files=files, data={"model": "nobody"})
        assert answer.status_code == 404


class TestZip:
    async def test_the_pictures_inside_are_looked_at(self, ada: Person) -> None:
        archive = zipped(("a/cup.jpg", photograph("coffee")), ("notes.txt", b"hello"), ("b/cat.jpg", drawn(2)))
        answer = await ada.post("/api/v1/predict/zip", files={"file": ("kit.zip", archive)})
        assert answer.status_code == 200, answer.text
        assert [(one["filename"], one["ok"]) for one in answer.json()["results"]] == [
            ("a/cup.jpg", True),
            ("notes.txt", False),
            ("b/cat.jpg", True),
        ]
        assert await credits_of(ada) == (94.5, 0.0)

    async def test_a_hostile_archive_is_refused_whole(self, ada: Person) -> None:
        archive = zipped(("../../evil.png", drawn(1)), ("fine.jpg", drawn(2)))
        answer = await ada.post("/api/v1/predict/zip", files={"file": ("kit.zip", archive)})
        assert (answer.status_code, answer.json()["code"]) == (422, "hostile-archive")
        assert await credits_of(ada) == (100.0, 0.0)

    async def test_no_archive_at_all(self, ada: Person) -> None:
        answer = await ada.post("/api/v1/predict/zip", files={"file": ("kit.zip", drawn(1))})
        assert answer.status_code == 415
