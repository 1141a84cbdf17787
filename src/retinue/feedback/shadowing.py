"""A candidate answers some of the live pictures too: free, after the caller has the answer, and only in quiet moments.

What waits here waits in memory. A crash, a full queue or a busy eye loses some of it, and nobody misses it; what is
written is whole.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
import structlog

from retinue.base.database import Database, Transaction
from retinue.base.errors import RetinueError
from retinue.base.ids import new_id
from retinue.base.observe import Metrics
from retinue.catalog.serving import Catalog, Serving
from retinue.feedback.matching import saying_of, strength
from retinue.feedback.tables import ShadowLook
from retinue.predictions.road import Look, Question
from retinue.predictions.tables import Prediction
from retinue.vision.engine import Engine
from retinue.vision.errors import VisionError
from retinue.vision.results import Seen

OF_PEOPLE = ("api", "ui", "check")  # jobs and replays are no traffic that somebody waits for
MOST_WAITING = 64
MOST_BYTES = 64 << 20
PATIENCE_S = 10.0  # a picture that found no quiet moment in this time is let go
QUIET_LOOKS, LOOK_EVERY_S = 3, 0.02  # one look alone would hit the gap between two answers of a busy caller
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Waiting:
    question: Question
    result: Mapping[str, Any]
    prediction_id: str
    since: float


class Shadow:
    """Told of each live answer (`predictions.road.Observer`); works through what it keeps one picture at a time."""

    def __init__(
        self,
        database: Database,
        catalog: Catalog,
        eye: Engine,
        metrics: Metrics,
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._database, self._catalog, self._eye, self._metrics = database, catalog, eye, metrics
        self.chance = chance
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue(MOST_WAITING)
        self._bytes = 0

    def answered(self, look: Look, prediction_id: str) -> None:
        """Returns at once: keeps the picture if it is wanted and there is room."""
        question = look.question
        model, ask = question.serving.model, question.ask
        if model.shadow_version is None or look.cached or ask.version is not None or ask.source not in OF_PEOPLE:
            return
        if self.chance() * 100 >= model.shadow_percent:
            return
        size = len(ask.picture)
        if self._waiting.full() or self._bytes + size > MOST_BYTES:
            self._metrics.shadow.labels("shed").inc()
            return
        self._bytes += size
        self._waiting.put_nowait(_Waiting(question, look.result, prediction_id, time.monotonic()))

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._work())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _work(self) -> None:
        while True:
            one = await self._waiting.get()
            self._bytes -= len(one.question.ask.picture)
            try:
                outcome = "seen" if await self._look_again(one) else "shed"
            except (VisionError, RetinueError) as failure:
                outcome = "failed"
                _log.warning("a candidate did not answer", model=one.question.serving.model.name, code=failure.code)
            except Exception:  # noqa: BLE001 the next picture may go well, and no caller waits for this one
                outcome = "failed"
                _log.exception("shadow work failed", model=one.question.serving.model.name)
            self._metrics.shadow.labels(outcome).inc()

    async def _look_again(self, one: _Waiting) -> bool:
        """Whether there was time and room for it."""
        model, ask = one.question.serving.model, one.question.ask
        assert model.shadow_version is not None, "else it would not wait here"
        if not await self._found_quiet(one.since + PATIENCE_S):
            return False
        candidate = await self._catalog.serving(model.name, model.shadow_version)
        if not self._eye.has_room_for(candidate.package):
            return False
        plain = ask.parameters.model_copy(update={"explain": None})
        seen = await self._eye.predict(
            candidate.package, ask.picture, asked=plain.asked(one.question.thresholds), work="job"
        )
        await self._database.write(lambda now: _remember(now, one, candidate, seen))
        return True

    async def _found_quiet(self, until: float) -> bool:
        quiet = 0
        while time.monotonic() < until:
            quiet = quiet + 1 if self._eye.is_quiet() else 0
            if quiet == QUIET_LOOKS:
                return True
            await asyncio.sleep(LOOK_EVERY_S)
        return False


def _remember(now: Transaction, one: _Waiting, candidate: Serving, seen: Seen) -> None:
    """Beside the live answer, if its owner has not deleted it meanwhile."""
    kept = sa.select(Prediction.id).where(Prediction.id == one.prediction_id, Prediction.deleted_at.is_(None))
    if now.value(kept.with_for_update()) is None:
        return
    task, result, top = candidate.package.task, seen.result.as_json(), seen.result.top()
    apart = strength(saying_of(task, one.result), saying_of(task, result))
    row = {
        "id": new_id(now.time),
        "prediction_id": one.prediction_id,
        "model_id": candidate.model.id,
        "version_id": candidate.version.id,
        "label": top.label if top else None,
        "score": round(top.score, 6) if top else None,
        "result": result,
        "strength": max(1, round(1000 * apart)) if apart else 0,
        "model_ms": seen.timing.as_json()["model"],
        "created_at": now.time,
    }
    now.insert(ShadowLook, row)
