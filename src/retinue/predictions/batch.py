"""Many pictures in one request: one hold for all, a charge and a row for each that worked, else a reason.

A retry of a batch that died half-way answers its finished pictures again and charges only the others: each picture has
a ticket of its own below the batch's.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from retinue.accounts.access import Identity
from retinue.base.database import Transaction
from retinue.base.errors import RetinueError, TooLarge
from retinue.base.ids import new_id
from retinue.credits import idempotency, ledger
from retinue.credits.idempotency import Once, Replay, Ticket
from retinue.credits.ledger import Hold
from retinue.credits.shapes import as_credits
from retinue.media.keeping import Kept, find_original
from retinue.media.links import Links
from retinue.predictions import paying
from retinue.predictions import road as one_road
from retinue.predictions.asking import Ask
from retinue.predictions.live import Answer
from retinue.predictions.paying import DEADLINE_S, PASSING, Refusal
from retinue.predictions.remembering import answer_of, remember
from retinue.predictions.road import Look, Question, Road
from retinue.vision.errors import VisionError

MOST_PICTURES = 64
AT_ONCE = 8  # enough to keep the lanes full, few enough that one batch does not fill the model's queue


class BatchTooLarge(TooLarge):
    code = "batch-too-large"
    title = "Too many pictures for one request"


@dataclass(frozen=True, slots=True)
class Item:
    """One picture of a batch: a question, or why it is none."""

    number: int
    filename: str
    question: Question | None
    refusal: Refusal | None
    known: Look | None = None
    price: int = 0


@dataclass(frozen=True, slots=True)
class Begun:
    """What the first transaction left, by the number of the picture."""

    hold: Hold | None
    ticket: Ticket | None
    tickets: dict[int, Ticket]
    replays: dict[int, bytes]
    images: dict[int, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one picture came to; `is_final` where asking again would say the same."""

    told: dict[str, Any]
    is_final: bool


def check_size(pictures: int, *, most: int = MOST_PICTURES) -> None:
    if pictures > most:
        raise too_many_pictures(most)


def too_many_pictures(most: int) -> BatchTooLarge:
    return BatchTooLarge(
        f"More than {most} pictures: put them into a dataset (POST /api/v1/datasets) and start a job over it "
        "(POST /api/v1/inferences)"
    )


async def predict_batch(
    road: Road, links: Links, asks: Sequence[Ask | tuple[str, Refusal]], caller: Identity, *, once: Once | None = None
) -> Answer:
    """Results in the order of the pictures; one bad picture never fails the rest."""
    deadline = time.monotonic() + DEADLINE_S
    if (before := await paying.answered_before(road, caller.user_id, once)) is not None:
        return Answer(before.body, replayed=True)
    items = [await _item(road, number, ask, caller) for number, ask in enumerate(asks)]
    begun = await road.database.write(lambda now: _begin(now, items, caller, once))
    if isinstance(begun, Replay):
        return Answer(begun.body, replayed=True)
    places = asyncio.Semaphore(AT_ONCE)
    finished: set[int] = set()

    async def run(item: Item) -> Outcome:
        async with places:
            outcome = await _run(road, links, item, begun, caller, deadline=deadline)
        if outcome.told["ok"]:
            finished.add(item.number)
        return outcome

    try:
        async with asyncio.TaskGroup() as together:
            running = [together.create_task(run(item)) for item in items]
    except BaseException as failed:  # noqa: BLE001 raised again once nothing of it is left
        failure = failed.exceptions[0] if isinstance(failed, BaseExceptionGroup) else failed
        await asyncio.shield(_give_up(road, begun, finished, failure))
        raise failure from None
    outcomes = [task.result() for task in running]
    return Answer(await road.database.write(lambda now: _finish(now, begun, outcomes)))


async def _item(road: Road, number: int, ask: Ask | tuple[str, Refusal], caller: Identity) -> Item:
    if not isinstance(ask, Ask):
        return Item(number, ask[0], None, ask[1])
    try:
        question = await one_road.question_of(road, ask, owner_id=caller.user_id)
    except VisionError as refusal:
        return Item(number, ask.filename, None, refusal)
    known = await one_road.known_answer(road, question)
    price = road.prices.cached if known else paying.price_of(road, question.serving)
    return Item(number, ask.filename, question, None, known, price)


