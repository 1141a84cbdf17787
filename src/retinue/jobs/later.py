"""`Prefer: respond-async`: whoever need not wait for an answer gets a job over the pictures of the request.

A preference is no demand. What no job does (a comparison with a kit), and what is refused before it costs anything, is
answered at once, as if nobody had asked for later.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from fastapi import Response

from retinue.accounts.access import Identity, KeyTooNarrow
from retinue.base.database import CommitInDoubt, Transaction
from retinue.credits.idempotency import Once, Replay
from retinue.jobs.listing import Listing
from retinue.jobs.manifests import Entry
from retinue.jobs.running import Jobs
from retinue.jobs.submitting import Order, submit
from retinue.media.keeping import Kept, claim_all, keep_file, use_again
from retinue.media.tables import Asset
from retinue.predictions import road as one_road
from retinue.predictions.asking import Ask
from retinue.predictions.paying import Refusal, answered_before
from retinue.predictions.road import Question
from retinue.vision.errors import VisionError

TRIES = 3  # somebody may send the same picture in the same moment


@dataclass(frozen=True, slots=True)
class _Picture:
    """Where one of them lies: a file of this request's, or an original that its owner has already."""

    image_id: str
    key: str
    new: Kept | None = None


async def look_later(
    jobs: Jobs, pool: str, asks: Sequence[Ask | tuple[str, Refusal]], caller: Identity, once: Once | None
) -> Response | None:
    """202 and the job; None where the request is better answered at once."""
    if (before := await answered_before(jobs.road, caller.user_id, once)) is not None:
        return before.response()
    if (questions := await _questions(jobs, asks, caller)) is None:
        return None
    if not caller.can("jobs:write"):
        raise KeyTooNarrow("It needs jobs:write to answer later")
    for attempt in range(1, TRIES + 1):
        try:
            return await _order(jobs, pool, questions, caller, once)
        except sa.exc.IntegrityError:
            if attempt == TRIES:
                raise
    return None


async def _questions(jobs: Jobs, asks: Sequence[Ask | tuple[str, Refusal]], caller: Identity) -> list[Question] | None:
    questions = []
    for ask in asks:
        if not isinstance(ask, Ask) or ask.kit is not None:
            return None
        try:
            questions.append(await one_road.question_of(jobs.road, ask, owner_id=caller.user_id))
        except VisionError:
            return None
    return questions or None


async def _order(jobs: Jobs, pool: str, questions: Sequence[Question], caller: Identity, once: Once | None) -> Response:
    road, first = jobs.road, questions[0].ask
    pictures = await _keep_originals(jobs, questions, caller)
    masks = [await _keep_mask(jobs, question) for question in questions]
    new = list({one.image_id: one.new for one in pictures if one.new}.values()) + [mask for mask in masks if mask]

    async def entries() -> AsyncIterator[Entry]:
        for index, (question, picture, mask) in enumerate(zip(questions, pictures, masks, strict=True)):
            yield Entry(index, picture.image_id, picture.key, question.ask.filename, mask.key if mask else None)

    def claim(now: Transaction) -> None:
        claim_all(now, caller.user_id, new)
        for known in {one.image_id for one in pictures if one.new is None}:
            use_again(now, known)

    listing = Listing(None, _name_of(questions), len(questions), 0, entries())
    order = Order(first.model, questions[0].serving.version.label, first.parameters, pool)
    try:
        answer = await submit(road, order, listing, caller, once=once, also=claim)
    except CommitInDoubt:
        raise  # the job may be there, and needs its pictures
    except BaseException:
        await asyncio.shield(road.storage.delete([one.key for one in new]))
        raise
    if isinstance(answer, Replay):
        await road.storage.delete([one.key for one in new])
    jobs.nudge()
    response = answer.response()
    response.headers["Preference-Applied"] = "respond-async"
    return response


async def _keep_originals(jobs: Jobs, questions: Sequence[Question], caller: Identity) -> list[_Picture]:
    """Each picture once, however often it was sent."""
    road = jobs.road
    known = await road.database.read(lambda now: _known(now, caller.user_id, {one.sha256 for one in questions}))
    for question in questions:
        if question.sha256 not in known:
            kept = await one_road.keep_original(road, question, road.clock.now())
            known[question.sha256] = _Picture(kept.id, kept.key, kept)
    return [known[question.sha256] for question in questions]


def _known(now: Transaction, owner_id: str, checksums: set[str]) -> dict[str, _Picture]:
    mine = sa.and_(Asset.owner_id == owner_id, Asset.kind == "original", Asset.deleted_at.is_(None))
    rows = now.rows(sa.select(Asset.sha256, Asset.id, Asset.key).where(mine, Asset.sha256.in_(checksums)))
    return {row.sha256: _Picture(row.id, row.key) for row in rows}


async def _keep_mask(jobs: Jobs, question: Question) -> Kept | None:
    mask, header = question.ask.mask, question.header
    if mask is None:
        return None
    size = (header.width, header.height)
    told = {"filename": f"{question.ask.filename}-mask.png", "mime_type": "image/png", "extension": "png"}
    return await keep_file(jobs.road.storage, mask, kind="mask", at=jobs.road.clock.now(), size=size, **told)


def _name_of(questions: Sequence[Question]) -> str:
    """What the job is called where others have a dataset's name."""
    first, others = questions[0].ask.filename, len(questions) - 1
    return f"{first} and {others} more" if others else first
