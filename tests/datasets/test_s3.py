"""A dataset on a real S3 store: the main story once, and a store that goes away in the middle of it."""

import asyncio
import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from retinue import assembly
from retinue.base.clock import SetClock
from retinue.base.settings import Settings
from retinue.media import sweeping, uploads
from tests.accounts.people import Person
from tests.corpus.archives import zipped
from tests.datasets.sending import books, credits_of, items_of, make, nothing_happened, send, stored_keys
from tests.media.test_uploads import append, begin, complete, offset_of
from tests.pictures import drawn, mask
from tests.servers.s3 import S3Server

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]
ARCHIVE = zipped(
    ("kit/notes.txt", b"remember the pliers"),
    ("kit/first/image_1.jpg", drawn(1)),
    ("kit/first/mask_1.png", mask(64, 48)),
    *((f"kit/second/{n}.jpg", drawn(n)) for n in range(2, 20)),
)
ON_S3, ON_S3_OF_ITS_OWN = (
    pytest.mark.parametrize("store", [name], indirect=True) for name in ("s3_server", "own_s3_server")
)


@pytest.fixture
def store(request: pytest.FixtureRequest) -> S3Server:
    server: S3Server = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def settings(settings: Settings, store: S3Server, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    return settings.model_copy(update={"storage_url": store.fresh_url()})


async def a_day_later(house: assembly.House) -> None:
    """What nobody names goes."""
    later = SetClock()
    later.time = datetime.now(UTC) + timedelta(hours=25)
    await sweeping.sweep(house.database, house.storage, later, retention_days=0)


@ON_S3
async def test_a_zip_goes_in_by_a_cut_upload_comes_out_as_an_export_and_is_deleted(
    house: assembly.House, ada: Person
) -> None:
    await make(ada)
    upload_id, cut = await begin(ada, len(ARCHIVE)), len(ARCHIVE) * 6 // 10
    await append(ada, upload_id, ARCHIVE[:cut], at=0)
    assert await offset_of(ada, upload_id) == cut
    await append(ada, upload_id, ARCHIVE[cut:], at=cut)
    assert (await complete(ada, upload_id)).status_code == 200
    told = (await ada.post("/api/v1/datasets/tools/items", json={"upload_id": upload_id})).json()
    assert (told["processed_items"], told["credits_used"]) == (19, 13.3)
    assert told["report"]["skipped"] == ["kit/notes.txt"]
    items = await items_of(ada)
    assert [(one["group"], one["type"]) for one in items[:2]] == [("first", "pair"), ("second", "image")]
    assert (await ada.http.get(items[1]["url"])).content == drawn(2)

    exported = await ada.get("/api/v1/datasets/tools/export?format=folders")
    with zipfile.ZipFile(io.BytesIO(exported.content)) as opened:
        pictures = {opened.read(name) for name in opened.namelist()}
    assert {drawn(n) for n in range(1, 20)} <= pictures

    assert (await ada.delete("/api/v1/datasets/tools/items/0")).status_code == 204
    await a_day_later(house)
    await uploads.sweep(assembly.uploads_of(house))
    assert {key.split("/")[0] for key in await stored_keys(house)} == {"images"}
    assert len(await stored_keys(house)) == 18
    assert await credits_of(ada) == (86.7, 0.0)
    assert books(house) == []


@ON_S3_OF_ITS_OWN
async def test_a_store_that_goes_away_in_the_middle_costs_nothing_and_leaves_nothing(
    house: assembly.House, ada: Person, store: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make(ada)
    put_many, one_at_a_time, is_gone = house.storage.put_many, asyncio.Lock(), False

    async def put_and_go_away(files: Sequence[tuple[str, bytes]]) -> None:
        nonlocal is_gone
        async with one_at_a_time:
            await put_many(files)
            if files and not is_gone:
                store.kill()
                is_gone = True

    with monkeypatch.context() as patch:
        patch.setattr(house.storage, "put_many", put_and_go_away)
        answer = await send(ada, ARCHIVE, name="kit.zip", headers={"Idempotency-Key": "once"})
    assert (answer.status_code, answer.json()["code"]) == (503, "storage-unavailable")
    assert await items_of(ada) == []
    assert await credits_of(ada) == (100.0, 0.0)

    store.start()
    await a_day_later(house)
    await nothing_happened(house, ada)
    again = await send(ada, ARCHIVE, name="kit.zip", headers={"Idempotency-Key": "once"})
    assert (again.status_code, again.json()["processed_items"]) == (200, 19)
    assert await credits_of(ada) == (86.7, 0.0)
    assert books(house) == []
