"""What models and people said of a dataset's pictures, for training on it: the latest answer, and the word over it.

A verdict stands over an answer: what was found right is as it was answered, what was corrected is as it was corrected,
and what was only called wrong is marked with nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson
import sqlalchemy as sa

from retinue.base.database import Database, Transaction
from retinue.datasets.aside import Sheet
from retinue.datasets.layouts import Data, Mark
from retinue.datasets.tables import Item
from retinue.feedback.comparing import known_from
from retinue.feedback.matching import KINDS, Saying, Thing
from retinue.feedback.tables import Verdict
from retinue.predictions.tables import Prediction
from retinue.vision.results import Masks, result_from_json

Source = Literal["predictions", "feedback"]
SOURCES: tuple[Source, ...] = ("predictions", "feedback")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose answers: one model's, one version's, or the latest of any."""

    sources: frozenset[Source]
    model: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """More for an export: the marks of a page of items at a time, and at the end a line for each that had any.

    Masks stay out of the lines: they are large, and COCO has them.
    """

    database: Database
    owner_id: str
    wanted: Wanted
    lines: Sheet

    async def marks(self, items: Sequence[Item]) -> Mapping[str, Sequence[Mark]]:
        pictures = [item for item in items if item.frames is None]
        answers, verdicts = await self.database.read(lambda now: self._read(now, [one.image_id for one in pictures]))
        known: dict[str, Sequence[Mark]] = {}
        for item in pictures:
            answer, judged = answers.get(item.image_id), verdicts.get(item.image_id)
            if judged is not None:
                known[item.id] = _marks_judged(*judged, item)
            elif answer is not None:
                known[item.id] = _marks_answered(answer, item)
            if judged is not None or answer is not None:
                self.lines.write(_line(item, answer, judged))
        return known

    def files(self) -> Iterator[tuple[str, Data]]:
        yield "answers.jsonl", self.lines.pieces()

    def _read(
        self, now: Transaction, images: Sequence[str]
    ) -> tuple[dict[str, Prediction], dict[str, tuple[Verdict, Prediction]]]:
        """By picture the latest answer, and the latest verdict with the answer it is about.

        Only these are read whole: a picture may have been asked about a thousand times, with masks each time.
        """
        of_these = (
            Prediction.image_id.in_(images),
            Prediction.user_id == self.owner_id,
            Prediction.task != "inpaint",
            Prediction.deleted_at.is_(None),
            *([] if self.wanted.model is None else [Prediction.model == self.wanted.model]),
            *([] if self.wanted.version is None else [Prediction.model_version == self.wanted.version]),
        )
        answers: dict[str, Prediction] = {}
        if "predictions" in self.wanted.sources:
            latest = sa.select(sa.func.max(Prediction.id)).where(*of_these).group_by(Prediction.image_id)
            found = now.all(sa.select(Prediction).where(Prediction.id.in_(latest)))
            answers = {row.image_id: row for row in found}
        if "feedback" not in self.wanted.sources:
            return answers, {}
        return answers, _judged(now, of_these)


def _judged(now: Transaction, of_these: Sequence[sa.ColumnElement[bool]]) -> dict[str, tuple[Verdict, Prediction]]:
    said = (
        sa.select(Verdict.id, Verdict.prediction_id, Prediction.image_id)
        .join(Prediction, Prediction.id == Verdict.prediction_id)
        .where(*of_these, Prediction.feedback.is_not(None))
        .order_by(Verdict.updated_at, Verdict.id)
    )
    latest = {row.image_id: row for row in now.rows(said)}
    verdict_ids, ids = [row.id for row in latest.values()], [row.prediction_id for row in latest.values()]
    verdicts = {one.id: one for one in now.all(sa.select(Verdict).where(Verdict.id.in_(verdict_ids)))}
    about = {one.id: one for one in now.all(sa.select(Prediction).where(Prediction.id.in_(ids)))}
    return {image_id: (verdicts[row.id], about[row.prediction_id]) for image_id, row in latest.items()}


def _marks_judged(verdict: Verdict, judged: Prediction, item: Item) -> Sequence[Mark]:
    if verdict.correct:
        return _marks_answered(judged, item)
    it_is = known_from(verdict, judged.task, judged.result).it_is
    return [] if it_is is None else _marks_said(it_is, item)


def _marks_answered(row: Prediction, item: Item) -> Sequence[Mark]:
    result = result_from_json(row.result)
    if isinstance(result, Masks):
        return [
            Mark(one.label, _whole(one.box), int(one.as_array().sum()), (one.size, one.counts)) for one in result.items
        ]
    if row.task in KINDS:
        return _marks_said(
            Saying(things=[Thing(one["label"], one["box"]) for one in row.result[KINDS[row.task]]]), item
        )
    return _marks_said(Saying(row.label), item)


def _marks_said(it_is: Saying, item: Item) -> Sequence[Mark]:
    """A class is a mark over the whole picture."""
    if it_is.things is not None:
        boxes = [(thing.label, _whole(thing.box)) for thing in it_is.things]
    else:
        boxes = [] if it_is.label is None else [(it_is.label, (0, 0, item.width, item.height))]
    return [Mark(label, box, box[2] * box[3]) for label, box in boxes]


def _whole(box: Sequence[float]) -> tuple[int, int, int, int]:
    left, top, width, height = box
    return round(left), round(top), max(1, round(width)), max(1, round(height))


def _line(item: Item, answer: Prediction | None, judged: tuple[Verdict, Prediction] | None) -> bytes:
    told: dict[str, Any] = {"index": item.index, "path": item.image_path}
    if answer is not None:
        told["prediction"] = _answer_told(answer)
    if judged is not None:
        verdict, of = judged
        said = {name: getattr(verdict, name) for name in ("correct", "label", "boxes", "comment", "updated_at")}
        told["feedback"] = {**said, "of": _answer_told(of)}
    return orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)


def _answer_told(row: Prediction) -> dict[str, Any]:
    things = row.result.get(KINDS.get(row.task, "classes"), [])
    plain = [{name: value for name, value in thing.items() if name != "rle"} for thing in things]
    return {"id": row.id, "model": row.model, "version": row.model_version, "task": row.task, "answer": plain}
