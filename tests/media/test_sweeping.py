"""What is thrown away, and what is not."""

from datetime import UTC, datetime, timedelta

from retinue import assembly
from retinue.base.clock import SetClock
from retinue.media.sweeping import sweep
from retinue.predictions.history import prediction_of
from tests.accounts.people import Person
from tests.pictures import drawn
from tests.predictions.asking import predict


async def keys(house: assembly.House) -> set[str]:
    return {entry.key async for entry in house.storage.list("images")}


async def test_a_file_without_a_row_goes_after_a_day(ada: Person, house: assembly.House, clock: SetClock) -> None:
    await predict(ada, drawn(1))
    kept = await keys(house)
    await house.storage.put("images/2026/01/01/orphan.jpg", b"nobody's")
    clock.time = datetime.now(UTC) + timedelta(hours=23)
    assert await sweep(house.database, house.storage, clock, retention_days=0) == 0
    clock.advance(hours=2)
    assert await sweep(house.database, house.storage, clock, retention_days=0) == 1
    assert await keys(house) == kept


async def test_a_deleted_picture_goes_at_once(ada: Person, house: assembly.House, clock: SetClock) -> None:
    answer = await predict(ada, drawn(1))
    await ada.delete(f"/api/v1/predictions/{answer['prediction_id']}")
    assert await sweep(house.database, house.storage, clock, retention_days=0) == 1
    assert await keys(house) == set()
    assert await sweep(house.database, house.storage, clock, retention_days=0) == 0


async def test_originals_go_after_their_retention(ada: Person, house: assembly.House, clock: SetClock) -> None:
    answer = await predict(ada, drawn(1))
    clock.advance(days=29)
    assert await sweep(house.database, house.storage, clock, retention_days=30) == 0
    clock.advance(days=2)
    assert await sweep(house.database, house.storage, clock, retention_days=30) == 1
    stays = house.database.read_now(lambda now: prediction_of(now, answer["prediction_id"], user_id=ada.user.id))
    assert stays.label == answer["predicted_class"], "the answer stays when its picture has gone"
