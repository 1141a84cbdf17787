"""Each screen's main task in a real browser, from end to end, with the built-in models and no complaint."""

import io
import re
import time
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from bench.server import PASSWORD, Served
from tests.pictures import drawn, mask, photograph
from tests.vision.colour_models import colour_model
from tests.web.pages.looking import PATIENCE_MS, Looker

pytestmark = pytest.mark.slow
WIDTH, HEIGHT = 96, 72
SCRIPTED = "<img src=x onerror=alert(1)>"
KEPT_BYTES = """async () => {
  const {kept} = await import(document.body.dataset.static + "/keeping.js");
  return (await kept("painting"))?.mask.size;
}"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A picture with its mask, one alone, one that is broken, a text, and a ZIP of twelve."""
    Image.open(io.BytesIO(photograph("chelsea"))).resize((WIDTH, HEIGHT)).save(tmp_path / "image_1.png")
    (tmp_path / "mask_1.png").write_bytes(mask(WIDTH, HEIGHT))
    (tmp_path / "coffee.jpg").write_bytes(photograph("coffee"))
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff nope")
    (tmp_path / "notes.txt").write_text("not a picture")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        for number in range(12):
            archive.writestr(f"kits/p{number}.jpg", drawn(number, width=320, height=240))
        archive.writestr("kits/readme.md", "not a picture either")
    return tmp_path


def test_files_become_a_dataset_and_a_finished_job(looker: Looker, files: Path) -> None:
    page = looker.page
    looker.expect(422)  # the broken picture
    looker.goto("/datasets")
    page.get_by_role("button", name="New dataset").click()
    page.get_by_label("Name").fill("crib returns")
    page.get_by_role("button", name="Make it").click()
    page.wait_for_url("**/datasets/0*")
    page.get_by_label("Add files").set_input_files([file for file in files.iterdir() if file.is_file()])
    page.locator("[data-count=accepted]", has_text="14").wait_for()
    page.locator("[data-count=rejected]", has_text=re.compile("^2$")).wait_for()
    looker.photograph("dataset-upload")
    looker.follow(page.get_by_role("link", name="Show the new items"))
    page.locator("#items .thumb input").nth(1).check()
    page.locator("#show-masks").check()
    looker.photograph("dataset")
    looker.follow(page.get_by_role("link", name="Run a job").first)
    page.get_by_role("button", name="Start for 38.50 credits").wait_for()
    looker.photograph("new-job")
    page.get_by_role("button", name="Start for 38.50 credits").click()
    page.wait_for_url("**/jobs/0*")
    page.reload()
    page.locator("[data-status=COMPLETED]").wait_for()
    page.locator("#latest .thumb").nth(13).wait_for()
    page.locator("[data-running]").wait_for(state="hidden")
    expect(page.locator("#latest .thumb")).to_have_count(14)
    expect(page.locator("#cost")).to_have_text("38.50")
    looker.photograph("job")
    looker.goto("/jobs")
    looker.photograph("jobs")
    looker.goto("/datasets")
    looker.photograph("datasets")


def test_something_is_painted_over_and_filled(looker: Looker, tmp_path: Path) -> None:
    page = looker.page
    (tmp_path / "chelsea.jpg").write_bytes(photograph("chelsea"))
    looker.goto("/inpaint")
    page.get_by_label("Choose a picture").set_input_files(tmp_path / "chelsea.jpg")
    page.get_by_text("chelsea.jpg, 451 × 300").wait_for()  # nothing can be painted before the picture is there
    stage = page.locator("#stage")
    box = stage.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for _ in range(2):
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 80, y + 30, steps=8)
        page.mouse.up()
        y += 60
    covered = page.locator("#covered")
    painted = covered.text_content() or ""
    page.get_by_role("button", name="Undo").click()
    expect(covered).not_to_have_text(painted)
    page.get_by_role("button", name="Redo").click()
    expect(covered).to_have_text(painted)
    mask = downloaded_mask(page)
    with Image.open(mask) as picture:
        assert picture.size == (451, 300)
    wait_until_kept(page, mask)  # which is a moment after the stroke
    page.reload()
    expect(covered).to_have_text(painted)
    looker.photograph("painter")
    with Image.open(mask) as before, Image.open(downloaded_mask(page)) as after:
        assert before.tobytes() == after.tobytes()
    page.get_by_role("button", name="Fill the painted part").click()
    page.get_by_role("heading", name="Result").wait_for()
    page.get_by_label("Before, after").fill("50")
    looker.photograph("painter-result")
    looker.follow(page.get_by_role("link", name="Its page"))
    page.get_by_label("Before, after").wait_for()
    looker.photograph("prediction-inpaint")


