"""A dataset of ten thousand pictures in a real browser: it scrolls to its end, and stays quick under the hand."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bench.server import Served
from retinue.base.ids import new_id
from tests.pictures import drawn
from tests.web.pages.looking import Looker

pytestmark = pytest.mark.slow
ITEMS = 10_000
TOOK_MS = """async () => {
  const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const boxes = [...document.querySelectorAll("#items .thumb input")];
  const deeds = {
    scroll: (at) => scrollTo(0, (document.body.scrollHeight * (at + 1)) / 12),
    choose: (at) => boxes[at * 900].click(),
    resize: (at) => {
      const slider = document.querySelector("#thumb-size");
      slider.value = 120 + 10 * at;
      slider.dispatchEvent(new Event("input"));
    },
  };
  const told = {};
  for (const [name, act] of Object.entries(deeds)) {
    const times = [];
    for (let at = 0; at < 10; at++) {
      const began = performance.now();
      act(at);
      await painted();
      times.push(performance.now() - began);
    }
    told[name] = times.sort((a, b) => a - b)[5];
  }
  return told;
}"""


def fill(server: Served, dataset_id: str) -> None:
    """Its first item ten thousand times over, as rows: each has the same picture and a name of its own."""
    with closing(sqlite3.connect(server.folder / "data" / "retinue.db", timeout=30)) as database, database:
        database.row_factory = sqlite3.Row
        first = dict(database.execute("SELECT * FROM dataset_items WHERE dataset_id = ?", [dataset_id]).fetchone())
        own = ({"id": new_id(), "index": n, "name": f"p{n}.png", "fingerprint": f"{n}"} for n in range(2, ITEMS + 1))
        names, marks = ", ".join(f'"{name}"' for name in first), ", ".join(f":{name}" for name in first)
        database.executemany(f"INSERT INTO dataset_items ({names}) VALUES ({marks})", ({**first, **one} for one in own))
        database.execute("UPDATE datasets SET pictures = ? WHERE id = ?", [ITEMS, dataset_id])


def test_ten_thousand_pictures_scroll(looker: Looker, server: Served, tmp_path: Path) -> None:
    page = looker.page
    dataset = server.ask("POST", "/api/v1/datasets", {"name": "ten thousand"}, token=server.sign_in())
    (tmp_path / "p1.png").write_bytes(drawn(1))
    looker.goto(f"/datasets/{dataset['id']}")
    page.get_by_label("Add files").set_input_files(tmp_path / "p1.png")
    page.locator("[data-count=accepted]", has_text="1").wait_for()
    fill(server, dataset["id"])
    page.reload()
    page.get_by_text("10,000 pictures").wait_for()
    page.wait_for_function(
        """(all) => {
          scrollTo(0, document.body.scrollHeight);
          return document.querySelectorAll("#items .thumb").length === all;
        }""",
        arg=ITEMS,
        polling=50,
        timeout=400_000,
    )
    assert page.locator("a[data-more]").count() == 0
    assert page.locator("#items .thumb").last.get_attribute("data-index") == str(ITEMS)
    took_ms = page.evaluate(TOOK_MS)
    print(f"with {ITEMS} pictures: {took_ms}")
    assert max(took_ms.values()) < 10_000, took_ms  # 100 ms are meant, and a crowded machine takes ten times as long
