"""Many models for many callers: which are loaded, who gives way for whom, and one awaited verb to ask them."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeAlias, TypeVar

from retinue.vision.asking import Asked
from retinue.vision.bare import bare_work, whole_of
from retinue.vision.builtin import builtin_packages, default_cache
from retinue.vision.errors import DeadlinePassed, EyeIsFull, NoSuchModel, VisionError
from retinue.vision.lanes import Ask, GivenMask, Lanes, Shape
from retinue.vision.machine import usable_cpus, usable_memory_bytes
from retinue.vision.model import Elsewhere
from retinue.vision.opening import GivenPicture
from retinue.vision.package import Package
from retinue.vision.priorities import be_quiet
from retinue.vision.providers import ON_PROCESSORS
from retinue.vision.results import Json, Seen
from retinue.vision.tensors import Inferred, Signature, Tensors
from retinue.vision.tuning import Tuned, default_shape, remembered, tune

Work: TypeAlias = Literal["live", "job"]
Item: TypeAlias = GivenPicture | tuple[GivenPicture, GivenMask]
PLAIN = Asked()
Outcome = TypeVar("Outcome")
CROWD_SECONDS = 0.05  # after a second picture was last here, one alone does not yet get every core

# A fifth of a lane's weight: loading slows two lanes on two processors by 1.2 and not by 1.5. A session's own threads
# inherit it, so it stays below the quiet lanes' 10: the helpers of a lone picture must not wait for job work.
LOADER_NICENESS = 7


class Engine:
    """Opens models when they are asked for, keeps them while they fit into memory, and spreads the work.

    `threads`: how many lanes a model gets that nobody tuned; `memory_bytes`: how much loaded weights may take;
    `providers`: where networks run, in onnxruntime's words, the first choice first; `elsewhere`: gives sessions on
    other machines in place of this one's; `shape`: every model's, in place of the tuned ones; `when_crowded`: hears
    when more live pictures are here than threads, and when that is over.
    """

    def __init__(
        self,
        *,
        cache: Path | None = None,
        threads: int | None = None,
        memory_bytes: int | None = None,
        providers: Sequence[str] = ON_PROCESSORS,
        elsewhere: Elsewhere | None = None,
        shape: Shape | None = None,
        when_crowded: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self.cache = cache or default_cache()
        self.threads = threads or usable_cpus()
        self.memory_bytes = memory_bytes or usable_memory_bytes() // 2
        self.providers = tuple(providers)
        self._elsewhere, self._shape, self._when_crowded = elsewhere, shape, when_crowded
        self._by_name: dict[str, Package] = {}
        self._loaded: dict[str, Lanes] = {}
        self._loading: dict[str, asyncio.Task[Lanes]] = {}
        self._one_at_a_time = asyncio.Lock()
        self._loader = ThreadPoolExecutor(1, "eye-loader", initializer=be_quiet, initargs=(LOADER_NICENESS,))
        self._in_flight = self._live = 0
        self._crowded_at = float("-inf")
        self._closed = False

    async def __aenter__(self) -> "Engine":
        self._by_name = {**await self._quietly(partial(builtin_packages, self.cache)), **self._by_name}
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    def packages(self) -> dict[str, Package]:
        """The models that may be asked for by name."""
        return dict(self._by_name)

    async def predict(
        self,
        model: Package | str,
        picture: GivenPicture,
        mask: GivenMask | None = None,
        *,
        asked: Asked = PLAIN,
        deadline: float | None = None,
        work: Work = "live",
        who: str = "",
    ) -> Seen:
        """Looks at one picture. `deadline` is a time of `time.monotonic()`; job work lets live work go first; askers
        have their turn one after the other, whoever they are."""
        package = self._package(model)
        ask = Ask(picture, mask, asked, at=time.monotonic(), deadline=deadline)
        with self._counted(work):
            try:
                async with asyncio.timeout_at(deadline):
                    lanes = await self._lanes_of(package)
                    return await lanes.see(ask, deadline=deadline, job=work == "job", who=who)
            except TimeoutError:
                raise DeadlinePassed() from None

    async def predict_many(
        self,
        model: Package | str,
        pictures: Iterable[Item] | AsyncIterable[Item],
        *,
        asked: Asked = PLAIN,
        work: Work = "job",
    ) -> AsyncIterator[Seen | VisionError]:
        """The answers in the pictures' order, a failure in its place; as many at work as keep every lane full.

        Where a mask is needed, a picture and its mask come as a pair.
        """
        lanes = await self.load(model)
        ahead: deque[asyncio.Task[Seen | VisionError]] = deque()
        try:
            async for picture in _each(pictures):
                ahead.append(asyncio.create_task(self._tried(model, picture, asked, work)))
                if len(ahead) > 2 * max(lanes.lanes, lanes.batch):
                    yield await ahead.popleft()
            while ahead:
                yield await ahead.popleft()
        finally:
            for task in ahead:
                task.cancel()

    async def signature(self, model: Package | str) -> Signature:
        """The tensors of the model's published graph."""
        return (await self._lanes_of(self._package(model))).signature()

    async def infer(
        self,
        model: Package | str,
        given: Tensors | Sequence[bytes],
        outputs: Sequence[str] = (),
        *,
        asked: Asked = PLAIN,
        deadline: float | None = None,
        work: Work = "live",
        who: str = "",
    ) -> Inferred:
        """Bare arrays through the published graph, or encoded pictures made into its arrays; no outputs named: all."""
        package, at = self._package(model), time.monotonic()
        with self._counted(work):
            try:
                async with asyncio.timeout_at(deadline):
                    lanes = await self._lanes_of(package)
                    most = lanes.shape.batch
                    bare = bare_work(
                        lanes.signature(), given, outputs, most=most, asked=asked, at=at, deadline=deadline
                    )
                    running = (lanes.infer(one, deadline=deadline, job=work == "job", who=who) for one in bare)
                    parts = await _together(running)
            except TimeoutError:
                raise DeadlinePassed() from None
        return await asyncio.to_thread(whole_of, parts, at=at) if len(parts) > 1 else parts[0]

    async def load(self, model: Package | str) -> Shape:
        """Has the model ready before it is asked; tells the shape it works in."""
        return (await self._lanes_of(self._package(model))).shape

    async def unload(self, key: str) -> None:
        """Lets those who are being served finish, then gives the model's memory back. Unknown keys are no error."""
        lanes = self._loaded.pop(key, None)
        if lanes is not None:
            await lanes.drain()
            await self._quietly(lanes.close)

    async def swap(self, old: Package | str, new: Package) -> None:
        """Loads, warms and checks the new model; only then the name means it, and the old one drains and goes."""
        before = self._package(old)
        await self._load(new)
        self._by_name[new.name] = new
        if before.key != new.key:
            await self.unload(before.key)

    async def tune(self, model: Package | str, *, seconds: float = 4.0) -> Tuned:
        """Measures which shape serves the model best on this machine, and serves it so from now on."""
        package = self._package(model)
        measure = partial(tune, package, self.cache, seconds=seconds, providers=self.providers)
        tuned = await asyncio.to_thread(measure)
        await self.unload(package.key)
        await self._load(package)
        return tuned

    def check_room(self, model: Package | str, *, deadline: float | None = None, who: str = "") -> None:
        """Refuses at once what `predict` would refuse, before anything was done for it."""
        if lanes := self._loaded.get(self._package(model).key):
            lanes.check_room(deadline=deadline, who=who)

    def is_quiet(self) -> bool:
        """Three quarters of the threads have nothing to do: what can wait may run without slowing anybody."""
        return self._in_flight <= self.threads // 4

    def has_room_for(self, model: Package | str) -> bool:
        """Whether this model is loaded or can be without another one giving way for it."""
        package = self._package(model)
        needed = 2 * package.weights.stat().st_size if package.weights else 0
        loaded = sum(lanes.bytes for lanes in self._loaded.values())
        return package.key in self._loaded or loaded + needed <= self.memory_bytes

    def state(self) -> Json:
        """What is loaded, what waits, and how long things take."""
        return {
            "in_flight": self._in_flight,
            "waiting": sum(lanes.waiting() for lanes in self._loaded.values()),
            "loading": len(self._loading),
            "bytes": sum(lanes.bytes for lanes in self._loaded.values()),
            "memory_bytes": self.memory_bytes,
            "models": [lanes.state() for lanes in self._loaded.values()],
        }

    async def close(self) -> None:
        """Refuses what waits, lets what runs end, and frees everything."""
        self._closed = True
        await asyncio.gather(*self._loading.values(), return_exceptions=True)
        loaded = list(self._loaded.values())
        self._loaded.clear()
        for lanes in loaded:
            await self._quietly(lanes.close)
        self._loader.shutdown()

    def _package(self, model: Package | str) -> Package:
        if isinstance(model, Package):
            return model
        try:
            return self._by_name[model]
        except KeyError:
            known = ", ".join(sorted(self._by_name)) or "none"
            raise NoSuchModel(f"There is no model “{model}”; known here: {known}.") from None

    @contextmanager
    def _counted(self, work: Work) -> Iterator[None]:
        if self._closed:
            raise EyeIsFull("The eye is closing.")
        self._in_flight += 1
        if self._in_flight > 1:
            self._crowded_at = time.monotonic()
        try:
            with self._counted_live() if work == "live" else nullcontext():
                yield
        finally:
            self._in_flight -= 1

    @contextmanager
    def _counted_live(self) -> Iterator[None]:
        crowd = self.threads + 1
        self._live += 1
        if self._live == crowd:
            self._when_crowded(True)
        try:
            yield
        finally:
            if self._live == crowd:
                self._when_crowded(False)
            self._live -= 1

    def _alone(self) -> bool:
        return self._in_flight == 1 and time.monotonic() - self._crowded_at > CROWD_SECONDS

    async def _tried(self, model: Package | str, item: Item, asked: Asked, work: Work) -> Seen | VisionError:
        picture, mask = item if isinstance(item, tuple) else (item, None)
        try:
            return await self.predict(model, picture, mask, asked=asked, work=work)
        except VisionError as failure:
            return failure

    async def _lanes_of(self, package: Package) -> Lanes:
        return self._loaded.get(package.key) or await self._load(package)

    async def _load(self, package: Package) -> Lanes:
        """Whoever needs a model that is being loaded waits for the same loading, which no single caller can cancel."""
        key = package.key
        task = self._loading.get(key)
        if task is None:
            task = self._loading[key] = asyncio.create_task(self._open(package))
            task.add_done_callback(partial(self._was_loaded, key))
        return await asyncio.shield(task)

    def _was_loaded(self, key: str, task: asyncio.Task[Lanes]) -> None:
        self._loading.pop(key, None)
        if not task.cancelled():
            task.exception()  # heard, even where everybody who waited has gone

    async def _open(self, package: Package) -> Lanes:
        async with self._one_at_a_time:
            if self._closed:
                raise EyeIsFull("The eye is closing.")
            if found := self._loaded.get(package.key):
                return found
            lanes = await self._quietly(partial(self._opened, package))
            self._loaded[package.key] = lanes
            await self._make_room(beside=lanes)
            return lanes

    def _opened(self, package: Package) -> Lanes:
        lanes = Lanes(
            package, self._shape_of(package), alone=self._alone, providers=self.providers, elsewhere=self._elsewhere
        )
        try:
            lanes.warm()
        except BaseException:
            lanes.close()
            raise
        return lanes

    def _shape_of(self, package: Package) -> Shape:
        if self._shape is not None:
            return self._shape
        tuned = remembered(package, self.cache, providers=self.providers)
        return tuned.shape if tuned else default_shape(self.threads, providers=self.providers)

    async def _make_room(self, *, beside: Lanes) -> None:
        """The models used longest ago go first. One that is larger than the budget is served alone."""
        others = sorted((lanes.last_used, key) for key, lanes in self._loaded.items() if lanes is not beside)
        for _, key in others:
            if sum(lanes.bytes for lanes in self._loaded.values()) <= self.memory_bytes:
                return
            await self.unload(key)

    async def _quietly(self, do: Callable[[], Outcome]) -> Outcome:
        return await asyncio.get_running_loop().run_in_executor(self._loader, do)


async def _together(pieces: Iterable[Coroutine[Any, Any, Outcome]]) -> list[Outcome]:
    """All of them, or the first failure: what is left of the others nobody wants any more."""
    try:
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(piece) for piece in pieces]
    except* VisionError as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in running]


async def _each(pictures: Iterable[Item] | AsyncIterable[Item]) -> AsyncIterator[Item]:
    if isinstance(pictures, AsyncIterable):
        async for picture in pictures:
            yield picture
    else:
        for picture in pictures:
            yield picture
