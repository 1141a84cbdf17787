"""What admins see of verdicts: the queue of disagreements, versions side by side, and the way back."""

import pytest

from retinue import assembly
from tests.feedback.models import classifier, picture, put_in
from tests.feedback.test_shadowing import app, http, until
from tests.web.pages.browsing import Browser

__all__ = ["app", "http"]
PAGE, MODEL = "/admin/models/colours", "/api/v1/models/colours"


@pytest.fixture
async def colours(house: assembly.House, admin: Browser) -> None:
    """Version 1 takes blue for red; version 2, which is right, answers beside it."""
    await put_in(house, "colours", classifier(blue="red"), classifier())
    shadow = {"shadow": {"version": "2", "percent": 100}}
    assert (await admin.ask("PATCH", MODEL, json=shadow)).status_code == 200


async def ask(browser: Browser, colour: str, number: int) -> str:
    files = {"file": (f"{colour}.png", picture(colour, number))}
    told = await browser.post("/api/v1/predict", files=files, data={"model": "colours"})
    prediction_id: str = told.json()["prediction_id"]
    return prediction_id


@pytest.mark.usefixtures("colours")
class TestTheQueue:
    async def test_what_is_judged_leaves_it_and_counts_for_both_versions(
        self, house: assembly.House, ada: Browser, admin: Browser
    ) -> None:
        asked = await ask(ada, "blue", 1)
        await until(house, seen=1)
        waiting = (await admin.get(f"{PAGE}/disagreements")).text
        assert asked in waiting
        assert "Candidate is right" in waiting
        assert "No picture was judged" in (await admin.get(f"{PAGE}/versions")).text
        said = {"correct": False, "label": "blue", "comment": "it is the sea"}
        assert (await admin.post(f"/api/v1/predictions/{asked}/feedback", json=said)).status_code == 201
        assert "Nothing waits here" in (await admin.get(f"{PAGE}/disagreements")).text
        assert asked in (await admin.get(f"{PAGE}/disagreements?judged=yes")).text
        versions = (await admin.get(f"{PAGE}/versions?a=1&b=2")).text
        assert "1 picture that both were judged on" in versions
        assert "100.0 %" in versions
        verdicts = (await admin.get("/admin/verdicts?said=wrong&model=colours&version=")).text
        assert "it is the sea" in verdicts
        assert "root@example.com" in verdicts
        assert "it is the sea" not in (await admin.get("/admin/verdicts?said=right")).text


@pytest.mark.usefixtures("colours")
class TestTheWayBack:
    async def test_it_is_offered_where_there_was_a_version_before(self, admin: Browser) -> None:
        assert "Roll back to" not in (await admin.get(f"{PAGE}/versions")).text
        told = await admin.post(f"{MODEL}/versions/2/activate", json={"reason": "better"})
        assert told.status_code == 200, told.text
        assert "Roll back to 1" in (await admin.get(f"{PAGE}/versions")).text
        assert (await admin.post(f"{MODEL}/rollback")).json()["active_version"] == "1"

    async def test_a_version_that_is_not_there_is_a_page_in_words(self, admin: Browser) -> None:
        told = await admin.get(f"{PAGE}/versions?a=1&b=9")
        assert told.status_code == 404
        assert "text/html" in told.headers["content-type"]
