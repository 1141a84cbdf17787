"""The one road of a prediction: a live request, a batch, a kit check and a job all look at a picture here.

Looking costs no money and writes no row. Who looked pays and remembers in one transaction of their own.
"""

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from importlib.metadata import version as installed
from typing import Any, Protocol

import structlog

import retinue
from retinue.base.clock import Clock
from retinue.base.database import Database
from retinue.base.errors import Invalid
from retinue.base.observe import Metrics
from retinue.base.storage import Storage
from retinue.catalog.serving import Catalog, Serving
from retinue.credits.prices import Prices
from retinue.media.keeping import Kept, keep_file
from retinue.predictions.annotated import draw_answer
from retinue.predictions.asking import Ask, Explaining, cache_key
from retinue.predictions.cache import AnswerCache
from retinue.predictions.comparing import TASKS, CannotCompare
from retinue.vision.engine import Engine
from retinue.vision.images import Header, Opened, decode, encode_jpeg, encode_png
from retinue.vision.machine import runtime
from retinue.vision.masks import clean_mask
from retinue.vision.results import HeatMap, Picture, Result, Seen
from retinue.vision.saliency import overlay

RUNTIME = {
    "retinue": retinue.__version__,
    **dict([runtime()]),
    **{name: installed(name) for name in ("numpy", "pillow", "opencv-python-headless")},
}
_log = structlog.get_logger(__name__)


class MaskNotWanted(Invalid):
    code = "mask-not-wanted"
    title = "Only inpainting takes a mask"


class Observer(Protocol):
    """Somebody who looks over the shoulder of live answers."""

    def answered(self, look: "Look", prediction_id: str) -> None:
        """This was paid for and remembered. Returns at once: the caller's answer goes out behind it."""


@dataclass(frozen=True, slots=True)
class Road:
    """The parts that looking needs."""

    database: Database
    storage: Storage
    catalog: Catalog
    eye: Engine
    cache: AnswerCache
    prices: Prices
    clock: Clock
    metrics: Metrics
    observer: Observer | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """An ask whose picture's header was read and whose version was found: refused before any money or file moves."""

    ask: Ask
    serving: Serving
    picture: Opened
    sha256: str
    key: str
    owner_id: str

    @property
    def header(self) -> Header:
        return self.picture.header

    @property
    def thresholds(self) -> dict[str, float]:
        """The model's own, unless the very question of an earlier day is asked again."""
        return self.serving.model.thresholds if self.ask.thresholds is None else self.ask.thresholds


@dataclass(frozen=True, slots=True)
class Look:
    """A picture that was looked at: the answer as it will be kept, and the files that belong to it."""

    question: Question
    result: dict[str, Any]
    label: str | None
    score: float | None
    timing: dict[str, float]
    cached: bool
    annotated: Kept | None = None
    heat_map: Kept | None = None
    output: Kept | None = None

    @property
    def files(self) -> list[Kept]:
        return [kept for kept in (self.annotated, self.heat_map, self.output) if kept]


async def question_of(road: Road, ask: Ask, *, owner_id: str = "") -> Question:
    picture = Opened(ask.picture)
    serving = await road.catalog.serving(ask.model, ask.version)
    if ask.mask is not None and serving.package.task != "inpaint":
        raise MaskNotWanted(f"{serving.model.name} does {serving.package.task}, which takes no mask")
    if ask.kit is not None and serving.package.task not in TASKS:
        raise CannotCompare(f"{serving.model.name} does {serving.package.task}")
    # A hash of 20 MiB takes 15 ms, of a usual picture 0.1: only the former would hold up the others.
    sha256 = await asyncio.to_thread(ask.picture_sha256) if len(ask.picture) > 1 << 20 else ask.picture_sha256()
    key = cache_key(
        owner_id, serving.version.id, serving.model.changes, sha256, ask.parameters, task=serving.package.task
    )
    return Question(ask, serving, picture, sha256, key, owner_id)


async def known_answer(road: Road, question: Question) -> Look | None:
    """The answer that was given before to the same question, if it may be used."""
    started = time.perf_counter()
    ask = question.ask
    if not ask.use_cache or ask.parameters.explain or question.serving.package.task == "inpaint":
        return None
    told = await road.cache.get(question.key)
    if told is None:
        return None
    timing = {**_no_time(), "total": round((time.perf_counter() - started) * 1000, 3)}
    return Look(question, told["result"], told["label"], told["score"], timing, cached=True)


async def see(road: Road, question: Question, *, deadline: float | None = None) -> Seen:
    """Ask the eye. `deadline` is a time of `time.monotonic()`."""
    ask, serving = question.ask, question.serving
    mask = None
    if ask.mask is not None:
        width, height = question.header.width, question.header.height
        # What a film shows may leave it: a frame without anything to fill stays as it is.
        mask = await asyncio.to_thread(
            clean_mask, ask.mask, width=width, height=height, may_be_empty=ask.frame is not None
        )
    return await road.eye.predict(
        serving.package,
        question.picture,
        mask,
        asked=ask.parameters.asked(question.thresholds),
        deadline=deadline,
        work="job" if ask.source == "job" else "live",
        who=question.owner_id,
    )


