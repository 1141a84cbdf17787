"""How one loaded model is spread over threads and sessions, and how a picture walks through it.

A processor does best with lanes: each thread takes a picture and does everything for it, in one session of one thread
that all lanes share. While only one picture is there, a second session gives it every core. An accelerator does best
with batches: the lanes decode, and one more thread runs the network for whatever is ready.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any, TypeAlias

import numpy as np

from retinue.vision.asking import Asked
from retinue.vision.bare import Bare, run_bare
from retinue.vision.batching import Batcher
from retinue.vision.errors import BrokenPicture, ModelFailed, VisionError
from retinue.vision.heads import Outputs
from retinue.vision.images import Image
from retinue.vision.model import Elsewhere, Mask, Model, Prepared, open_session
from retinue.vision.opening import GivenPicture, explained, read_mask, read_picture
from retinue.vision.package import Package
from retinue.vision.patience import until
from retinue.vision.results import Json, Seen, Timing
from retinue.vision.tensors import Inferred, Signature

GivenMask: TypeAlias = bytes | Path | Mask

RECENT = 512  # pictures whose times are kept for the statistics


@dataclass(frozen=True, slots=True)
class Shape:
    """How many lanes, threads of the session they share, threads of the session for a lone picture (0: none), and
    pictures in one run of the network (1: the lanes run it themselves)."""

    lanes: int
    threads: int = 1
    wide: int = 0
    batch: int = 1

    def as_json(self) -> Json:
        return asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """One picture to look at, since when it is here."""

    picture: GivenPicture
    mask: GivenMask | None
    asked: Asked
    at: float
    deadline: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Ready:
    """A picture in the network's numbers, waiting for a place in a batch."""

    ask: Ask
    image: Image
    prepared: Prepared
    queue_s: float
    decode_s: float
    since: float


@dataclass(slots=True)
class Spent:
    """What all pictures together took, in milliseconds by stage."""

    count: int = 0
    decode: float = 0.0
    queue: float = 0.0
    model: float = 0.0
    total: float = 0.0

    def add(self, timing: Timing) -> None:
        self.count += 1
        self.decode += timing.decode_ms
        self.queue += timing.queue_ms
        self.model += timing.model_ms
        self.total += timing.total_ms


class Quicker:
    """Which session serves a lone picture sooner, as seen lately: on a machine that has other work to do, two threads
    that wait for each other take longer than one. Every sixteenth picture asks the slower session again."""

    def __init__(self) -> None:
        self._ms: dict[bool, float] = {}
        self._turn = 0

    def goes_wide(self) -> bool:
        self._turn += 1
        if len(self._ms) < 2:
            return not self._ms
        return (self._ms[True] < self._ms[False]) is (self._turn % 16 != 0)

    def remember(self, ms: float, *, is_wide: bool) -> None:
        before = self._ms.get(is_wide, ms)
        self._ms[is_wide] = 0.7 * before + 0.3 * ms


