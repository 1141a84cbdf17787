"""Measures on this machine which shape serves a model best, and remembers it beside the model's key.

Untuned, a model gets as many lanes of one thread as there are processors: right for most networks on most machines.
"""

import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from retinue.vision.images import Image
from retinue.vision.lanes import Shape
from retinue.vision.machine import fingerprint, usable_cpus
from retinue.vision.model import Model, Prepared, open_session
from retinue.vision.package import Package
from retinue.vision.providers import ON_PROCESSORS
from retinue.vision.results import Json

MOST_WIDE = 4  # untuned: beyond four threads a small network gains little and may lose
ACCELERATED_BATCH = 16  # untuned, on an accelerator
ROUNDS = 3
WORTH_IT = 1.05  # a shape has to beat the plain one by this much, or noise would choose


@dataclass(frozen=True, slots=True)
class Tuned:
    """The shape that won, and every figure it was chosen by."""

    shape: Shape
    pictures_per_second: dict[str, float]
    lone_ms: dict[str, float]

    def as_json(self) -> Json:
        return {
            "shape": self.shape.as_json(),
            "pictures_per_second": self.pictures_per_second,
            "lone_ms": self.lone_ms,
        }


def default_shape(cpus: int | None = None, *, providers: Sequence[str] = ON_PROCESSORS) -> Shape:
    cpus = cpus or usable_cpus()
    if tuple(providers) != ON_PROCESSORS:
        return Shape(lanes=cpus, batch=ACCELERATED_BATCH)
    return Shape(lanes=cpus, threads=1, wide=min(cpus, MOST_WIDE) if cpus > 1 else 0)


def remembered(package: Package, cache: Path, *, providers: Sequence[str] = ON_PROCESSORS) -> Tuned | None:
    """What was measured for this model on a machine like this one."""
    try:
        told = json.loads(_file(package, cache, providers).read_text("utf-8"))
        return Tuned(Shape(**told["shape"]), told["pictures_per_second"], told["lone_ms"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def tune(package: Package, cache: Path, *, seconds: float = 4.0, providers: Sequence[str] = ON_PROCESSORS) -> Tuned:
    """Runs the model alone in every shape worth trying, for about `seconds` in all, and keeps the outcome."""
    if package.weights is None:  # nothing to spread over threads
        return Tuned(default_shape(), {}, {})
    on_processors = tuple(providers) == ON_PROCESSORS
    with _sessions(package, _thread_counts() if on_processors else [1], providers) as sessions:
        tries = _tries(sessions, on_processors=on_processors)
        each = seconds / ROUNDS / (len(tries) + len(sessions))
        speeds, lone = dict.fromkeys(tries, 0.0), dict.fromkeys(map(str, sessions), float("inf"))
        # In rounds, keeping the best of each: what else the machine does then hits every shape alike.
        for _ in range(ROUNDS):
            for shape in tries:
                speeds[shape] = max(speeds[shape], _pictures_per_second(sessions[shape.threads], shape, seconds=each))
            for threads, model in sessions.items():
                lone[str(threads)] = min(lone[str(threads)], _lone_ms(model, seconds=each))
    tuned = _chosen(speeds, lone)
    _remember(tuned, _file(package, cache, providers))
    return tuned


def _thread_counts() -> list[int]:
    """One thread, all processors, and the powers of two between."""
    cpus = usable_cpus()
    return sorted({1, cpus} | {2**n for n in range(1, 6) if 2**n < cpus})


def _tries(sessions: dict[int, Model], *, on_processors: bool) -> list[Shape]:
    cpus = usable_cpus()
    most = sessions[1].max_batch
    lanes = [Shape(lanes=max(1, cpus // threads), threads=threads) for threads in sessions]
    sizes = (2, 4, 8) if on_processors else (4, 8, 16, 32)
    threads = max(sessions) if on_processors else 1
    batches = [Shape(lanes=cpus, threads=threads, batch=size) for size in sizes if most is None or size <= most]
    return lanes + batches


@contextmanager
def _sessions(package: Package, counts: list[int], providers: Sequence[str]) -> Iterator[dict[int, Model]]:
    opened = {threads: open_session(package, threads=threads, providers=providers) for threads in counts}
    try:
        yield opened
    finally:
        for model in opened.values():
            model.close()


def _prepared(model: Model) -> Prepared:
    grey = Image.of(np.full((480, 640, 3), 114, np.uint8))
    mask = np.zeros((480, 640), np.uint8)
    mask[200:280, 280:360] = 255
    return model.prepare(grey, mask if model.package.task == "inpaint" else None)


def _lone_ms(model: Model, *, seconds: float) -> float:
    prepared = _prepared(model)
    took: list[float] = []
    end = time.perf_counter() + seconds
    while len(took) < 3 or time.perf_counter() < end:
        began = time.perf_counter()
        model.forward([prepared])
        took.append((time.perf_counter() - began) * 1e3)
    return round(median(took), 3)


def _pictures_per_second(model: Model, shape: Shape, *, seconds: float) -> float:
    """Of the network alone: who decodes does so in the same lanes in every shape, so it changes no order."""
    batch = [_prepared(model)] * shape.batch
    callers = shape.lanes if shape.batch == 1 else 1
    done = [0] * callers
    model.forward(batch)
    began = time.perf_counter()

    def call(caller: int) -> None:
        while not done[caller] or time.perf_counter() < began + seconds:
            model.forward(batch)
            done[caller] += shape.batch

    threads = [threading.Thread(target=call, args=(caller,)) for caller in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return round(sum(done) / (time.perf_counter() - began), 2)


def _chosen(speeds: dict[Shape, float], lone: dict[str, float]) -> Tuned:
    plain = next(iter(speeds))
    best = max(speeds, key=lambda shape: speeds[shape])
    if speeds[best] < speeds[plain] * WORTH_IT:
        best = plain
    quickest = min(lone, key=lambda threads: lone[threads])
    wide = int(quickest) if lone[quickest] * WORTH_IT < lone[str(best.threads)] and best.batch == 1 else 0
    shape = Shape(best.lanes, best.threads, wide, best.batch)
    said = {f"{tried.lanes}x{tried.threads} batch {tried.batch}": speed for tried, speed in speeds.items()}
    return Tuned(shape, said, lone)


def _file(package: Package, cache: Path, providers: Sequence[str]) -> Path:
    place = hashlib.sha256(" ".join([fingerprint(), *providers]).encode()).hexdigest()[:16]
    return cache / "tuning" / f"{package.key[:24]}-{place}.json"


def _remember(tuned: Tuned, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
    fresh.write_text(json.dumps(tuned.as_json(), indent=1) + "\n", "utf-8")
    fresh.replace(file)