async def look_of(road: Road, question: Question, seen: Seen) -> Look:
    """The answer as it will be kept, with the pictures that only the eye can give, which are written already."""
    top, frame = seen.result.top(), question.ask.frame
    look = Look(
        question,
        seen.result.as_json() | ({} if frame is None else {"frame": asdict(frame)}),
        top.label if top else None,
        round(top.score, 6) if top else None,
        seen.timing.as_json(),
        cached=False,
    )
    _observe(road.metrics, look)
    if seen.heat_map is not None:
        look = await _with_heat_map(road, look, seen.heat_map)
    if isinstance(seen.result, Picture):
        return await _with_output(road, look, seen.result)
    return look


async def drawn(road: Road, look: Look) -> Look:
    """With the answer drawn on the picture, where that was asked for; it counts when somebody remembers it."""
    if not look.question.ask.parameters.annotate or look.output is not None:
        return look
    marked = await asyncio.to_thread(draw_answer, look.question.ask.picture, look.result)
    return replace(look, annotated=await _keep(road, look, marked, kind="annotated", suffix="annotated"))


async def offer_to_cache(road: Road, look: Look) -> None:
    """After it was paid for."""
    if look.cached or look.output is not None or look.question.ask.parameters.explain is not None:
        return
    await road.cache.put(look.question.key, {"result": look.result, "label": look.label, "score": look.score})


def tell_observer(road: Road, look: Look, prediction_id: str) -> None:
    """An answer that was given does not fail for what is done beside it."""
    if road.observer is None:
        return
    try:
        road.observer.answered(look, prediction_id)
    except Exception:  # noqa: BLE001 it is in the log; the caller has paid for an answer
        _log.exception("an observer failed")


def receipt_of(question: Question) -> dict[str, Any]:
    """What made the answer, so that it can be made again."""
    return {
        "weights_sha256": question.serving.version.manifest["sha256"],
        "package": question.serving.package.key,
        "picture_sha256": question.sha256,
        "mask_sha256": question.ask.mask_sha256(),
        "thresholds": question.thresholds,
        "runtime": RUNTIME,
    }


def note_outcome(road: Road, question: Question, outcome: str) -> None:
    version = question.serving.version.label
    road.metrics.predictions.labels(question.serving.model.name, version, question.ask.source, outcome).inc()


async def keep_original(road: Road, question: Question, at: datetime) -> Kept:
    header = question.header
    return await keep_file(
        road.storage,
        question.ask.picture,
        kind="original",
        at=at,
        filename=question.ask.filename,
        mime_type=header.mime_type,
        extension=header.extension,
        size=(header.width, header.height),
        sha256=question.sha256,
    )


async def _with_heat_map(road: Road, look: Look, heat_map: HeatMap) -> Look:
    explain = look.question.ask.parameters.explain
    assert explain is not None, "only asked-for heat maps are made"
    shaded = await asyncio.to_thread(_overlaid, look.question.ask.picture, heat_map, explain)
    look = replace(look, heat_map=await _keep(road, look, shaded, kind="heat_map", suffix="heat-map"))
    told = {"label": heat_map.label, "class_id": heat_map.class_id, "method": heat_map.method}
    return replace(look, result={**look.result, "heat_map": told})


async def _with_output(road: Road, look: Look, picture: Result) -> Look:
    assert isinstance(picture, Picture)
    painted = await asyncio.to_thread(encode_png, picture.pixels)
    return replace(look, output=await _keep(road, look, painted, kind="output", suffix="inpainted", extension="png"))


def _overlaid(data: bytes, heat_map: HeatMap, explain: Explaining) -> bytes:
    shaded = overlay(decode(data).pixels, heat_map, opacity=explain.opacity, ramp=explain.ramp)
    return encode_jpeg(shaded)


def _keep(road: Road, look: Look, data: bytes, *, kind: Any, suffix: str, extension: str = "jpg") -> Awaitable[Kept]:
    header = look.question.header
    stem = look.question.ask.filename.rsplit(".", 1)[0]
    return keep_file(
        road.storage,
        data,
        kind=kind,
        at=road.clock.now(),
        filename=f"{stem}-{suffix}.{extension}",
        mime_type="image/png" if extension == "png" else "image/jpeg",
        extension=extension,
        size=(header.width, header.height),
    )


def _observe(metrics: Metrics, look: Look) -> None:
    for stage in ("decode", "queue", "model", "total"):
        metrics.stage_seconds.labels(stage).observe(look.timing[stage] / 1000)


def _no_time() -> dict[str, float]:
    return {"decode": 0.0, "queue": 0.0, "model": 0.0, "total": 0.0}
