"""Two versions on the same pictures: which was right where the other was not.

A version's answer is judged by what was said of it, or else by what is known of the picture since somebody judged
another version's answer to the same question.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Any

import sqlalchemy as sa

from retinue.base.database import Transaction
from retinue.catalog.tables import Model, Version
from retinue.feedback.accuracy import Accuracy
from retinue.feedback.matching import Saying, Thing, is_same, saying_of
from retinue.feedback.tables import ShadowLook, Verdict
from retinue.predictions.tables import Prediction

MOST_VERDICTS = 10_000  # the latest ones; each brings its answer's JSON into memory


@dataclass(frozen=True, slots=True)
class Comparison:
    """Counts of pictures that both were judged on."""

    both: int
    only_a: int
    only_b: int
    neither: int

    @property
    def pictures(self) -> int:
        return self.both + self.only_a + self.only_b + self.neither

    @property
    def a(self) -> Accuracy:
        return Accuracy(self.both + self.only_a, self.pictures)

    @property
    def b(self) -> Accuracy:
        return Accuracy(self.both + self.only_b, self.pictures)

    @property
    def chance(self) -> float:
        """How likely so large a difference is between two that are equally good (McNemar's exact test)."""
        differing = self.only_a + self.only_b
        ways = tail = 1  # in which none of them, or as many as the fewer, fall to one side
        for count in range(min(self.only_a, self.only_b)):
            ways = ways * (differing - count) // (count + 1)
            tail += ways
        return min(1.0, round(float(Fraction(2 * tail, 2**differing)), 6))


@dataclass(frozen=True, slots=True)
class Known:
    """What a verdict tells of a picture: what it is, or only what it is not."""

    it_is: Saying | None
    it_is_not: Saying | None = None

    def judges(self, answer: Saying) -> bool | None:
        """None: nobody can tell."""
        if self.it_is is not None:
            return is_same(self.it_is, answer)
        return False if self.it_is_not is not None and is_same(self.it_is_not, answer) else None


def known_from(verdict: Verdict, task: str, result: Mapping[str, Any]) -> Known:
    """`result` is what was judged; empty where its owner deleted it."""
    answered = saying_of(task, result) if result else None
    if verdict.correct:
        return Known(answered)
    if verdict.boxes is not None:
        return Known(Saying(things=[Thing(one["label"], tuple(one["box"])) for one in verdict.boxes]))
    if verdict.label is not None and task == "classify":
        return Known(Saying(verdict.label))
    return Known(None, answered)


def compare(now: Transaction, model: Model, a: Version, b: Version) -> Comparison:
    said = _said(now, model)
    # Of inpainted pictures only what was said of them is known: there are no two that are the same.
    answers = {} if model.task == "inpaint" else _answers(now, model.task, said, [a.id, b.id])
    by_picture: dict[str, list[_Said]] = defaultdict(list)
    for one in said:
        by_picture[one.verdict.picture_sha256].append(one)
    counts: Counter[tuple[bool, bool]] = Counter()
    for of_picture in by_picture.values():
        was_right = [_was_right(version.id, of_picture, answers, model.task) for version in (a, b)]
        if None not in was_right:
            counts[bool(was_right[0]), bool(was_right[1])] += 1
    return Comparison(counts[True, True], counts[True, False], counts[False, True], counts[False, False])


Question = tuple[str, Any, Any, Any]
Answers = Mapping[tuple[str, Question], Saying]
"""By version and question the latest answer."""


@dataclass(frozen=True, slots=True)
class _Said:
    """The latest verdict on a prediction, and what was asked and answered there."""

    verdict: Verdict
    question: Question
    result: Mapping[str, Any]


def _was_right(version_id: str, said: Sequence[_Said], answers: Answers, task: str) -> bool | None:
    """`said` is all about one picture, the latest first."""
    for one in said:
        if one.verdict.version_id == version_id:
            return one.verdict.correct
    for one in said:
        answer = answers.get((version_id, one.question))
        told = None if answer is None else known_from(one.verdict, task, one.result).judges(answer)
        if told is not None:
            return told
    return None


def _said(now: Transaction, model: Model) -> list[_Said]:
    versions = sa.select(Version.id).where(Version.model_id == model.id)
    latest = sa.select(Verdict).where(Verdict.version_id.in_(versions))
    found: dict[str, Verdict] = {}
    for verdict in now.all(latest.order_by(Verdict.updated_at.desc(), Verdict.id.desc()).limit(MOST_VERDICTS)):
        found.setdefault(verdict.prediction_id, verdict)
    asked = {row.id: row for some in _portions(found) for row in now.rows(_ROWS.where(Prediction.id.in_(some)))}
    return [_Said(one, _question(asked[of]), asked[of].result) for of, one in found.items()]


def _answers(now: Transaction, task: str, said: Sequence[_Said], versions: Sequence[str]) -> Answers:
    """What the versions answered to the questions of which something is known: as shadows, or for somebody."""
    found: dict[tuple[str, Question], Saying] = {}
    asked = {one.verdict.prediction_id: one.question for one in said}
    for some in _portions(asked):
        beside = sa.select(ShadowLook.version_id, ShadowLook.prediction_id, ShadowLook.result)
        of_both = beside.where(ShadowLook.prediction_id.in_(some), ShadowLook.version_id.in_(versions))
        found |= {(row.version_id, asked[row.prediction_id]): saying_of(task, row.result) for row in now.rows(of_both)}
    images = {one.question[0] for one in said}
    # Not by the version's index: a version has a million predictions, a picture a few.
    of_versions = Prediction.version_id.concat("").in_(versions)
    for some in _portions(images):
        rows = now.rows(_ROWS.where(Prediction.image_id.in_(some), of_versions, Prediction.deleted_at.is_(None)))
        found |= {
            (row.version_id, _question(row)): saying_of(task, row.result)
            for row in sorted(rows, key=lambda row: row.id)
            if row.result  # bare arrays have none
        }
    return found


_ROWS = sa.select(Prediction.id, Prediction.version_id, Prediction.image_id, Prediction.result, Prediction.parameters)


def _question(row: sa.Row[Any]) -> Question:
    """What an answer depends on: an object that one floor lets through is no mistake under another."""
    frame = (row.result.get("frame") or {}).get("number")
    return row.image_id, frame, row.parameters.get("confidence"), row.parameters.get("iou")


def _portions(ids: Iterable[str]) -> Iterator[list[str]]:
    """As many as one statement takes on both databases."""
    rest = iter(ids)
    while some := list(islice(rest, 500)):
        yield some
