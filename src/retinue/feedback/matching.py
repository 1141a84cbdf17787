"""When two answers about a picture say the same, and how far apart they are when they do not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from retinue.vision.results import Box, overlap

OVERLAP = 0.5  # of two boxes that mean the same thing, as in mAP@0.5
KINDS = {"detect": "detections", "segment": "masks"}


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that is in the picture. The box is left, top, width, height in pixels."""

    label: str
    box: Box
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Saying:
    """What an answer comes down to: a class and how the scores are spread, or things and where they are."""

    label: str | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    things: Sequence[Thing] | None = None


def saying_of(task: str, result: Mapping[str, Any]) -> Saying:
    """What a prediction's result comes down to."""
    if task in KINDS:
        return Saying(things=[Thing(one["label"], tuple(one["box"]), one["score"]) for one in result[KINDS[task]]])
    scores = {one["label"]: one["score"] for one in result["classes"]}
    return Saying(next(iter(scores), None), scores)


def is_same(one: Saying, other: Saying) -> bool:
    if one.things is None or other.things is None:
        return one.label == other.label
    return not any(_unmatched(one.things, other.things))


def strength(one: Saying, other: Saying) -> float:
    """0 where both say the same; up to 1 where both are sure of different things."""
    if is_same(one, other):
        return 0.0
    if one.things is None or other.things is None:
        labels = {*one.scores, *other.scores}
        return min(1.0, sum(abs(one.scores.get(label, 0) - other.scores.get(label, 0)) for label in labels) / 2)
    alone = sum(thing.score for side in _unmatched(one.things, other.things) for thing in side)
    every = sum(thing.score for thing in (*one.things, *other.things))
    return alone / every if every else 0.0  # neither is sure of anything at all


def _unmatched(one: Sequence[Thing], other: Sequence[Thing]) -> tuple[list[Thing], list[Thing]]:
    """What only one of them names. The surest choose first, each the nearest of its label."""
    left = sorted(other, key=lambda thing: -thing.score)
    alone = []
    for thing in sorted(one, key=lambda thing: -thing.score):
        like = [twin for twin in left if twin.label == thing.label]
        nearest = max(like, key=lambda twin: overlap(thing.box, twin.box), default=None)
        if nearest is None or overlap(thing.box, nearest.box) < OVERLAP:
            alone.append(thing)
        else:
            left.remove(nearest)
    return alone, left
