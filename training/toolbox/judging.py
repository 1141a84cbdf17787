"""Runs the exported detector as the server does, and counts how right it is."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from training.toolbox.scene import LABELS, Box, Numbers, Picture, Scene

PAD = 114
NMS_IOU = 0.6
ALARM_WEIGHT = 3.0  # a tool reported on an empty bench is worse than one missed among others
MOST_ALARMS = 0.06  # a picture, when thresholds are chosen: the target is 0.1 on pictures not used for choosing


@dataclass(frozen=True)
class Found:
    """Boxes as left, top, right, bottom in the picture's pixels, the surest first."""

    boxes: Numbers
    scores: Numbers
    labels: npt.NDArray[np.int64]

    def over(self, thresholds: Numbers) -> Found:
        sure = self.scores >= thresholds[self.labels]
        return Found(self.boxes[sure], self.scores[sure], self.labels[sure])


class Eye:
    """The ONNX file on one core: letterbox, network, best label of each anchor, suppression across labels."""

    def __init__(self, weights: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
        self.side: int = self.session.get_inputs()[0].shape[2]

    def look(self, picture: Picture, *, floor: float = 0.01) -> Found:
        numbers, scale, left, top = letterboxed(picture, self.side)
        (answer,) = self.session.run(None, {"images": numbers})
        boxes, scores = answer[0, :4].T, answer[0, 4:].T
        labels = scores.argmax(1)
        best = scores.max(1)
        kept = np.flatnonzero(best > floor)
        half = boxes[kept, 2:] / 2
        corners = np.concatenate((boxes[kept, :2] - half, boxes[kept, :2] + half), 1)
        corners = (corners - np.array([left, top, left, top], np.float32)) / scale
        corners = corners.clip(0, np.array([picture.shape[1], picture.shape[0]] * 2, np.float32))
        order = suppressed(corners, best[kept])
        return Found(corners[order], best[kept][order], labels[kept][order])


def letterboxed(picture: Picture, side: int) -> tuple[Numbers, float, int, int]:
    rows, columns = picture.shape[:2]
    scale = min(side / columns, side / rows)
    width, height = round(columns * scale), round(rows * scale)
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    left, top = round((side - width) / 2 - 0.1), round((side - height) / 2 - 0.1)
    frame = np.full((side, side, 3), PAD, np.uint8)
    frame[top : top + height, left : left + width] = small
    return np.ascontiguousarray(frame.transpose(2, 0, 1)[None], np.float32) / np.float32(255), scale, left, top


def suppressed(boxes: Numbers, scores: Numbers) -> npt.NDArray[np.int64]:
    """One thing has one name: a box also removes what overlaps it under another label."""
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(order) and len(kept) < 100:
        first, order = order[0], order[1:]
        kept.append(int(first))
        order = order[overlaps(boxes[first], boxes[order]) <= NMS_IOU]
    return np.array(kept, np.int64)


def overlaps(box: Numbers, others: Numbers) -> Numbers:
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = (high - low).clip(0).prod(1)
    both = (box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(1) - shared
    return np.asarray(shared / np.maximum(both, 1e-9), np.float32)


@dataclass(frozen=True)
class Seen:
    scene: Scene
    found: Found

    def nameless(self) -> Seen:
        """As if there were one name only: tells tools that were not found from tools under a wrong name."""
        boxes = [replace(box, label=0) for box in self.scene.boxes]
        return Seen(Scene(self.scene.picture, boxes), replace(self.found, labels=np.zeros_like(self.found.labels)))


@dataclass(frozen=True)
class Count:
    """Of one label: tools there, answers given, answers that were right (the right label, overlap of a half)."""

    there: int
    given: int
    right: int

    @property
    def precision(self) -> float:
        return self.right / self.given if self.given else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.there if self.there else 1.0


def average_precision(seen: list[Seen]) -> tuple[float, float, list[float]]:
    """mAP at an overlap of 0.5, mAP over 0.5 to 0.95, and each label's AP at 0.5, as COCO counts them."""
    truth: dict[str, Any] = {"info": {}, "images": [], "annotations": [], "categories": []}
    truth["categories"] = [{"id": number, "name": label} for number, label in enumerate(LABELS)]
    answers = []
    for number, one in enumerate(seen):
        truth["images"].append({"id": number})
        for box in one.scene.boxes:
            own = {"id": len(truth["annotations"]) + 1, "image_id": number, "category_id": box.label, "iscrowd": 0}
            truth["annotations"].append(
                own | {"bbox": [box.x, box.y, box.width, box.height], "area": box.width * box.height}
            )
        for (left, top, right, bottom), score, label in zip(
            one.found.boxes.tolist(), one.found.scores.tolist(), one.found.labels.tolist(), strict=True
        ):
            answers.append(
                {
                    "image_id": number,
                    "category_id": label,
                    "bbox": [left, top, right - left, bottom - top],
                    "score": score,
                }
            )
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        judge = COCOeval(coco, coco.loadRes(answers), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    at_half = judge.eval["precision"][0, :, :, 0, 2].mean(0)
    return float(judge.stats[1]), float(judge.stats[0]), [float(value) for value in at_half]


def matches(boxes: list[Box], found: Found) -> list[int | None]:
    """For each answer, the surest first, the tool it is right about."""
    free = dict(enumerate(boxes))
    result: list[int | None] = []
    for corners, label in zip(found.boxes, found.labels.tolist(), strict=True):
        same = {number: box for number, box in free.items() if box.label == label}
        best, number = 0.5, None
        for candidate, box in same.items():
            edges = np.array([[box.x, box.y, box.x + box.width, box.y + box.height]], np.float32)
            overlap = float(overlaps(corners, edges)[0])
            if overlap >= best:
                best, number = overlap, candidate
        if number is not None:
            del free[number]
        result.append(number)
    return result


def counted(seen: list[Seen], thresholds: Numbers) -> list[Count]:
    there, given, right = np.zeros(len(LABELS), int), np.zeros(len(LABELS), int), np.zeros(len(LABELS), int)
    for one in seen:
        found = one.found.over(thresholds)
        for box in one.scene.boxes:
            there[box.label] += 1
        for label, match in zip(found.labels.tolist(), matches(one.scene.boxes, found), strict=True):
            given[label] += 1
            right[label] += match is not None
    return [Count(*map(int, row)) for row in zip(there, given, right, strict=True)]


def false_alarms(seen: list[Seen], thresholds: Numbers) -> float:
    """Answers per picture where there is nothing to find."""
    return sum(len(one.found.over(thresholds).scores) for one in seen) / max(len(seen), 1)


def best_thresholds(tools: list[Seen], nothing: list[Seen]) -> Numbers:
    """Per label the threshold with the best F1; then the loudest labels are raised until few answers are left where
    there is nothing to find."""
    steps = np.arange(0.2, 0.9, 0.02, dtype=np.float32)
    best = np.full(len(LABELS), 0.5, np.float32)
    table = [counted(tools, np.full(len(LABELS), step, np.float32)) for step in steps]
    for label in range(len(LABELS)):
        quality = []
        for step, counts in zip(steps, table, strict=True):
            alarms = sum(int(((one.found.labels == label) & (one.found.scores >= step)).sum()) for one in nothing)
            count = counts[label]
            quality.append(2 * count.right / max(count.there + count.given + ALARM_WEIGHT * alarms, 1))
        best[label] = steps[int(np.argmax(quality))]
    while false_alarms(nothing, best) > MOST_ALARMS:
        loudest = np.bincount(np.concatenate([one.found.over(best).labels for one in nothing]), minlength=len(LABELS))
        best[int(loudest.argmax())] += steps[1] - steps[0]
    return best.round(2)
