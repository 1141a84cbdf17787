"""How a version does: its traffic and times, how often people found it right, and whether more often than another."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from retinue.accounts.access import Identity, may
from retinue.base.database import Database, Transaction
from retinue.base.parts import part
from retinue.catalog.serving import model_named, version_numbered
from retinue.feedback.accuracy import Accuracy, accuracy_of
from retinue.feedback.comparing import Comparison, compare
from retinue.predictions.measuring import Stats, stats_of

routes = APIRouter(prefix="/api/v1/models", tags=["models"])
Reader = Annotated[Identity, may("predictions:read")]
Db = Annotated[Database, part(Database)]


Number = Annotated[str, Query(min_length=1, max_length=20, description="Number of a version.")]


class AccuracyShown(BaseModel):
    """Counted in pictures."""

    judged: int
    right: int
    accuracy: float | None
    accuracy_low: float | None = Field(description="lower end of the 95 % interval (Wilson)")
    accuracy_high: float | None


class JudgedStats(Stats, AccuracyShown):
    """Accuracy is of all time: the latest verdict on each picture."""


class VersionCompared(AccuracyShown):
    version: str
    only_this: int = Field(description="pictures that only this version was right on")


class Compared(BaseModel):
    """On the pictures that both were judged on."""

    model: str
    pictures: int
    both_right: int
    both_wrong: int
    a: VersionCompared
    b: VersionCompared
    chance: float = Field(
        description="how likely so large a difference is between equally good versions (McNemar's exact test)"
    )


@routes.get("/{name}/versions/{version}/stats")
async def get_version_stats(name: str, version: str, db: Db, _: Reader) -> JudgedStats:
    """Traffic and latency of one version over the last seven days, and its accuracy as far as it was judged."""

    def find(now: Transaction) -> JudgedStats:
        model = model_named(now, name)
        row = version_numbered(now, model, version)
        return judged(stats_of(now, model, row), accuracy_of(now, row.id))

    return await db.read(find)


@routes.get("/{name}/versions/compare")
async def compare_versions(name: str, db: Db, _: Reader, *, a: Number, b: Number) -> Compared:
    """Two versions on the same pictures, as far as people told what is right there."""

    def find(now: Transaction) -> Comparison:
        model = model_named(now, name)
        return compare(now, model, version_numbered(now, model, a), version_numbered(now, model, b))

    found = await db.read(find)
    return Compared(
        model=name,
        pictures=found.pictures,
        both_right=found.both,
        both_wrong=found.neither,
        a=VersionCompared(version=a, only_this=found.only_a, **_shown(found.a)),
        b=VersionCompared(version=b, only_this=found.only_b, **_shown(found.b)),
        chance=found.chance,
    )


def judged(stats: Stats, accuracy: Accuracy) -> JudgedStats:
    return JudgedStats(**dict(stats), **_shown(accuracy))


def _shown(accuracy: Accuracy) -> dict[str, Any]:
    low, high = accuracy.interval or (None, None)
    return {
        "judged": accuracy.judged,
        "right": accuracy.right,
        "accuracy": accuracy.share,
        "accuracy_low": low,
        "accuracy_high": high,
    }
