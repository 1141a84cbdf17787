"""An inference that is paid for: held before the model runs, then charged, remembered and answered in one transaction.

Each element of the batch costs and counts as one prediction. All of them are answered, or none and nothing is charged.
"""

import asyncio
import hashlib
import time
from dataclasses import dataclass

from retinue.accounts.access import Identity
from retinue.base.database import Transaction
from retinue.base.ids import new_id
from retinue.credits import idempotency, ledger
from retinue.credits.idempotency import Once, Replay, Ticket
from retinue.credits.ledger import Hold
from retinue.media.keeping import Kept
from retinue.predictions import paying
from retinue.predictions import road as one_road
from retinue.predictions.asking import Ask, Parameters
from retinue.predictions.paying import DEADLINE_S
from retinue.predictions.road import Look, Road
from retinue.protocol import asking
from retinue.protocol.answering import Body, body_of, check_can_be_kept
from retinue.protocol.remembering import SOURCE, Work, keep, remember
from retinue.vision.tensors import Inferred

LARGE_BYTES = 1 << 18  # numbers as JSON are read at about 50 MB/s: more than this would hold up the others


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it came."""

    model: str
    version: str | None
    body: bytes
    header_bytes: int | None


@dataclass(frozen=True, slots=True)
class Begun:
    """What the first transaction left."""

    hold: Hold | None
    ticket: Ticket | None


async def infer(road: Road, sent: Sent, caller: Identity, *, once: Once | None = None) -> Body:
    if (before := await paying.answered_before(road, caller.user_id, once)) is not None:
        return Body.kept(before.body)
    work = await _work_of(road, sent, caller, is_kept=once is not None)
    deadline_s = min(work.asked.deadline_s or DEADLINE_S, DEADLINE_S)
    operation_id = new_id(road.clock.now())
    deadline = time.monotonic() + deadline_s
    road.eye.check_room(work.serving.package, deadline=deadline, who=caller.user_id)
    running = asyncio.create_task(_run(road, work, caller, deadline=deadline))
    try:
        begun = await road.database.write(
            lambda now: _begin(now, work, caller, once, operation_id=operation_id, deadline_s=deadline_s)
        )
    except BaseException:
        await paying.drop(running)
        raise
    if isinstance(begun, Replay):
        await paying.drop(running)
        return Body.kept(begun.body)
    return await _answer(road, work, running, begun, caller)


async def fingerprint(sent: Sent) -> str:
    """Of a request whose answer is kept: the very bytes, because a client that asks again sends them again."""
    told = {"model": sent.model, "version": sent.version, "header_bytes": sent.header_bytes}
    checksum = await asyncio.to_thread(lambda: hashlib.sha256(sent.body).hexdigest())
    return idempotency.fingerprint(told, checksum)


async def _work_of(road: Road, sent: Sent, caller: Identity, *, is_kept: bool) -> Work:
    """The request against its model, refused before any credit or file moves."""
    serving = await road.catalog.serving(sent.model, sent.version)
    signature = await road.eye.signature(serving.package)
    if len(sent.body) > LARGE_BYTES:
        asked = await asyncio.to_thread(asking.read, sent.body, sent.header_bytes, signature)
    else:
        asked = asking.read(sent.body, sent.header_bytes, signature)
    if is_kept:
        check_can_be_kept(asked, signature)
    questions = [
        await one_road.question_of(road, _ask(sent, picture, number), owner_id=caller.user_id)
        for number, picture in enumerate(asked.pictures)
    ]
    return Work(serving, asked, questions, paying.price_of(road, serving))


def _ask(sent: Sent, picture: bytes, number: int) -> Ask:
    name = f"{sent.model}-{number}"
    return Ask(picture, name, sent.model, sent.version, parameters=Parameters(), use_cache=False, source=SOURCE)


async def _run(road: Road, work: Work, caller: Identity, *, deadline: float) -> Inferred:
    asked = Parameters().asked(work.serving.model.thresholds)
    outputs = [one.name for one in work.asked.outputs]
    return await road.eye.infer(
        work.serving.package, work.asked.given, outputs, asked=asked, deadline=deadline, who=caller.user_id
    )


def _begin(
    now: Transaction, work: Work, caller: Identity, once: Once | None, *, operation_id: str, deadline_s: float
) -> Begun | Replay:
    """The first transaction: is this a repeat, and is there money for every element?"""
    ticket = None
    if once is not None:
        begun = idempotency.begin(now, caller.user_id, once)
        if isinstance(begun, Replay):
            return begun
        ticket = begun
    price = work.price * work.asked.elements
    hold = paying.set_aside(now, caller.user_id, price, operation_id=operation_id, deadline_s=deadline_s)
    return Begun(hold, ticket)


async def _answer(road: Road, work: Work, running: "asyncio.Task[Inferred]", begun: Begun, caller: Identity) -> Body:
    keeping = asyncio.create_task(keep(road, work))
    try:
        inferred = await running
        body = await asyncio.to_thread(body_of, work.asked, work.serving, inferred.outputs)
        if begun.ticket is not None:
            body.check_can_be_kept()
        looks = [
            await one_road.look_of(road, question, seen)
            for question, seen in zip(work.questions, inferred.seen, strict=True)
        ]
        kept = await keeping
        await road.database.write(lambda now: _finish(now, work, inferred, looks, kept, begun, caller, body))
    except BaseException as failure:
        await paying.drop(running)
        await asyncio.shield(_undo(road, begun, keeping, failure=failure))
        _count(road, work, "failed")
        raise
    _count(road, work, "ok")
    return body


def _finish(
    now: Transaction,
    work: Work,
    inferred: Inferred,
    looks: list[Look],
    kept: list[Kept],
    begun: Begun,
    caller: Identity,
    body: Body,
) -> None:
    """The second transaction: the charge, a prediction for each element and the stored answer, or none of them."""
    hold = begun.hold
    if hold is not None:
        ledger.settle(now, hold, hold.amount, description=work.serving.model.name)
    remember(now, work, inferred, looks, kept, user_id=caller.user_id, hold_id=hold.id if hold else None)
    if begun.ticket is not None:
        idempotency.finish(now, begun.ticket, 200, body.to_keep())


async def _undo(road: Road, begun: Begun, keeping: "asyncio.Task[list[Kept]]", *, failure: BaseException) -> None:
    await asyncio.wait((keeping,))
    # What could not be written is no file to take away; where the writing was cut off, the sweeper finds them.
    files = [] if keeping.cancelled() or keeping.exception() else keeping.result()
    tickets = [begun.ticket] if begun.ticket else []
    await paying.give_up(road, begun.hold, tickets, files, failure=failure)


def _count(road: Road, work: Work, outcome: str) -> None:
    counter = road.metrics.predictions.labels(work.serving.model.name, work.serving.version.label, SOURCE, outcome)
    counter.inc(work.asked.elements)
