"""Decides which waiting items are worked on together, and when: items in, futures out. It knows nothing of pictures."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from retinue.vision.errors import DeadlinePassed, EyeIsFull, ModelFailed
from retinue.vision.priorities import be_quiet
from retinue.vision.turns import Turns

In = TypeVar("In")
Out = TypeVar("Out")

MAX_JOB_SECONDS = 0.030  # of work that a live item may find ahead of itself in one lane
LIVE_TRAFFIC_SECONDS = 1.0  # live work is expected again for this long after the last of it
QUIET_NICENESS = 10  # a tenth of the processor against live lanes, all of it beside idle ones


@dataclass(slots=True)
class Figures:
    """What a batcher has done so far, in pictures."""

    done: int = 0
    failed: int = 0
    refused: int = 0
    late: int = 0
    batch_sizes: Counter[int] = field(default_factory=Counter)
    seconds_each: float = 0.0  # of one lane's time per picture, moving average; 0 until something was measured


@dataclass(slots=True, eq=False)
class _Entry(Generic[In, Out]):
    who: str
    item: In
    pictures: int
    deadline: float | None
    future: "Future[Out]"


@dataclass(frozen=True, slots=True)
class _Failure:
    cause: BaseException


class Batcher(Generic[In, Out]):
    """Gives waiting items to `work` in lists of at most `max_batch` pictures, in so many lanes (threads) at once.

    A free lane takes what is waiting and never waits for more, from each asker in turn: who floods it waits behind
    their own items, not others behind theirs. Live items go before job items. Quiet lanes take job
    items only, at a low priority of the operating system, so that a live item takes the processor from them at once;
    without quiet lanes the ordinary lanes do job items too, in lists kept short while there is live traffic.
    """

    def __init__(
        self,
        work: Callable[[list[In]], Sequence[Out]],
        *,
        max_batch: int = 1,
        lanes: int = 1,
        quiet_lanes: int = 0,
        max_waiting: int = 512,
        max_wait_s: float = 10.0,
        name: str = "batcher",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.work, self.max_batch, self.lanes = work, max_batch, lanes
        self.max_waiting, self.max_wait_s, self.clock = max_waiting, max_wait_s, clock
        self.figures = Figures()
        self.running = 0
        self._live: Turns[_Entry[In, Out]] = Turns()
        self._job: Turns[_Entry[In, Out]] = Turns()
        self._live_at = float("-inf")
        self._closed = False
        self._lock = threading.Lock()
        self._lane_wanted = threading.Condition(self._lock)
        self._quiet_lane_wanted = threading.Condition(self._lock) if quiet_lanes else self._lane_wanted
        self._idle = threading.Condition(self._lock)
        ordinary = [self._thread(f"{name}-{n}", self._lane) for n in range(lanes)]
        quiet = [self._thread(f"{name}-quiet-{n}", self._quiet_lane) for n in range(quiet_lanes)]
        self._has_quiet_lanes = bool(quiet)
        self._threads = ordinary + quiet
        for thread in self._threads:
            thread.start()

    def submit(
        self, item: In, *, pictures: int = 1, deadline: float | None = None, job: bool = False, who: str = ""
    ) -> "Future[Out]":
        """A future of the answer. Refuses at once what could not be done in time; `deadline` is by the clock given."""
        entry: _Entry[In, Out] = _Entry(who, item, pictures, deadline, Future())
        with self._lock:
            self._admit(pictures, deadline, job=job, who=who)
            (self._job if job else self._live).put(who, entry)
            (self._quiet_lane_wanted if job else self._lane_wanted).notify()
        entry.future.add_done_callback(lambda future: self._forget(entry) if future.cancelled() else None)
        return entry.future

    def check_room(self, *, deadline: float | None = None, who: str = "") -> None:
        """Refuses what a live picture of theirs would be refused for now."""
        with self._lock:
            self._admit(1, deadline, job=False, who=who)

    @property
    def waiting(self) -> int:
        """Pictures that no lane has taken yet."""
        with self._lock:
            return sum(entry.pictures for entry in (*self._live, *self._job))

    def drain(self, *, timeout_s: float | None = None) -> bool:
        """Waits until nothing is waiting or running; False if that took longer than allowed."""
        with self._lock:
            return self._idle.wait_for(lambda: not (self._live or self._job or self.running), timeout_s)

    def close(self) -> None:
        """Refuses what is still waiting, lets what runs come to its end, and ends the lanes."""
        with self._lock:
            self._closed = True
            left = [*self._live, *self._job]
            self._live.clear()
            self._job.clear()
            self._lane_wanted.notify_all()
            self._quiet_lane_wanted.notify_all()
        for entry in left:
            if entry.future.set_running_or_notify_cancel():
                entry.future.set_exception(EyeIsFull("The model is being put away."))
        for thread in self._threads:
            thread.join()

    def _thread(self, name: str, lane: Callable[[], None]) -> threading.Thread:
        return threading.Thread(target=lane, name=name, daemon=True)

    def _seconds_for(self, entries: Iterable[_Entry[In, Out]]) -> float:
        return sum(entry.pictures for entry in entries) * self.figures.seconds_each / self.lanes

    def _admit(self, pictures: int, deadline: float | None, *, job: bool, who: str) -> None:
        if pictures > self.max_batch:
            raise ModelFailed(f"The model takes {self.max_batch} pictures at once, not {pictures}.")
        if self._closed:
            raise EyeIsFull("The model is being put away.")
        ahead = self._job if job else self._live
        if sum(waiting.pictures for waiting in ahead) + pictures > self.max_waiting:
            self.figures.refused += pictures
            raise EyeIsFull(retry_after_s=max(self._seconds_for(ahead), 1.0))
        now = self.clock()
        if deadline is not None and deadline <= now:
            self.figures.late += pictures
            raise DeadlinePassed()
        if job:
            return
        self._live_at = now
        patience = self.max_wait_s if deadline is None else min(deadline - now, self.max_wait_s)
        wait = self._seconds_for(self._live.ahead_of(who))
        if wait > patience:
            self.figures.refused += pictures
            raise EyeIsFull(retry_after_s=max(wait - patience, 1.0))

    def _forget(self, cancelled: _Entry[In, Out]) -> None:
        """A caller who went away gives its place back at once."""
        with self._lock:
            for waiting in (self._live, self._job):
                waiting.remove(cancelled.who, cancelled)
            self._idle.notify_all()

    def _lane(self) -> None:
        while batch := self._take():
            self._work_on(batch)

    def _quiet_lane(self) -> None:
        be_quiet(QUIET_NICENESS)
        while batch := self._take_job():
            self._work_on(batch)

    def _take(self) -> list[_Entry[In, Out]]:
        with self._lock:
            while True:
                if self._live:
                    batch = self._first(self._live, self.max_batch)
                elif self._job and not self._has_quiet_lanes:
                    batch = self._first(self._job, self._job_limit())
                elif self._closed:
                    return []
                else:
                    self._lane_wanted.wait()
                    continue
                if batch:
                    return batch

    def _take_job(self) -> list[_Entry[In, Out]]:
        with self._lock:
            while True:
                if self._job:
                    batch = self._first(self._job, self._job_limit())
                    if batch:
                        return batch
                elif self._closed:
                    return []
                else:
                    self._quiet_lane_wanted.wait()

    def _job_limit(self) -> int:
        if self.clock() - self._live_at > LIVE_TRAFFIC_SECONDS or not self.figures.seconds_each:
            return self.max_batch
        return max(1, min(self.max_batch, int(MAX_JOB_SECONDS / self.figures.seconds_each)))

    def _first(self, waiting: Turns[_Entry[In, Out]], limit: int) -> list[_Entry[In, Out]]:
        """The next items that fit into one batch. One that is larger than a job's limit goes alone."""
        batch: list[_Entry[In, Out]] = []
        room = limit
        while waiting and (waiting.next().pictures <= room or not batch):
            entry = waiting.take()
            if entry.future.set_running_or_notify_cancel():
                batch.append(entry)
                room -= entry.pictures
        self.running += sum(entry.pictures for entry in batch)
        if not batch:
            self._idle.notify_all()
        return batch

    def _work_on(self, batch: list[_Entry[In, Out]]) -> None:
        began = self.clock()
        in_time = [entry for entry in batch if entry.deadline is None or entry.deadline >= began]
        late = [entry for entry in batch if entry not in in_time]
        answers = self._answers(in_time) if in_time else []
        self._remember(in_time, answers, late=len(late), seconds=self.clock() - began)
        for entry in late:
            entry.future.set_exception(DeadlinePassed("It waited for the model beyond its deadline."))
        for entry, answer in zip(in_time, answers, strict=True):
            if isinstance(answer, _Failure):
                entry.future.set_exception(answer.cause)
            else:
                entry.future.set_result(answer)
        with self._lock:
            self.running -= sum(entry.pictures for entry in batch)
            self._idle.notify_all()

    def _answers(self, batch: list[_Entry[In, Out]]) -> "list[Out | _Failure]":
        """For every item its answer, or why there is none: every caller hears."""
        try:
            answers = self.work([entry.item for entry in batch])
        except BaseException as failure:  # noqa: BLE001 - a caller who hears nothing would wait for ever
            if len(batch) == 1:
                return [_Failure(failure)]
            return [self._answers([entry])[0] for entry in batch]  # one bad item must not fail its neighbours
        if len(answers) != len(batch):  # no telling whose answer is whose
            told = f"The model gave {len(answers)} answers for {len(batch)} pictures."
            return [_Failure(ModelFailed(told)) for _ in batch]
        return list(answers)

    def _remember(
        self, batch: list[_Entry[In, Out]], answers: "list[Out | _Failure]", *, late: int, seconds: float
    ) -> None:
        pictures = sum(entry.pictures for entry in batch)
        pairs = zip(batch, answers, strict=True)
        failed = sum(entry.pictures for entry, answer in pairs if isinstance(answer, _Failure))
        with self._lock:
            figures = self.figures
            figures.late += late
            if not pictures:
                return
            figures.batch_sizes[pictures] += 1
            figures.done += pictures - failed
            figures.failed += failed
            each = seconds / pictures
            figures.seconds_each = each if not figures.seconds_each else 0.9 * figures.seconds_each + 0.1 * each