def _begin(now: Transaction, items: Sequence[Item], caller: Identity, once: Once | None) -> Begun | Replay:
    ticket, tickets, replays = None, {}, {}
    if once is not None:
        whole = idempotency.begin(now, caller.user_id, once)
        if isinstance(whole, Replay):
            return whole
        ticket = whole
        for item in items:
            part = idempotency.begin(now, caller.user_id, once.part(item.number))
            if isinstance(part, Replay):
                replays[item.number] = part.body
            else:
                tickets[item.number] = part
    images = {}
    price = 0
    for item in items:
        if item.question is None or item.number in replays:
            continue
        price += item.price
        if twin := find_original(now, caller.user_id, item.question.sha256):
            images[item.number] = twin
    hold = paying.set_aside(now, caller.user_id, price, operation_id=new_id(now.time), deadline_s=DEADLINE_S)
    return Begun(hold, ticket, tickets, replays, images)


async def _run(road: Road, links: Links, item: Item, begun: Begun, caller: Identity, *, deadline: float) -> Outcome:
    if item.number in begun.replays:
        return Outcome(orjson.loads(begun.replays[item.number]), is_final=True)
    if item.question is None:
        assert item.refusal is not None, "a picture is a question or has a reason"
        return _refused(item, item.refusal)
    try:
        told = await _look_and_charge(road, links, item, item.question, begun, caller, deadline=deadline)
    except (VisionError, RetinueError) as refusal:
        one_road.note_outcome(road, item.question, "failed")
        return _refused(item, refusal)
    one_road.note_outcome(road, item.question, "cached" if item.known else "ok")
    return Outcome(told, is_final=True)


async def _look_and_charge(
    road: Road, links: Links, item: Item, question: Question, begun: Begun, caller: Identity, *, deadline: float
) -> dict[str, Any]:
    files: list[Kept] = []
    try:
        look = item.known
        if look is None:
            look = await one_road.look_of(road, question, await one_road.see(road, question, deadline=deadline))
        look = await one_road.drawn(road, look)
        files += look.files
        image: str | Kept | None = begun.images.get(item.number)
        if image is None:
            image = await one_road.keep_original(road, question, road.clock.now())
            files.append(image)
        answered = look
        told = await paying.settled(
            road, question, image, lambda now, kept: _finish_one(now, links, item, answered, begun, caller, kept)
        )
    except BaseException as failure:
        await asyncio.shield(paying.give_up(road, None, [], files, failure=failure))
        raise
    await one_road.offer_to_cache(road, look)
    one_road.tell_observer(road, look, told["prediction"]["prediction_id"])
    return told


def _finish_one(
    now: Transaction, links: Links, item: Item, look: Look, begun: Begun, caller: Identity, image: str | Kept
) -> dict[str, Any]:
    hold = begun.hold if item.price else None
    if hold is not None:
        ledger.charge(now, hold.id, item.price, part=str(item.number), description=look.question.serving.model.name)
    row = remember(now, look, user_id=caller.user_id, image=image, cost=item.price, hold_id=hold.id if hold else None)
    answer = {"filename": item.filename, "ok": True, "prediction": answer_of(row, links)}
    if item.number in begun.tickets:
        idempotency.finish(now, begun.tickets[item.number], 200, orjson.dumps(answer))
    return answer


def _finish(now: Transaction, begun: Begun, outcomes: Sequence[Outcome]) -> bytes:
    """The rest of the hold goes back. The answer is kept for a repeat only if a repeat could not do better."""
    if begun.hold is not None:
        ledger.close(now, begun.hold.id, because="batch finished")
    results = [outcome.told for outcome in outcomes]
    cost = sum(round(result["prediction"]["cost"] * 100) for result in results if result["ok"])
    body = orjson.dumps({"results": results, "cost": as_credits(cost)})
    if begun.ticket is not None and all(outcome.is_final for outcome in outcomes):
        idempotency.finish(now, begun.ticket, 200, body)
    elif begun.ticket is not None:
        idempotency.forget(now, begun.ticket)
    for number, ticket in begun.tickets.items():
        if not outcomes[number].told["ok"]:
            idempotency.forget(now, ticket)
    return body


async def _give_up(road: Road, begun: Begun, finished: set[int], failure: BaseException) -> None:
    """What was charged stays charged under its own ticket, for the retry; everything else is undone."""
    tickets = [ticket for number, ticket in begun.tickets.items() if number not in finished]
    whole = [begun.ticket] if begun.ticket else []
    await paying.give_up(road, begun.hold, [*whole, *tickets], [], failure=failure)


def _refused(item: Item, refusal: Refusal) -> Outcome:
    error = {"code": refusal.code, "title": refusal.title, "detail": refusal.detail}
    return Outcome({"filename": item.filename, "ok": False, "error": error}, not isinstance(refusal, PASSING))
