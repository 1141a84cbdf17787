"""What of this room runs in a process: everywhere a dispatcher, a planner and a sweeper; in a worker also its crew."""

import asyncio
import os
import platform
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial

import structlog
from dramatiq.broker import Broker

from retinue.base.chores import Chore, doing
from retinue.base.database import DatabaseUnavailable
from retinue.base.failpoints import reach
from retinue.base.ids import new_id
from retinue.jobs import workers
from retinue.jobs.brokers import Crew, Post, is_in_memory
from retinue.jobs.dispatching import Sending, dispatch, may_dispatch, unsend
from retinue.jobs.leases import Leases
from retinue.jobs.planning import plan_on
from retinue.jobs.sweeping import expire_all, sweep
from retinue.jobs.terms import Terms
from retinue.jobs.working import Workshop
from retinue.predictions.road import Road

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """What this process lends to jobs."""

    pool: str
    slots: int


class Jobs:
    """The room at work. `place`: how much of this process takes chunks; None where others do."""

    def __init__(self, road: Road, broker: Broker, *, terms: Terms, place: Place | None, is_only_process: bool) -> None:
        self.road, self.broker, self.terms, self.place = road, broker, terms, place
        self.worker_id = f"{socket.gethostname()}-{os.getpid()}-{new_id()[-6:]}"
        self._post = Post(broker)
        self._is_only_process = is_only_process
        self._nudged = asyncio.Event()
        self._leases = Leases(road.database, terms)
        self._shop = Workshop(road, terms, self.worker_id, self._leases, when_done=self.nudge)
        self._crew: Crew | None = None

    def nudge(self) -> None:
        """There may be something to dispatch: look now rather than half a second later."""
        self._nudged.set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        if self._is_only_process:
            await self.road.database.write(expire_all)
        dispatching = asyncio.create_task(self._dispatch_on(), name="dispatch jobs")
        try:
            async with doing(self._chores()), self._working():
                yield
        finally:
            dispatching.cancel()
            with suppress(asyncio.CancelledError):
                await dispatching

    async def dispatch_once(self) -> int:
        database = self.road.database
        if not await database.read(may_dispatch):
            return 0
        sendings = await database.write(lambda now: dispatch(now, terms=self.terms))
        if sendings:
            reach("after_dispatch_commit")
            if is_in_memory(self.broker):
                self._begin_work()
            await self._send(sendings)
            reach("after_send")
        return len(sendings)

    async def _send(self, sendings: Sequence[Sending]) -> None:
        def send() -> list[Sending]:
            for n, sending in enumerate(sendings):
                try:
                    self._post.send(sending)
                except Exception:  # noqa: BLE001 each broker has errors of its own; all mean that it did not take it
                    _log.exception("the broker did not take a message")
                    return list(sendings[n:])
            return []

        if left := await asyncio.to_thread(send):
            self.road.metrics.external_errors.labels("broker").inc()
            await self.road.database.write(lambda now: [unsend(now, sending.lease) for sending in left])

    async def _dispatch_on(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(0.5, self.terms.sweep_s)):
                    await self._nudged.wait()
            self._nudged.clear()
            try:
                await self.dispatch_once()
            except Exception:  # noqa: BLE001 the next round may find the database again
                _log.exception("dispatching failed")

    @asynccontextmanager
    async def _working(self) -> AsyncIterator[None]:
        if self.place is None:
            yield
            return
        await self._say_alive()
        if not is_in_memory(self.broker):
            self._begin_work()
        try:
            async with doing([Chore("say alive", self.terms.heartbeat_s, self._say_alive)]):
                yield
        finally:
            await self._end_work()

    def _begin_work(self) -> None:
        """With a broker in memory not before there is something to do: threads that wait cost a start and a stop."""
        if self._crew is not None or self.place is None or self._shop.is_closing:
            return
        self._leases.start()
        self._crew = Crew(self.broker, pool=self.place.pool, slots=self.place.slots, work=self._shop.work)
        self._crew.start()

    async def _end_work(self) -> None:
        """What is at work stops at its next picture and is put back; the broker gets back what was only fetched."""
        self._shop.is_closing = True
        with suppress(
            DatabaseUnavailable
        ):  # a database that is away: this worker is silent soon, and that says the same
            await self._say_alive()
        if self._crew is not None:
            await self._crew.stop()
            self._leases.close()
        with suppress(DatabaseUnavailable):
            await self.road.database.write(lambda now: workers.leave(now, self.worker_id))

    async def _say_alive(self) -> None:
        assert self.place is not None, "only a worker says that it lives"
        slots = 0 if self._shop.is_closing else self.place.slots
        models = [one["name"] for one in self.road.eye.state()["models"]]
        say = partial(
            workers.say_alive,
            worker_id=self.worker_id,
            pool=self.place.pool,
            device=f"{platform.machine()}, {self.road.eye.threads} threads",
            slots=slots,
            models=models,
        )
        await self.road.database.write(say)

    def _chores(self) -> list[Chore]:
        database, storage = self.road.database, self.road.storage

        async def sweep_jobs() -> None:
            await sweep(database, storage, terms=self.terms)

        async def plan() -> None:
            while await plan_on(database, storage):
                self.nudge()

        return [
            Chore("sweep jobs", self.terms.sweep_s, sweep_jobs),
            Chore("plan jobs", self.terms.sweep_s, plan),
            Chore("forget workers", 600, lambda: database.write(workers.forget_silent)),
        ]