class Lanes:
    """One package, loaded and at work. `alone` tells whether this is the only picture in the whole eye."""

    def __init__(
        self,
        package: Package,
        shape: Shape,
        *,
        alone: Callable[[], bool] = lambda: False,
        providers: Sequence[str] | None = None,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self.package, self.shape, self._alone = package, shape, alone
        self._narrow = open_session(package, threads=shape.threads, providers=providers, elsewhere=elsewhere)
        has_wide = shape.wide > shape.threads and package.weights is not None and elsewhere is None
        self._wide = open_session(package, threads=shape.wide, providers=providers) if has_wide else self._narrow
        self._lone = Quicker()
        self.times: deque[Timing] = deque(maxlen=RECENT)
        self.spent = Spent()
        self.last_used = time.monotonic()
        self.in_flight = 0
        self._emptied = asyncio.Event()
        sessions_here = 0 if elsewhere else 1 + has_wide
        self.bytes = sessions_here * (package.weights.stat().st_size if package.weights else 0)
        self._batches: Batcher[_Ready, Seen] | None = None
        most = min(shape.batch, self._narrow.max_batch or shape.batch)
        road: Callable[[list[Ask | Bare]], list[Any]] = self._look
        if most > 1:
            road = self._make_ready
            self._batches = Batcher(self._run, max_batch=most, name=f"{package.name}-batch")
        self._lanes = Batcher(road, lanes=shape.lanes, quiet_lanes=shape.lanes, name=package.name)

    def warm(self) -> None:
        """Runs both sessions once on a grey picture, so that the first caller finds memory laid out and a model that
        answers. Raises what is wrong with it."""
        grey = Image.of(np.full((96, 96, 3), 114, np.uint8))
        mask = np.zeros((96, 96), np.uint8)
        mask[40:56, 40:56] = 255
        for model in {id(model): model for model in (self._narrow, self._wide)}.values():
            prepared = model.prepare(grey, mask if self.package.task == "inpaint" else None)
            (outputs,) = model.forward([prepared])
            model.read(outputs, prepared, Asked())

    async def see(self, ask: Ask, *, deadline: float | None = None, job: bool = False, who: str = "") -> Seen:
        with self._counted(ask.at):
            first: Any = await asyncio.wrap_future(self._lanes.submit(ask, deadline=deadline, job=job, who=who))
            if self._batches is not None:
                first = await asyncio.wrap_future(self._batches.submit(first, deadline=deadline, job=job, who=who))
        seen: Seen = first
        self._note(seen.timing)
        return seen

    async def infer(self, bare: Bare, *, deadline: float | None = None, job: bool = False, who: str = "") -> Inferred:
        """Arrays need no reading: their lane runs the network itself, also where pictures wait for a batch."""
        with self._counted(bare.at):
            inferred: Any = await asyncio.wrap_future(self._lanes.submit(bare, deadline=deadline, job=job, who=who))
        self._note(inferred.timing)
        ran: Inferred = inferred
        return ran

    def signature(self) -> Signature:
        return self._narrow.signature()

    async def drain(self) -> None:
        while self.in_flight:
            self._emptied.clear()
            await self._emptied.wait()

    def close(self) -> None:
        """Refuses what waits, lets what runs end, and gives the memory back."""
        self._lanes.close()
        if self._batches is not None:
            self._batches.close()
        self._narrow.close()
        if self._wide is not self._narrow:
            self._wide.close()

    def waiting(self) -> int:
        return self._lanes.waiting + (self._batches.waiting if self._batches else 0)

    def check_room(self, *, deadline: float | None, who: str) -> None:
        """Refuses what `see` would refuse now."""
        self._lanes.check_room(deadline=deadline, who=who)
        if self._batches is not None:
            self._batches.check_room(deadline=deadline, who=who)

    def state(self) -> Json:
        figures = (self._batches or self._lanes).figures
        return {
            "name": self.package.name,
            "key": self.package.key,
            "shape": self.shape.as_json(),
            "bytes": self.bytes,
            "waiting": self.waiting(),
            "in_flight": self.in_flight,
            "done": figures.done,
            "failed": figures.failed,
            "refused": self._lanes.figures.refused,
            "late": self._lanes.figures.late + (figures.late if self._batches else 0),
            "batch_sizes": dict(sorted(figures.batch_sizes.items())),
            "ms_per_picture": round(self.ms_per_picture(), 3),
            "times_ms": _spread(list(self.times)),
            "spent_ms": asdict(self.spent),
            "last_used": self.last_used,
        }

    def ms_per_picture(self) -> float:
        """Of the machine's time, all lanes at work: what a queue of pictures costs; 0 until something was measured."""
        if self._batches is not None:
            return self._batches.figures.seconds_each * 1e3
        return self._lanes.figures.seconds_each * 1e3 / self.shape.lanes

    def _note(self, timing: Timing) -> None:
        self.times.append(timing)
        self.spent.add(timing)

    @contextmanager
    def _counted(self, at: float) -> Iterator[None]:
        self.last_used = at
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1
            if not self.in_flight:
                self._emptied.set()

    def _look(self, asks: list[Ask | Bare]) -> list[Seen] | list[Inferred]:
        """The whole way of one picture, or of one piece of bare arrays, in one lane."""
        with until(asks[0].deadline):
            return self._looked(asks[0])

    def _looked(self, ask: Ask | Bare) -> list[Seen] | list[Inferred]:
        if isinstance(ask, Bare):
            return [self._run_bare(ask)]
        ready = self._ready(ask)
        if self._wide is self._narrow or not self._alone():
            return _answers(self._narrow, [ready])
        is_wide = self._lone.goes_wide()
        (seen,) = _answers(self._wide if is_wide else self._narrow, [ready])
        self._lone.remember(seen.timing.model_ms, is_wide=is_wide)
        return [seen]

    def _run_bare(self, bare: Bare) -> Inferred:
        if not bare.is_lone or self._wide is self._narrow or not self._alone():
            return run_bare(self._narrow, bare)
        is_wide = self._lone.goes_wide()
        inferred = run_bare(self._wide if is_wide else self._narrow, bare)
        self._lone.remember(inferred.timing.model_ms, is_wide=is_wide)
        return inferred

    def _make_ready(self, asks: list[Ask | Bare]) -> list[_Ready | Inferred]:
        return [self._run_bare(ask) if isinstance(ask, Bare) else self._ready(ask) for ask in asks]

    def _run(self, batch: list[_Ready]) -> list[Seen]:
        return _answers(self._narrow, batch)

    def _ready(self, ask: Ask) -> _Ready:
        taken = time.monotonic()
        try:
            image = read_picture(ask.picture, self.package)
            prepared = self._narrow.prepare(image, read_mask(ask.mask, image))
        except VisionError:
            raise
        except OSError as cause:
            raise BrokenPicture("The picture's file cannot be read.") from cause
        except Exception as cause:
            raise ModelFailed() from cause
        now = time.monotonic()
        return _Ready(ask, image, prepared, queue_s=taken - ask.at, decode_s=now - taken, since=now)


def _answers(model: Model, batch: list[_Ready]) -> list[Seen]:
    began = time.monotonic()
    try:
        outputs = model.forward([ready.prepared for ready in batch])
        ran = time.monotonic()
        return [_seen(model, ready, said, began, ran) for ready, said in zip(batch, outputs, strict=True)]
    except VisionError:
        raise
    except Exception as cause:
        raise ModelFailed() from cause


def _seen(model: Model, ready: _Ready, said: Outputs, began: float, ran: float) -> Seen:
    reading = time.monotonic()
    result = model.read(said, ready.prepared, ready.ask.asked)
    read = time.monotonic()
    heat_map = explained(model, ready.image, ready.prepared, result, ready.ask.asked)
    timing = Timing(
        decode_ms=ready.decode_s * 1e3,
        queue_ms=(ready.queue_s + began - ready.since) * 1e3,
        model_ms=(ran - began + read - reading) * 1e3,
        total_ms=(time.monotonic() - ready.ask.at) * 1e3,
    )
    return Seen(result, ready.image.width, ready.image.height, timing, heat_map)


def _spread(times: list[Timing]) -> Json:
    """Median and 95th percentile of each stage over the recent pictures."""
    return {
        "decode": _p50_p95([timing.decode_ms for timing in times]),
        "queue": _p50_p95([timing.queue_ms for timing in times]),
        "model": _p50_p95([timing.model_ms for timing in times]),
        "total": _p50_p95([timing.total_ms for timing in times]),
    }


def _p50_p95(values: list[float]) -> Json:
    if len(values) < 2:
        return {"p50": round(sum(values), 3), "p95": round(sum(values), 3)}
    cuts = quantiles(values, n=20, method="inclusive")
    return {"p50": round(cuts[9], 3), "p95": round(cuts[18], 3)}
