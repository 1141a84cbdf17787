"""How long answers took, stretch by stretch: live ones that were asked of the model, the last two hundred of each."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from bench import growth
from retinue import assembly
from retinue.base.database import Transaction
from retinue.predictions.measuring import MOST_OF_A_STRETCH, Pace, paces
from retinue.predictions.tables import Prediction
from tests.accounts.people import Person

HOUR = timedelta(hours=1)


def say(now: Transaction, rows: Sequence[str], *, total_ms: float, **more: Any) -> None:
    timing = {"decode": 1.0, "queue": 0.1, "model": 7.0, "total": total_ms}
    now.execute(sa.update(Prediction).where(Prediction.id.in_(rows)).values(timing=timing, **more))


async def test_median_and_p95_of_each_stretch(house: assembly.House, ada: Person) -> None:
    first = house.clock.now().replace(minute=0, second=0, microsecond=0) - 3 * HOUR

    def answer(now: Transaction) -> None:
        growth.add(now, ada.user.id, MOST_OF_A_STRETCH + 100, 0, begins=first, ms=1000)
        growth.add(now, ada.user.id, 4, 0, begins=first + HOUR, ms=1000)
        ids = list(now.execute(sa.select(Prediction.id).order_by(Prediction.id)).scalars())
        say(now, ids[:100], total_ms=1000.0)  # older ones of the hour: the newest tell how it goes
        say(now, ids[100:290], total_ms=10.0)
        say(now, ids[290:300], total_ms=90.0)
        job, known, *live = ids[300:]
        say(now, [job], total_ms=5000.0, source="job")
        say(now, [known], total_ms=0.0, cached=True)
        say(now, live, total_ms=40.0)

    await house.database.write(answer)
    told = await house.database.read(lambda now: paces(now, [first + at * HOUR for at in range(4)]))
    assert told == [
        Pace(first, MOST_OF_A_STRETCH, 10.0, 90.0),
        Pace(first + HOUR, 2, 40.0, 40.0),
        Pace(first + 2 * HOUR, 0, None, None),
    ]
