"""A live request: the price is held, the eye looks, and one transaction charges, remembers and stores the answer.

The eye starts at once and overlaps with the hold's commit, and then with the original's write; the answer waits for all
of them. A crash between the two transactions leaves a hold that its deadline releases, and a file that no row names.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from retinue.accounts.access import Identity
from retinue.base.database import Transaction
from retinue.base.failpoints import reach
from retinue.base.ids import new_id
from retinue.credits import idempotency, ledger
from retinue.credits.idempotency import Once, Replay, Ticket
from retinue.credits.ledger import Hold
from retinue.media.keeping import Kept, find_original
from retinue.media.links import Links
from retinue.predictions import paying
from retinue.predictions import road as one_road
from retinue.predictions.asking import Ask
from retinue.predictions.paying import DEADLINE_S
from retinue.predictions.remembering import answer_of, remember
from retinue.predictions.road import Look, Question, Road
from retinue.vision.results import Seen

Tell: TypeAlias = Callable[[Transaction, dict[str, Any]], dict[str, Any]]
"""What the caller is told of the remembered prediction; what it writes belongs to the charge's transaction."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes out, and whether it went out before."""

    body: bytes
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Begun:
    """What the first transaction left."""

    hold: Hold | None
    ticket: Ticket | None
    image_id: str | None


async def predict_image(
    road: Road,
    links: Links,
    ask: Ask,
    caller: Identity,
    *,
    once: Once | None = None,
    deadline_s: float = DEADLINE_S,
    tell: Tell | None = None,
) -> Answer:
    """One picture, one answer, one charge."""
    tell = tell or (lambda _now, row: answer_of(row, links))
    deadline = time.monotonic() + deadline_s
    if (before := await paying.answered_before(road, caller.user_id, once)) is not None:
        return Answer(before.body, replayed=True)
    question = await one_road.question_of(road, ask, owner_id=caller.user_id)
    known = await one_road.known_answer(road, question)
    price = road.prices.cached if known else paying.price_of(road, question.serving)
    if not known:  # what is refused costs no transaction: under four times the load that is three requests of four
        road.eye.check_room(question.serving.package, deadline=deadline, who=caller.user_id)
    looking = None if known else asyncio.create_task(one_road.see(road, question, deadline=deadline))
    prediction_id = new_id(road.clock.now())
    try:
        begun = await road.database.write(
            lambda now: begin(now, question, caller, price=price, once=once, as_id=prediction_id, deadline_s=deadline_s)
        )
    except BaseException:
        await paying.drop(looking)
        raise
    if isinstance(begun, Replay):
        await paying.drop(looking)
        return Answer(begun.body, replayed=True)
    return await _answer(road, tell, question, known, looking, begun, caller, price=price, as_id=prediction_id)


def begin(
    now: Transaction,
    question: Question,
    caller: Identity,
    *,
    price: int,
    once: Once | None,
    as_id: str,
    deadline_s: float,
) -> Begun | Replay:
    """The first transaction: is this a repeat, is there money, do we have this picture already?"""
    ticket = None
    if once is not None:
        begun = idempotency.begin(now, caller.user_id, once)
        if isinstance(begun, Replay):
            return begun
        ticket = begun
    hold = paying.set_aside(now, caller.user_id, price, operation_id=as_id, deadline_s=deadline_s)
    return Begun(hold, ticket, find_original(now, caller.user_id, question.sha256))


async def _answer(
    road: Road,
    tell: Tell,
    question: Question,
    known: Look | None,
    looking: "asyncio.Task[Seen] | None",
    begun: Begun,
    caller: Identity,
    *,
    price: int,
    as_id: str,
) -> Answer:
    reach("after_live_hold")
    keeping = asyncio.create_task(_original(road, question, begun))
    look: Look | None = None
    try:
        look = known or await one_road.look_of(road, question, await _seen(looking))
        look = await one_road.drawn(road, look)
        image, answered = await keeping, look
        reach("before_live_charge")
        body = await paying.settled(
            road,
            question,
            image,
            lambda now, kept: finish(now, tell, answered, begun, caller, image=kept, price=price, as_id=as_id),
        )
    except BaseException as failure:
        await paying.drop(looking)
        await asyncio.shield(_undo(road, begun, keeping, look, failure=failure))
        one_road.note_outcome(road, question, "failed")
        raise
    reach("after_live_charge")
    await one_road.offer_to_cache(road, look)
    one_road.note_outcome(road, question, "cached" if look.cached else "ok")
    one_road.tell_observer(road, look, as_id)
    return Answer(body)


def finish(
    now: Transaction,
    tell: Tell,
    look: Look,
    begun: Begun,
    caller: Identity,
    *,
    image: str | Kept,
    price: int,
    as_id: str,
) -> bytes:
    """The second transaction: the charge, the prediction and the stored answer, or none of them."""
    if begun.hold is not None:
        ledger.settle(now, begun.hold, price, description=look.question.serving.model.name)
    row = remember(
        now,
        look,
        user_id=caller.user_id,
        image=image,
        cost=price,
        hold_id=begun.hold.id if begun.hold else None,
        prediction_id=as_id,
    )
    reach("in_live_charge")
    body = orjson.dumps(tell(now, row))
    if begun.ticket is not None:
        idempotency.finish(now, begun.ticket, 200, body)
    return body


async def _original(road: Road, question: Question, begun: Begun) -> str | Kept:
    if begun.image_id is not None:
        return begun.image_id
    return await one_road.keep_original(road, question, road.clock.now())


async def _seen(looking: "asyncio.Task[Seen] | None") -> Seen:
    assert looking is not None, "whoever knows no answer looks"
    return await looking


async def _undo(
    road: Road, begun: Begun, keeping: "asyncio.Task[str | Kept]", look: Look | None, *, failure: BaseException
) -> None:
    files = list(look.files) if look else []
    await asyncio.wait((keeping,))
    # One that could not be written is no file to take away; one whose writing was cut off, the sweeper finds.
    if not keeping.cancelled() and keeping.exception() is None and isinstance(kept := keeping.result(), Kept):
        files.append(kept)
    tickets = [begun.ticket] if begun.ticket else []
    await paying.give_up(road, begun.hold, tickets, files, failure=failure)
