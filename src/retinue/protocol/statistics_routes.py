"""How often each loaded model was asked in this process and where the time went, in the protocol's words."""

import time
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter
from pydantic import BaseModel

from retinue.accounts.access import Identity, may
from retinue.base.clock import Clock
from retinue.base.database import Database, Transaction
from retinue.base.parts import part
from retinue.catalog.serving import model_named, version_numbered
from retinue.catalog.tables import Model, Version
from retinue.vision.engine import Engine

routes = APIRouter(prefix="/v2/models", tags=["protocol"])
Asker = Annotated[Identity, may("predict")]
Db = Annotated[Database, part(Database)]
Eye = Annotated[Engine, part(Engine)]
Now = Annotated[Clock, part(Clock)]


class Duration(BaseModel):
    count: int
    ns: int


class InferenceStats(BaseModel):
    success: Duration
    fail: Duration
    queue: Duration
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration


class ModelStats(BaseModel):
    name: str
    version: str
    last_inference: int
    inference_count: int
    execution_count: int
    inference_stats: InferenceStats


class Statistics(BaseModel):
    model_stats: list[ModelStats]


@routes.get("/stats")
async def get_statistics(db: Db, eye: Eye, clock: Now, _: Asker) -> Statistics:
    """Of every model that is loaded in this process, since it was."""
    return _told(await db.read(_every_version), eye, clock)


@routes.get("/{name}/stats")
async def get_model_statistics(name: str, db: Db, eye: Eye, clock: Now, _: Asker) -> Statistics:
    def find(now: Transaction) -> list[Any]:
        model = model_named(now, name)
        return [row for row in _every_version(now) if row.name == model.name]

    return _told(await db.read(find), eye, clock)


@routes.get("/{name}/versions/{version}/stats")
async def get_version_statistics(name: str, version: str, db: Db, eye: Eye, clock: Now, _: Asker) -> Statistics:
    def find(now: Transaction) -> list[Any]:
        wanted = version_numbered(now, model_named(now, name), version)
        return [row for row in _every_version(now) if (row.name, row.number) == (name, wanted.number)]

    return _told(await db.read(find), eye, clock)


def _every_version(now: Transaction) -> list[Any]:
    both = sa.select(Model.name, Version.number, Version.package_key).join(Version, Version.model_id == Model.id)
    return list(now.rows(both.order_by(Model.name, Version.number)))


def _told(rows: list[Any], eye: Engine, clock: Clock) -> Statistics:
    loaded = {one["key"]: one for one in eye.state()["models"]}
    now_ms = int(clock.now().timestamp() * 1000)
    return Statistics(
        model_stats=[_stats(row, loaded[row.package_key], now_ms=now_ms) for row in rows if row.package_key in loaded]
    )


def _stats(row: Any, state: dict[str, Any], *, now_ms: int) -> ModelStats:
    """Reading an answer counts as the model's time, so compute_output has none of its own."""
    spent, done, failed = state["spent_ms"], state["done"], state["failed"]
    idle_ms = int((time.monotonic() - state["last_used"]) * 1000)
    return ModelStats(
        name=row.name,
        version=str(row.number),
        last_inference=now_ms - idle_ms if done + failed else 0,
        inference_count=done,
        execution_count=sum(state["batch_sizes"].values()),
        inference_stats=InferenceStats(
            success=_duration(spent["count"], spent["total"]),
            fail=_duration(failed, 0.0),
            queue=_duration(spent["count"], spent["queue"]),
            compute_input=_duration(spent["count"], spent["decode"]),
            compute_infer=_duration(spent["count"], spent["model"]),
            compute_output=_duration(spent["count"], 0.0),
        ),
    )


def _duration(count: int, ms: float) -> Duration:
    return Duration(count=count, ns=int(ms * 1e6))
