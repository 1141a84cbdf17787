"""A candidate in a real browser: set to answer beside, judged where it differs, compared, let in and taken back."""

import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from bench.server import Served
from tests.feedback.models import classifier, picture
from tests.web.pages.looking import Looker

pytestmark = pytest.mark.slow
PAGE = "/admin/models/colours"


@pytest.fixture
def admin(server: Served) -> Iterator[httpx2.Client]:
    headers = {"Authorization": f"Bearer {server.sign_in()}"}
    with httpx2.Client(base_url=server.address, headers=headers, timeout=240) as client:
        yield client


def sent(answer: httpx2.Response) -> Any:
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()


def wait_for_disagreements(admin: httpx2.Client, count: int) -> None:
    deadline = time.monotonic() + 240
    while len(sent(admin.get("/api/v1/models/colours/disagreements"))["items"]) < count:
        assert time.monotonic() < deadline, "the candidate does not look"


def test_a_candidate_is_judged_and_taken_back(looker: Looker, admin: httpx2.Client) -> None:
    page = looker.page
    wrong, right = classifier(blue="red"), classifier()
    sent(admin.post("/api/v1/models", files={"file": ("colours.onnx", wrong)}, data={"name": "colours"}))
    sent(admin.post("/api/v1/models/colours/versions", files={"file": ("colours.onnx", right)}))
    looker.goto(f"{PAGE}/versions")
    page.get_by_label("Of a hundred pictures").fill("100")
    page.get_by_role("button", name="Begin").click()
    page.get_by_text("beside 100 %").wait_for()
    for number in range(3):
        sent(
            admin.post(
                "/api/v1/predict", files={"file": (f"{number}.png", picture("blue", number))}, data={"model": "colours"}
            )
        )
    wait_for_disagreements(admin, 3)

    looker.follow(page.get_by_role("link", name="Disagreements"))
    page.get_by_role("button", name="Candidate is right").nth(2).wait_for()
    looker.photograph("admin-disagreements")
    page.get_by_role("button", name="Candidate is right").first.click()
    page.locator("[data-one]").nth(2).wait_for(state="detached")
    page.keyboard.press("Tab")  # the focus has gone on to the next picture's first button
    page.keyboard.press("Enter")
    page.locator("[data-one]").nth(1).wait_for(state="detached")
    page.get_by_role("button", name="Active is right").click()
    page.get_by_role("heading", name="Nothing waits here").wait_for()

    looker.goto("/admin/verdicts?model=colours")
    page.locator("#verdicts tr").nth(2).wait_for()
    looker.photograph("admin-verdicts")
    looker.goto(f"{PAGE}/versions?a=1&b=2")
    page.get_by_text("3 pictures that both were judged on").wait_for()
    looker.photograph("admin-versions")
    looker.expect(409)  # three pictures are too few for the rule
    page.get_by_role("button", name="Activate if better").click()
    page.get_by_role("button", name="If it is better").click()
    page.get_by_role("alert").get_by_text("the rule asks for").wait_for()
    sent(admin.post("/api/v1/models/colours/versions/2/activate", json={"reason": "a test"}))
    page.reload()
    page.get_by_role("button", name="Roll back to 1").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    page.get_by_text("Version 1 answers again").wait_for()
