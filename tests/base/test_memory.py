"""What stays with a process after a picture that needed much, measured in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from retinue.base.memory import giving_back

STORY = """
import threading, psutil
from tests.corpus.pictures import hostile_pictures
from retinue.base.memory import give_back
from retinue.vision.images import decode

(large,) = [case.data for case in hostile_pictures() if case.name == "png-36-megapixels-of-16-bit-rgba"]
before = psutil.Process().memory_info().rss
lane = threading.Thread(target=lambda: decode(large))
lane.start()
lane.join()
give_back()
print((psutil.Process().memory_info().rss - before) >> 20)
"""


@pytest.mark.slow
def test_a_picture_of_36_megapixels_leaves_next_to_nothing() -> None:
    told = subprocess.run(
        [sys.executable, "-c", STORY], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert int(told.stdout) < 64  # 183 without giving back


async def test_it_waits_until_few_are_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[None] = []
    monkeypatch.setattr("retinue.base.memory.give_back", lambda: given.append(None))
    await giving_back(when=lambda: False).do()
    assert given == []
    await giving_back(when=lambda: True).do()
    assert given == [None]
