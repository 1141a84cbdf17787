"""How looking is paid for: the price is held before, charged with the answer that is remembered, and given back where
there is none. Live requests and batches pay here."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

from retinue.base.database import CommitInDoubt, Transaction
from retinue.base.errors import RetinueError, StorageFull, TooMany, Unavailable
from retinue.catalog.serving import Serving
from retinue.credits import idempotency, ledger
from retinue.credits.idempotency import Once, Replay, Ticket
from retinue.credits.ledger import Hold, HoldResolved
from retinue.media.keeping import Kept, OriginalGone
from retinue.predictions import road as one_road
from retinue.predictions.road import Question, Road
from retinue.vision.errors import DeadlinePassed, EyeIsFull, VisionError

T = TypeVar("T")
OPERATION = "prediction"
DEADLINE_S = 30.0

Refusal = RetinueError | VisionError
# These depend on the moment: asked again, the same picture may well be answered.
PASSING = (EyeIsFull, DeadlinePassed, Unavailable, TooMany, StorageFull)


def price_of(road: Road, serving: Serving) -> int:
    return road.prices.inference_image if serving.model.price is None else serving.model.price


def frame_price_of(road: Road, serving: Serving) -> int:
    """Of one frame of a video; a model's own price is for whatever it looks at."""
    return road.prices.inference_video_frame if serving.model.price is None else serving.model.price


async def answered_before(road: Road, user_id: str, once: Once | None) -> Replay | None:
    """The stored answer of this request, found before anything is looked for: its model may be gone by now."""
    if once is None:
        return None
    return await road.database.read(lambda now: idempotency.replay_of(now, user_id, once))


def set_aside(now: Transaction, user_id: str, price: int, *, operation_id: str, deadline_s: float) -> Hold | None:
    """Nothing is held for what costs nothing."""
    if not price:
        return None
    expires_at = now.time + timedelta(seconds=deadline_s) + ledger.LIVE_GRACE
    return ledger.hold(now, user_id, price, operation=OPERATION, operation_id=operation_id, expires_at=expires_at)


async def settled(
    road: Road, question: Question, image: str | Kept, finish: Callable[[Transaction, str | Kept], T]
) -> T:
    """Runs the finishing transaction; an original that was deleted since it was found is written anew for it."""
    try:
        return await road.database.write(lambda now: finish(now, image))
    except OriginalGone:
        anew = await one_road.keep_original(road, question, road.clock.now())
        return await road.database.write(lambda now: finish(now, anew))


async def give_up(
    road: Road, hold: Hold | None, tickets: Iterable[Ticket], files: Iterable[Kept], *, failure: BaseException
) -> None:
    """What failed leaves no hold, no ticket and no file, unless nobody knows whether it failed."""
    if isinstance(failure, CommitInDoubt):
        return

    def undo(now: Transaction) -> None:
        if hold is not None:
            with suppress(HoldResolved):  # its deadline was faster
                ledger.close(now, hold.id, because=getattr(failure, "code", "failed"))
        for ticket in tickets:
            idempotency.forget(now, ticket)

    await road.database.write(undo)
    await road.storage.delete([file.key for file in files])


async def drop(looking: "asyncio.Task[Any] | None") -> None:
    """Nobody waits for this answer any more; its place in the queue is free."""
    if looking is not None:
        looking.cancel()
        await asyncio.wait([looking])
