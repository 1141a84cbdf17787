"""How a chunk is worked on: claimed, looked at along the one road of predictions, and committed, or put back.

Nothing here is trusted to happen: a process that dies at any line leaves a lease that ends by itself.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from retinue.base.database import DatabaseUnavailable, Transaction
from retinue.base.errors import RetinueError, StorageFull
from retinue.base.failpoints import reach
from retinue.base.storage import ObjectMissing
from retinue.jobs import chunks
from retinue.jobs.chunks import Claimed, Keep, Lease, Outcome
from retinue.jobs.films import WorkLost, cut_of, keep_film, make_film
from retinue.jobs.frames import Fetch, shown
from retinue.jobs.leases import Held, Leases
from retinue.jobs.manifests import Item, ListLost, Place, read_items
from retinue.jobs.results import Answered, Refused, remember_failures, remember_results
from retinue.jobs.settling import job_of, settle
from retinue.jobs.tables import Job
from retinue.jobs.terms import Terms
from retinue.predictions import road as one_road
from retinue.predictions.asking import Ask, Frame, Parameters
from retinue.predictions.road import Road
from retinue.vision.errors import EyeIsFull, VisionError

CROWDED_S = 0.2  # how long job work waits when live work fills the eye
_log = structlog.get_logger(__name__)


@dataclass
class Workshop:
    """One per process. `when_done` is called after every chunk, so that the next one need not wait for a clock."""

    road: Road
    terms: Terms
    owner: str
    leases: Leases
    when_done: Callable[[], None] = lambda: None
    is_closing: bool = field(default=False)

    async def work(self, lease: Lease) -> None:
        """From message to commit. Whatever goes wrong is the chunk's to tell; a message has nothing to say."""
        try:
            await self._work(lease)
        except Exception:  # noqa: BLE001 the lease ends by itself, and the chunk is somebody else's
            _log.exception("a chunk was dropped", job=lease.job_id, chunk=lease.number)
        self.when_done()

    async def _work(self, lease: Lease) -> None:
        if self.is_closing:
            return
        database = self.road.database
        chunk = await database.write(lambda now: chunks.claim(now, lease, owner=self.owner, terms=self.terms))
        if chunk is None:
            return
        reach("after_claim")
        with self.leases.holding(lease) as held:
            items: Sequence[Item] = ()
            try:
                began = time.monotonic()
                job = await database.read(lambda now: job_of(now, lease.job_id, user_id=None))
                if chunk.film is not None:
                    await self._make_film(job, lease, held, chunk.film)
                    return
                items = await read_items(self.road.storage, _place_of(job, chunk))
                seen = await self._look_at_all(job, items, held)
            except (RetinueError, VisionError) as failure:
                may_retry = not isinstance(failure, ListLost)
                await self._fail(lease, items, failure.code, failure.detail, may_retry=may_retry)
                return
            except Exception:  # noqa: BLE001 a fault of ours: three tries, then its items say so
                _log.exception("a chunk failed", job=lease.job_id, chunk=lease.number)
                await self._fail(lease, items, "internal-error", "Something went wrong on our side")
                return
            if seen is None:
                await database.write(lambda now: self._step_aside(now, lease))
                return
            await self._commit(lease, held, *seen, worked_ms=round((time.monotonic() - began) * 1000))

    async def _look_at_all(
        self, job: Job, items: Sequence[Item], held: Held
    ) -> tuple[list[Answered], list[Refused]] | None:
        """As many at work as keep every lane full; None when the chunk is no longer ours to finish."""
        serving = await self.road.catalog.serving(job.model, job.model_version)
        shape = await self.road.eye.load(serving.package)
        at_once = 2 * max(shape.lanes, shape.batch) + 1
        parameters = Parameters.model_validate(job.parameters)
        answered: list[Answered] = []
        refused: list[Refused] = []
        ahead: deque[asyncio.Task[Answered | Refused]] = deque()
        waiting = shown(self.road.storage, items)
        try:
            while True:
                while len(ahead) < at_once and (following := await anext(waiting, None)) is not None:
                    ahead.append(asyncio.create_task(self._look_at(job, *following, parameters)))
                if not ahead:
                    return answered, refused
                if held.is_lost or self.is_closing:
                    return None
                one = await ahead.popleft()
                if isinstance(one, Answered):
                    answered.append(one)
                else:
                    refused.append(one)
        finally:
            for task in ahead:
                task.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)
            await waiting.aclose()

    async def _look_at(self, job: Job, item: Item, fetch: Fetch, parameters: Parameters) -> Answered | Refused:
        """One item; a bad one fails alone with its reason."""
        reach(f"look_at_{item.entry.name}")
        road, entry = self.road, item.entry
        try:
            fetched = await fetch()
            ask = Ask(
                picture=fetched.picture,
                filename=entry.name,
                model=job.model,
                version=job.model_version,
                mask=fetched.mask if job.task == "inpaint" else None,  # other tasks look at the picture alone
                parameters=parameters,
                use_cache=False,
                source="job",
                frame=Frame(entry.shot.number, entry.shot.time_s, entry.shot.fps) if entry.shot else None,
            )
            question = await one_road.question_of(road, ask)
            while True:
                try:
                    look = await one_road.look_of(road, question, await one_road.see(road, question))
                    look = await one_road.drawn(road, look)
                    break
                except EyeIsFull:
                    if self.is_closing:
                        raise
                    await asyncio.sleep(CROWDED_S)
        except EyeIsFull:
            raise
        except VisionError as refusal:
            return Refused(item, refusal.code, refusal.detail)
        except ObjectMissing as missing:
            return Refused(item, missing.code, missing.detail)
        one_road.note_outcome(road, question, "ok")
        return Answered(item, look)

    async def _commit(
        self, lease: Lease, held: Held, answered: list[Answered], refused: list[Refused], *, worked_ms: int
    ) -> None:
        frames = sum(one.item.entry.shot is not None for one in answered)
        outcome = Outcome(len(answered), len(refused), worked_ms, frames_done=frames)
        await self._write_down(
            lease, held, outcome, keep=lambda now, job: remember_results(now, job, lease.number, answered, refused)
        )

    async def _make_film(self, job: Job, lease: Lease, held: Held, item_index: int) -> None:
        cut = await self.road.database.read(lambda now: cut_of(now, job.id, item_index))
        try:
            film = await make_film(self.road, cut, is_lost=lambda: held.is_lost or self.is_closing)
        except WorkLost:
            await self.road.database.write(lambda now: self._step_aside(now, lease))
            return
        reach("after_film")
        await self._write_down(
            lease,
            held,
            Outcome(done=0, failed=0, worked_ms=0),
            keep=lambda now, _job: keep_film(now, job.id, job.user_id, item_index, film),
        )

    async def _write_down(self, lease: Lease, held: Held, outcome: Outcome, *, keep: Keep) -> None:
        reach("before_commit")
        while not held.is_lost:
            try:
                await self.road.database.write(lambda now: chunks.commit(now, lease, outcome, keep=keep))
                break
            except (DatabaseUnavailable, StorageFull):
                # Lost while committing, it may have happened: the guard of the next try tells, as zero rows.
                await asyncio.sleep(self.terms.look_s)
        reach("after_commit")
        await self.road.database.write(lambda now: settle(now, lease.job_id))

    def _step_aside(self, now: Transaction, lease: Lease) -> None:
        if chunks.cancel(now, lease):
            settle(now, lease.job_id)
        elif self.is_closing:
            chunks.give_back(now, lease)

    async def _fail(
        self, lease: Lease, items: Sequence[Item], code: str, reason: str, *, may_retry: bool = True
    ) -> None:
        _log.warning("a chunk could not be done", job=lease.job_id, chunk=lease.number, code=code)
        await self.road.database.write(
            lambda now: chunks.fail(
                now,
                lease,
                may_retry=may_retry,
                terms=self.terms,
                keep=lambda now, job: remember_failures(now, job, lease.number, items, code, reason),
            )
        )


def _place_of(job: Job, chunk: Claimed) -> Place:
    return Place(job.manifest, chunk.first_item, chunk.first_byte, chunk.end_byte)
