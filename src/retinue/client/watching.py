"""How a job is waited for: by its events while the line stands, by asking when it is quiet, through a restart."""

import time
from collections.abc import Callable
from typing import Any

from httpx2 import ServerSentEvent

from retinue.client.asking import Pause, Plan, Request, place
from retinue.client.errors import NotYet, Problem, ServerFailed, TooMany, TooSlow, Unreachable
from retinue.client.rooms import Room, Told
from retinue.client.trying import Tries

QUIET_S = 10.0  # a stream that said nothing for so long is left, and the status asked for
AWAY_S = 300.0  # a server that is started anew is back by then
NEXT_LOOK_S = 1.0
ANSWER_S = 60.0
PASSING = (Unreachable, ServerFailed, TooMany, TooSlow)
OVER = frozenset({"COMPLETED", "FAILED", "ABORTED"})


class Status(Told):
    status: str
    aborting: bool
    progress: float
    done: int
    failed: int
    total: int
    items_per_second: float | None
    eta_seconds: float | None
    error: str | None

    @property
    def is_over(self) -> bool:
        return self.status in OVER


OnStatus = Callable[[Status], object]


def watched(room: Room[Any], job_id: str, *, patience_s: float | None, on_status: OnStatus | None) -> Plan[None]:
    ends = None if patience_s is None else time.monotonic() + patience_s
    ear = _Ear(on_status, ends)
    away_since: float | None = None
    while True:
        pause_s = NEXT_LOOK_S
        try:
            status = yield from _look(room, job_id, within_s=_left(ends, at_most=ANSWER_S))
            away_since = None
            ear.tell(status)
            if status.is_over:
                return
            yield from _listen(room, job_id, ear, quiet_s=_left(ends, at_most=QUIET_S))
            if ear.last is not None and ear.last.is_over:
                continue  # its last status is there to be read
        except PASSING as failure:
            away_since = away_since or time.monotonic()
            if time.monotonic() - away_since > AWAY_S:
                raise
            if isinstance(failure, Problem):
                pause_s = min(failure.retry_after_s or pause_s, AWAY_S)
        if _left(ends, at_most=1) <= 0:
            raise NotYet(f"Job {job_id} still runs; ask for it again with jobs.at({job_id!r})")
        yield Pause(_left(ends, at_most=pause_s))


class _Enough(Exception):
    """The patience ended while the stream still talked."""


class _Ear:
    """Hears events, each once, and tells them on as a status; until the patience ends."""

    def __init__(self, on_status: OnStatus | None, ends: float | None) -> None:
        self.on_status = on_status
        self.ends = ends
        self.last: Status | None = None
        self.number = 0

    def tell(self, status: Status) -> None:
        self.last = status
        if self.on_status is not None:
            self.on_status(status)

    def hear(self, event: ServerSentEvent) -> None:
        self._take(event)
        if _left(self.ends, at_most=1) <= 0:
            raise _Enough

    def _take(self, event: ServerSentEvent) -> None:
        """The first stream begins with everything that ever happened: what is behind us is not told again."""
        self.number = max(self.number, int(event.id or 0))
        facts: Any = event.json()
        last = self.last
        if last is None or facts["done"] + facts["failed"] < last.done + last.failed:
            return
        news = {name: facts[name] for name in facts if name in Status.model_fields}
        if last.items_per_second:
            news["eta_seconds"] = round((facts["total"] - facts["done"] - facts["failed"]) / last.items_per_second, 1)
        self.tell(last.model_copy(update=news))


def _look(room: Room[Any], job_id: str, *, within_s: float) -> Plan[Status]:
    """Tried once: whoever waits decides when to look again. Even at the end of all patience an answer gets a second."""
    request = Request("GET", place("/inferences/{}/status", job_id), timeout_s=max(1.0, within_s))
    answer = yield from room._settle(request, tries=Tries(most=1))
    return Status.model_validate_json(answer.body)


def _listen(room: Room[Any], job_id: str, ear: _Ear, *, quiet_s: float) -> Plan[None]:
    """Until the stream ends, says nothing for too long, or the patience is over."""
    request = Request(
        "GET",
        place("/inferences/{}/events", job_id),
        headers={"Accept": "text/event-stream", "Last-Event-ID": str(ear.number)},
        timeout_s=max(0.1, quiet_s),
        heard=ear.hear,
    )
    try:
        yield from room._settle(request, tries=Tries(most=1))
    except (Unreachable, _Enough):
        return


def _left(ends: float | None, *, at_most: float) -> float:
    return at_most if ends is None else max(0.0, min(at_most, ends - time.monotonic()))
