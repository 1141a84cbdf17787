"""Large files arrive in pieces, and go on where they stood: after a cut, and in another process."""

from collections.abc import Callable
from pathlib import Path

import pytest

from retinue.client import AsyncClient, Client, Tries, Unreachable
from tests.client.cut import Cut
from tests.client.judge import Judge
from tests.client.served import Served
from tests.corpus.archives import zipped
from tests.pictures import drawn, mask


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    file = tmp_path / "many.zip"
    file.write_bytes(zipped(*((f"{n}.jpg", drawn(n)) for n in range(20))))
    return file


def test_a_cut_costs_at_most_one_piece(
    server: Served, judge: Judge, new_key: Callable[..., str], archive: Path
) -> None:
    line = Cut(judge, [("PATCH", 2, "before"), ("PATCH", 4, "after")])
    told: list[tuple[int, int]] = []
    size = archive.stat().st_size
    with Client(server.address, key=new_key(), transport=line) as client:
        upload = client.uploads.send(archive, piece_bytes=3000, on_progress=lambda *now: told.append(now))
        assert (upload.is_complete, upload.offset) == (True, size)
        client.datasets.create("many")
        assert client.datasets.add_upload("many", upload.upload_id).processed_items == 20
    assert told == [*((at, size) for at in range(0, size, 3000)), (size, size)]


def test_another_process_goes_on(server: Served, judge: Judge, new_key: Callable[..., str], archive: Path) -> None:
    key, begun = new_key(), []
    dead = Cut(judge, [("PATCH", 3, "before"), ("HEAD", 1, "before")])
    with Client(server.address, key=key, transport=dead, tries=Tries(most=1)) as client, pytest.raises(Unreachable):
        client.uploads.send(archive, piece_bytes=3000, on_begun=begun.append)
    with Client(server.address, key=key) as client:
        assert client.uploads.offset(begun[0]) == 6000
        assert client.uploads.send(archive, resume=begun[0]).is_complete


async def test_a_large_file_goes_into_a_dataset_in_pieces(
    later: AsyncClient, judge: Judge, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retinue.client.datasets.IN_ONE_REQUEST_BYTES", 1000)
    await later.datasets.create("large")
    judge.asked.clear()
    taken = await later.datasets.add("large", archive)
    assert (taken.processed_items, taken.price) == (20, 14.0)
    assert judge.asked == ["begin_upload", "append_to_upload", "complete_upload", "add_items"]


def test_a_large_picture_and_its_mask(
    client: Client, judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retinue.client.datasets.IN_ONE_REQUEST_BYTES", 1000)
    picture, small = tmp_path / "a.jpg", mask(64, 48)
    picture.write_bytes(drawn(1))
    client.datasets.create("pairs")
    judge.asked.clear()
    taken = client.datasets.add("pairs", picture, mask=small, group="left")
    assert [(one.type, one.name) for one in taken.report.accepted] == [("pair", "left/a.jpg")]
    assert judge.asked == ["begin_upload", "append_to_upload", "complete_upload", "add_items"]
