"""A job from its price to its results, watched through everything that happens on the way."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from retinue.client import AsyncClient, Client, NotYet, Tries, as_coco
from retinue.client.watching import Status
from tests.client.cut import Cut
from tests.client.judge import Judge
from tests.client.served import Served
from tests.corpus.archives import zipped
from tests.pictures import drawn, photograph


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    file = tmp_path / "kit.zip"
    file.write_bytes(
        zipped(("a/cup.jpg", photograph("coffee", width=200)), *((f"b/{n}.jpg", drawn(n)) for n in range(30)))
    )
    return file


async def test_priced_ordered_watched_and_read(later: AsyncClient, archive: Path) -> None:
    await later.datasets.create("kit")
    await later.datasets.add("kit", archive)
    quote = await later.jobs.price("kit")
    job = await later.jobs.start("kit", parameters={"top_k": 1})
    assert (quote.items, quote.price, job.told and job.told.held) == (31, 85.25, 85.25)
    seen: list[Status] = []
    ended, results = await asyncio.gather(
        job.wait(patience_s=240, on_status=seen.append), _all_of(job.results(follow=True))
    )
    assert (ended.status, ended.done, ended.cost) == ("COMPLETED", 31, 85.25)
    assert (seen[-1].progress, seen[-1].is_over) == (100, True)
    assert [one.done for one in seen] == sorted(one.done for one in seen)
    assert sorted(one.index for one in results) == list(range(31))
    cup = next(one for one in results if one.original_path == "a/cup.jpg")
    assert cup.prediction is not None
    assert cup.prediction.predicted_class == "espresso"


async def _all_of(found: object) -> list[object]:
    return [one async for one in found]  # type: ignore[attr-defined]


def test_a_line_that_breaks_while_waiting_is_taken_up_again(
    server: Served, judge: Judge, new_key: Callable[..., str]
) -> None:
    line = Cut(judge, [("GET", 1, "after"), ("GET", 2, "before"), ("GET", 3, "turned away")])
    with Client(server.address, key=new_key(), transport=line, tries=Tries(most=1)) as client:
        client.datasets.create("kit")
        client.datasets.add("kit", drawn(1))
        ended = client.jobs.start("kit").wait(patience_s=240)
    assert (ended.status, ended.done) == ("COMPLETED", 1)


@pytest.mark.slow
def test_a_server_that_is_started_anew_is_waited_for(own_server: Served) -> None:
    def restart(_: Status) -> None:
        if not hands:
            own_server.stop()
            hands.append(threading.Thread(target=own_server.start))
            hands[0].start()

    hands: list[threading.Thread] = []
    with Client(own_server.address, key=own_server.key("ada@example.com")) as client:
        client.datasets.create("kit")
        client.datasets.add("kit", zipped(*((f"{n}.jpg", drawn(n)) for n in range(5))))
        job = client.jobs.start("kit", parameters={"explain": {"method": "occlusion"}})
        ended = job.wait(patience_s=240, on_status=restart)
        hands[0].join()
        assert (ended.status, ended.done, ended.cost) == ("COMPLETED", 5, 13.75)


def test_patience_ends_and_the_job_goes_on(client: Client, archive: Path) -> None:
    client.datasets.create("kit")
    client.datasets.add("kit", archive)
    job = client.jobs.start("kit", parameters={"explain": {"method": "occlusion"}})
    with pytest.raises(NotYet, match=job.id):
        job.wait(patience_s=0)
    job.abort()
    ended = client.jobs.at(job.id).wait(patience_s=240)
    assert ended.status == "ABORTED"
    assert ended.cost == 2.75 * ended.done


def test_patience_ends_while_the_stream_still_talks(
    server: Served, judge: Judge, new_key: Callable[..., str], archive: Path
) -> None:
    line = Cut(judge, [("GET", 2, "talkative")])
    with Client(server.address, key=new_key(), transport=line) as client:
        client.datasets.create("kit")
        client.datasets.add("kit", archive)
        job = client.jobs.start("kit", parameters={"explain": {"method": "occlusion"}})
        with pytest.raises(NotYet):
            job.wait(patience_s=1)
        job.abort()
        assert job.wait(patience_s=240).is_over


def test_results_as_pycocotools_reads_them(client: Client, tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    client.datasets.create("tools")
    client.datasets.add("tools", drawn(1, width=320, height=320))
    job = client.jobs.start("tools", model="toolbox", parameters={"confidence": 0.0})
    assert job.wait(patience_s=240).status == "COMPLETED"
    read = COCO()
    read.dataset = job.coco()
    read.createIndex()
    assert read.getImgIds() == [1]
    found = next(job.results()).prediction
    assert found is not None
    assert len(read.getAnnIds()) == len(found.things)
    ours = as_coco([found])
    assert [one["bbox"] for one in ours["annotations"]] == [one["bbox"] for one in read.dataset["annotations"]]
    assert job.download(tmp_path / "all.jsonl", format="jsonl").read_text().count("\n") == 1
    assert [one.name for one in tmp_path.iterdir()] == ["all.jsonl"]