def downloaded_mask(page: Page) -> Path:
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the mask").click()
    return Path(download.value.path())


def wait_until_kept(page: Page, mask: Path) -> None:
    """For the next load, in the browser's own database."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while page.evaluate(KEPT_BYTES) != mask.stat().st_size:
        assert time.monotonic() < deadline, "the mask is not kept"
        page.wait_for_timeout(20)


def test_the_keyboard_paints_and_fills_too(looker: Looker, tmp_path: Path) -> None:
    page = looker.page
    (tmp_path / "coffee.jpg").write_bytes(photograph("coffee"))
    looker.goto("/inpaint")
    page.get_by_label("Choose a picture").set_input_files(tmp_path / "coffee.jpg")
    page.get_by_text("coffee.jpg, ").wait_for()
    page.locator("#stage").focus()
    for key in ("Enter", "ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    covered = page.locator("#covered")
    expect(covered).to_contain_text("is painted")
    painted = covered.text_content() or ""
    page.keyboard.press("Control+z")
    expect(covered).not_to_have_text(painted)
    page.keyboard.press("Control+Shift+z")
    expect(covered).to_have_text(painted)
    press_tab_until(page, page.get_by_role("button", name="Fill the painted part"))
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Result").wait_for()
    press_tab_until(page, page.get_by_label("Before, after"))
    before = page.get_by_label("Before, after").input_value()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_label("Before, after")).not_to_have_value(before)


def press_tab_until(page: Page, wanted: Locator) -> None:
    for _ in range(60):
        if wanted.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError("the keyboard does not come there")


def test_history_finds_it_again_and_takes_a_verdict(looker: Looker) -> None:
    page = looker.page
    page.get_by_role("button", name="Coffee").click()
    page.get_by_role("heading", name="espresso").wait_for()
    looker.goto("/history?label=espresso")
    looker.photograph("history")
    looker.follow(page.locator("#predictions a").first)
    page.get_by_role("heading", name="espresso").wait_for()
    page.locator("#stage-empty").wait_for(state="hidden")
    page.keyboard.press("y")
    page.get_by_text("it is noted").wait_for()
    looker.photograph("prediction")
    page.reload()
    expect(page.locator("#verdict-yes")).to_have_attribute("aria-pressed", "true")
    looker.goto("/history?feedback=right")
    page.locator("#predictions a").first.wait_for()


def test_a_key_is_made_shown_once_and_revoked(looker: Looker, server: Served) -> None:
    page = looker.page
    looker.goto("/keys")
    page.get_by_label("Name").fill("line 3 <b>camera</b>")
    page.get_by_label("predict", exact=True).check()
    page.get_by_role("button", name="Make the key").click()
    page.get_by_role("heading", name="Your new key").wait_for()
    secret = page.locator("#secret-text").text_content() or ""
    assert server.ask("GET", "/api/v1/models", token=secret)["items"]
    looker.photograph("key-made")
    page.get_by_role("button", name="I have it").click()
    page.get_by_role("rowheader", name="line 3 <b>camera</b>").wait_for()
    looker.photograph("keys")
    page.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    page.get_by_text("No keys yet").wait_for()


def test_a_webhook_is_made_and_tested(looker: Looker) -> None:
    """An address that is not public is refused with the reason; nobody listens at the other one."""
    page = looker.page
    looker.expect(422)
    looker.goto("/webhooks")
    page.get_by_label("Address", exact=True).fill("https://192.0.2.1/hook")
    page.get_by_label("job.completed").check()
    page.get_by_role("button", name="Make the webhook").click()
    page.locator("[data-error]").filter(has_text=re.compile("public")).wait_for()
    page.get_by_label("Address", exact=True).fill("http://127.0.0.1:9999/hook")
    page.get_by_role("button", name="Make the webhook").click()
    page.get_by_role("heading", name="The secret that signs").wait_for()
    with page.expect_navigation():
        page.get_by_role("button", name="I have it").click()
    page.get_by_role("button", name="Test").click()
    page.get_by_role("rowheader", name="webhook.test").wait_for()
    looker.photograph("webhooks")


def test_an_admin_makes_somebody_and_recharges_them(looker: Looker) -> None:
    page = looker.page
    looker.goto("/admin/users")
    page.get_by_role("button", name="New account").click()
    page.get_by_label("E-mail").fill("grace@example.com")
    page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    page.wait_for_url("**/admin/users/0*")
    page.get_by_label("Add credits").fill("250")
    page.get_by_label("Reason").fill("November")
    page.get_by_role("button", name="Book it").click()
    page.get_by_text("350.00").first.wait_for()
    looker.photograph("admin-user")
    for name, path in (("admin-users", "/admin/users"), ("admin-audit", "/admin/audit"), ("admin-work", "/admin/work")):
        looker.goto(path)
        looker.photograph(name)
    looker.goto("/admin")
    page.get_by_role("button", name="Verify every entry").click()
    page.get_by_text("Every entry is right").wait_for()
    looker.photograph("admin")
    for name in ("credits", "system", "models"):
        looker.goto(f"/{name}")
        looker.photograph(name)


def test_a_model_is_added_activated_and_rolled_back(looker: Looker, tmp_path: Path) -> None:
    page = looker.page
    for number in (1, 2):
        colour_model(tmp_path / str(number), layers=number)
    looker.goto("/admin/models")
    page.get_by_label("ONNX file").set_input_files(tmp_path / "1" / "model.onnx")
    page.get_by_text("What the file does not say").click()
    page.get_by_label("Name").fill("colours")
    page.get_by_label("Task").select_option("classify")
    page.get_by_label("Labels").fill(f"red\n{SCRIPTED}\nblue")
    page.get_by_label("Input size").fill("8x8")
    looker.photograph("admin-models")
    page.get_by_role("button", name="Try it and add it").click()
    page.wait_for_url("**/admin/models/colours")
    page.get_by_label("ONNX file").set_input_files(tmp_path / "2" / "model.onnx")
    page.get_by_text("What the file does not say").click()
    page.get_by_label("Task").select_option("classify")
    page.get_by_label("Labels").fill("red\ngreen\nblue")
    page.get_by_label("Input size").fill("8x8")
    page.get_by_role("button", name="Try it and add it").click()
    page.get_by_role("heading", name="Version 2").wait_for()
    page.wait_for_load_state()
    for verb, number in (("Activate", 2), ("Roll back to it", 1)):
        page.get_by_role("button", name=verb, exact=True).first.click()
        page.get_by_label("Reason").locator("visible=true").fill("a test")
        page.get_by_role("dialog").get_by_role("button", name="Activate").click()
        page.get_by_text(f"Version {number} answers now").wait_for()
    looker.photograph("admin-model")
    picture = tmp_path / f"{SCRIPTED}.jpg"
    picture.write_bytes(drawn(3))
    looker.goto("/?model=colours")
    page.get_by_label("Choose a picture").set_input_files(picture)
    page.locator("#table").get_by_role("rowheader", name=SCRIPTED).wait_for()  # as text, with nothing run
    for place in ("/history", "/"):
        looker.goto(place)
