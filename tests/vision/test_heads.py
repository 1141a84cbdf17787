"""Each head against a decoder written apart from it, on random tensors; and what every answer promises."""

import time
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco

from retinue.vision.asking import Asked
from retinue.vision.errors import ModelFailed
from retinue.vision.geometry import Fit
from retinue.vision.heads import HEADS
from retinue.vision.heads.run_length import pixels_of, run_lengths
from retinue.vision.package import Manifest
from retinue.vision.results import Classes, Detections, Masks, Picture

WHOLE = Fit(640, 480, 320, 240, 0.5, 0.5)
LETTERBOX = Fit(800, 400, 640, 640, 0.8, 0.8, 0, 160)
PLAIN = Asked()
LABELS = ("cat", "dog", "fish", "bird")


def manifest(head: str, labels: tuple[str, ...] = LABELS, **more: Any) -> Manifest:
    tasks = {"classify": "classify", "semantic": "segment", "yolo-segment": "segment", "inpaint": "inpaint"}
    return Manifest(name="m", task=tasks.get(head, "detect"), head=head, labels=labels, **more)


def read(told: Manifest, *arrays: np.ndarray, fit: Fit = WHOLE, asked: Asked = PLAIN, names: str = "") -> Any:
    keys = names.split() or [f"out{i}" for i in range(len(arrays))]
    return HEADS[told.head].read(dict(zip(keys, arrays, strict=True)), fit, told, asked)


class TestClassify:
    LOGITS = np.random.default_rng(1).normal(0, 3, 4).astype(np.float32)

    def test_by_default_gives_chances_that_add_up_to_one(self) -> None:
        result = read(manifest("classify"), self.LOGITS)
        assert isinstance(result, Classes)
        exact = np.exp(self.LOGITS.astype(float)) / np.exp(self.LOGITS.astype(float)).sum()
        assert [item.score for item in result.items] == pytest.approx(sorted(exact, reverse=True), rel=1e-5)
        assert result.items[0].label == LABELS[int(exact.argmax())]

    def test_may_score_each_class_for_itself(self) -> None:
        told = manifest("classify", head_parameters={"activation": "sigmoid"})
        exact = 1 / (1 + np.exp(-self.LOGITS.astype(float)))
        assert [i.score for i in read(told, self.LOGITS).items] == pytest.approx(sorted(exact, reverse=True), rel=1e-5)

    def test_leaves_chances_alone(self) -> None:
        told = manifest("classify", head_parameters={"activation": "none"})
        result = read(told, np.array([0.1, 0.6, 0.1, 0.2], np.float32))
        assert [(i.label, round(i.score, 3)) for i in result.items[:2]] == [("dog", 0.6), ("bird", 0.2)]

    def test_is_cut_by_top_k_and_never_by_confidence(self) -> None:
        result = read(manifest("classify"), self.LOGITS, asked=Asked(confidence=0.99, top_k=3))
        assert len(result.items) == 3

    def test_survives_huge_logits(self) -> None:
        result = read(manifest("classify"), np.array([9e37, -9e37, 0, 0], np.float32))
        assert result.items[0].score == 1

    def test_takes_halves_and_trailing_dimensions(self) -> None:
        result = read(manifest("classify"), self.LOGITS.astype(np.float16).reshape(4, 1, 1))
        assert result.items[0].class_id == int(self.LOGITS.argmax())

    def test_shows_a_class_without_a_name_by_its_number(self) -> None:
        assert read(manifest("classify", labels=()), np.array([0, 5], np.float32)).items[0].label == "1"


def plain_nms(boxes: np.ndarray, scores: np.ndarray, groups: np.ndarray, iou: float) -> list[int]:
    """Box by box, in words: keep the best, drop what overlaps it more than allowed."""
    kept: list[int] = []
    for i in sorted(range(len(scores)), key=lambda i: (-scores[i], i)):
        if all(groups[i] != groups[k] or plain_iou(boxes[i], boxes[k]) <= iou for k in kept):
            kept.append(i)
    return kept


def plain_iou(one: np.ndarray, other: np.ndarray) -> float:
    across = max(min(one[2], other[2]) - max(one[0], other[0]), 0)
    down = max(min(one[3], other[3]) - max(one[1], other[1]), 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return across * down / (sum(areas) - across * down)


def random_anchors(seed: int, count: int, classes: int, *, side: float = 640) -> tuple[np.ndarray, np.ndarray]:
    """Centre boxes in clusters, so that many overlap, and class scores."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0.2 * side, 0.8 * side, (max(count // 8, 1), 2))
    places = centres[rng.integers(len(centres), size=count)] + rng.normal(0, side / 60, (count, 2))
    sizes = rng.uniform(side / 20, side / 5, (count, 2))
    return np.concatenate([places, sizes], 1).astype(np.float32), rng.random((count, classes)).astype(np.float32) ** 2


def plain_detections(
    boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray, kept: list[int], fit: Fit
) -> list[tuple[int, float, list[float]]]:
    told = []
    for i in kept:
        x0, y0, x1, y1 = boxes[i]
        xs = [min(max((x - fit.offset_x) / fit.scale_x, 0), fit.width) for x in (x0, x1)]
        ys = [min(max((y - fit.offset_y) / fit.scale_y, 0), fit.height) for y in (y0, y1)]
        told.append((int(classes[i]), float(scores[i]), [xs[0], ys[0], xs[1] - xs[0], ys[1] - ys[0]]))
    return told


def assert_same(result: Detections, expected: list[tuple[int, float, list[float]]]) -> None:
    assert len(expected) > 3
    assert [item.class_id for item in result.items] == [one[0] for one in expected]
    assert [item.score for item in result.items] == pytest.approx([one[1] for one in expected], rel=1e-5)
    boxes = np.array([item.box for item in result.items])
    assert np.abs(boxes - np.array([one[2] for one in expected])).max() < 1e-2


def plain_corners(boxes: np.ndarray) -> np.ndarray:
    return np.array([[x - w / 2, y - h / 2, x + w / 2, y + h / 2] for x, y, w, h in boxes.astype(float)])


class TestYoloRaw:
    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize("agnostic", [False, True])
    def test_of_v8_equals_the_plain_decoder(self, seed: int, agnostic: bool) -> None:
        boxes, scores = random_anchors(seed, 300, 4)
        told = manifest("yolo-raw", head_parameters={"agnostic": agnostic, "iou": 0.5})
        result = read(told, np.concatenate([boxes, scores], 1).T.copy(), fit=LETTERBOX)
        best, classes = scores.max(1), scores.argmax(1)
        sure = np.flatnonzero(best >= 0.5)
        groups = np.zeros(len(sure)) if agnostic else classes[sure]
        kept = [int(sure[i]) for i in plain_nms(plain_corners(boxes)[sure], best[sure], groups, 0.5)]
        assert_same(result, plain_detections(plain_corners(boxes), best, classes, kept, LETTERBOX))

    @pytest.mark.parametrize("seed", range(4))
    def test_of_v5_multiplies_with_objectness(self, seed: int) -> None:
        boxes, scores = random_anchors(seed, 300, 4)
        objectness = np.random.default_rng(seed).uniform(0.5, 1, (300, 1)).astype(np.float32)
        told = manifest("yolo-raw", head_parameters={"layout": "v5"})
        result = read(told, np.concatenate([boxes, objectness, scores], 1), asked=Asked(confidence=0.25, iou=0.45))
        best, classes = (scores * objectness).max(1), scores.argmax(1)
        sure = np.flatnonzero(best >= 0.25)
        kept = [int(sure[i]) for i in plain_nms(plain_corners(boxes)[sure], best[sure], classes[sure], 0.45)]
        assert_same(result, plain_detections(plain_corners(boxes), best, classes, kept, WHOLE))

    def test_of_many_candidates_equals_the_plain_decoder(self) -> None:
        """More than are looked at in one go, and fewer of them than may be kept."""
        rng = np.random.default_rng(21)
        places = rng.integers(0, 12, (6000, 2)) * 50 + 40 + rng.normal(0, 1.5, (6000, 2))
        boxes = np.concatenate([places, rng.uniform(28, 32, (6000, 2))], 1).astype(np.float32)
        scores = rng.uniform(0.6, 1, (6000, 1)).astype(np.float32)
        told = manifest("yolo-raw", labels=("cat",), head_parameters={"iou": 0.5})
        result = read(told, np.concatenate([boxes, scores], 1).T)
        kept = plain_nms(plain_corners(boxes), scores[:, 0], np.zeros(6000), 0.5)
        assert 100 < len(kept) < 300
        assert_same(result, plain_detections(plain_corners(boxes), scores[:, 0], np.zeros(6000), kept, WHOLE))

    def test_may_tell_boxes_in_parts_of_the_frame(self) -> None:
        told = manifest("yolo-raw", labels=("cat",), head_parameters={"normalised": True})
        result = read(told, np.array([[0.5], [0.5], [0.25], [0.5], [0.9]], np.float32))
        assert result.items[0].box == pytest.approx((240, 120, 160, 240))

    def test_keeps_no_more_than_asked(self) -> None:
        boxes, scores = random_anchors(7, 500, 4)
        result = read(
            manifest("yolo-raw"), np.concatenate([boxes, scores], 1).T, asked=Asked(confidence=0.01, max_detections=9)
        )
        assert len(result.items) == 9

    def test_of_noise_in_which_everything_is_a_detection_takes_less_than_200_ms(self) -> None:
        rng = np.random.default_rng(58)
        boxes = np.concatenate([rng.uniform(0, 640, (25_200, 2)), rng.uniform(5, 30, (25_200, 2))], 1)
        noise = np.concatenate([boxes, rng.uniform(0.9, 1, (25_200, 80))], 1).T.astype(np.float32)
        told = manifest("yolo-raw", labels=tuple(map(str, range(80))))
        started = time.process_time()
        result = read(told, noise, asked=Asked(confidence=0.001))
        assert time.process_time() - started < 0.2
        assert len(result.items) == 300

    def test_of_another_shape_is_refused(self) -> None:
        with pytest.raises(ModelFailed, match="shape"):
            read(manifest("yolo-raw"), np.zeros((9, 100), np.float32))

    def test_of_nothing_is_no_detection(self) -> None:
        result = read(manifest("yolo-raw"), np.zeros((8, 8400), np.float32))
        assert (result.items, result.unsure, result.top()) == ((), (), None)


class TestThresholds:
    # four boxes far apart: cat 0.55, dog 0.55, fish 0.3, bird 0.2
    SPREAD = np.array(
        [[50, 150, 250, 50], [50, 50, 50, 180], [40] * 4, [40] * 4, *np.diag([0.55, 0.55, 0.3, 0.2])],
        np.float32,
    )

    def test_are_one_half_where_nobody_says_otherwise(self) -> None:
        result = read(manifest("yolo-raw"), self.SPREAD)
        assert [item.label for item in result.items] == ["cat", "dog"]
        assert [item.label for item in result.unsure] == ["fish"]

    def test_of_the_manifest_hold_per_class(self) -> None:
        told = manifest("yolo-raw", thresholds={"cat": 0.8, "bird": 0.1})
        result = read(told, self.SPREAD)
        assert [item.label for item in result.items] == ["dog", "bird"]
        assert [item.label for item in result.unsure] == ["cat", "fish"]

    def test_that_are_asked_for_go_before_those_of_the_manifest(self) -> None:
        told = manifest("yolo-raw", thresholds={"cat": 0.8})
        mine = Asked(thresholds={"cat": 0.5, "bird": 0.2})
        assert [item.label for item in read(told, self.SPREAD, asked=mine).items] == ["cat", "dog", "bird"]

    def test_give_way_to_one_floor_for_all(self) -> None:
        told = manifest("yolo-raw", thresholds={"cat": 0.8, "bird": 0.1})
        result = read(told, self.SPREAD, asked=Asked(confidence=0.25))
        assert [item.label for item in result.items] == ["cat", "dog", "fish"]
        assert [item.label for item in result.unsure] == ["bird"]

    def test_of_one_class_never_hide_another_class(self) -> None:
        """An unsure cat (0.6 under 0.8) lies over a sure dog (0.55): the dog stays."""
        both = np.array([[50, 50], [50, 50], [40, 40], [40, 40], [0.6, 0], [0, 0.55], [0, 0], [0, 0]], np.float32)
        told = manifest("yolo-raw", thresholds={"cat": 0.8}, head_parameters={"agnostic": True})
        result = read(told, both)
        assert [item.label for item in result.items] == ["dog"]
        assert not result.unsure

    def test_take_the_unsure_shadow_of_a_sure_thing_away(self) -> None:
        twice = np.array([[50, 52], [50, 50], [40, 40], [40, 40], [0.9, 0.4], [0, 0], [0, 0], [0, 0]], np.float32)
        result = read(manifest("yolo-raw"), twice)
        assert (len(result.items), len(result.unsure)) == (1, 0)


class TestYoloEndToEnd:
    def test_equals_the_plain_decoder_without_suppression(self) -> None:
        rng = np.random.default_rng(3)
        boxes, scores = random_anchors(3, 40, 4)
        rows = np.concatenate([plain_corners(boxes), scores.max(1)[:, None], scores.argmax(1)[:, None]], 1)
        rng.shuffle(rows)
        result = read(manifest("yolo-end2end"), rows.astype(np.float32), fit=LETTERBOX)
        kept = [int(i) for i in np.argsort(-rows[:, 4], kind="stable") if rows[i, 4] >= 0.5]
        assert_same(result, plain_detections(rows[:, :4], rows[:, 4], rows[:, 5], kept, LETTERBOX))


class TestYoloSegment:
    @pytest.mark.parametrize("layout", ["v8", "end2end"])
    def test_equals_masks_enlarged_whole_and_cut_by_their_boxes(self, layout: str) -> None:
        """Ultralytics' `process_mask_native`: mix, enlarge to the picture, cut, threshold at zero."""
        rng = np.random.default_rng(11)
        boxes, scores = random_anchors(11, 60, 4, side=240)
        weights = rng.normal(0, 1, (60, 8)).astype(np.float32)
        prototypes = np.stack(
            [cv2.GaussianBlur(p, (0, 0), 4) for p in rng.normal(0, 1, (8, 60, 80)).astype(np.float32)]
        )
        best, classes = scores.max(1), scores.argmax(1)
        if layout == "v8":
            rows = np.concatenate([boxes, scores, weights], 1).T
        else:
            rows = np.concatenate([plain_corners(boxes), best[:, None], classes[:, None], weights], 1)
        told = manifest("yolo-segment", head_parameters={"layout": layout})
        result = read(told, rows.astype(np.float32), prototypes)
        assert isinstance(result, Masks)
        sure = np.flatnonzero(best >= 0.5)
        order = plain_nms(plain_corners(boxes)[sure], best[sure], classes[sure], 0.7 if layout == "v8" else 1.1)
        assert [item.class_id for item in result.items] == [int(classes[sure[i]]) for i in order]
        for item, i in zip(result.items, order, strict=True):
            whole = cv2.resize(
                np.tensordot(weights[sure[i]], prototypes, 1), (640, 480), interpolation=cv2.INTER_LINEAR
            )
            x0, y0, x1, y1 = plain_corners(boxes)[sure[i]] * 2
            columns, rows_ = np.arange(640) + 0.5, np.arange(480)[:, None] + 0.5
            truth = (whole > 0) & (columns >= x0) & (columns < x1) & (rows_ >= y0) & (rows_ < y1)
            differing = int((item.as_array() != truth).sum())
            assert differing <= 0.01 * max((x1 - x0) * (y1 - y0), 100)  # samples lie within 1/32 of a cell

    def test_without_prototypes_for_all_weights_is_refused(self) -> None:
        with pytest.raises(ModelFailed):
            read(manifest("yolo-segment"), np.zeros((4 + 4 + 8, 10), np.float32), np.zeros((7, 5, 5), np.float32))


class TestDetr:
    BOXES = np.random.default_rng(5).uniform(0.3, 0.5, (30, 4)).astype(np.float32)

    def test_with_a_class_for_nothing_equals_the_plain_decoder(self) -> None:
        logits = np.random.default_rng(6).normal(0, 4, (30, 5)).astype(np.float32)
        result = read(manifest("detr"), self.BOXES, logits, names="pred_boxes logits", asked=Asked(confidence=0.3))
        chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        best, classes = chances[:, :4].max(1), chances[:, :4].argmax(1)
        kept = [int(i) for i in np.argsort(-best, kind="stable") if best[i] >= 0.3]
        frame = plain_corners(self.BOXES) * [320, 240, 320, 240]
        assert_same(result, plain_detections(frame, best, classes, kept, WHOLE))

    def test_with_sigmoids_lets_a_query_stand_for_two_classes(self) -> None:
        logits = np.random.default_rng(7).normal(0, 2, (30, 4)).astype(np.float32)
        told = manifest("detr", head_parameters={"activation": "sigmoid", "outputs": ["a", "b"]})
        result = read(told, self.BOXES, logits, names="b a", asked=Asked(confidence=0.6))
        chances = 1 / (1 + np.exp(-logits))
        ranked = sorted(((chances[q, c], q, c) for q in range(30) for c in range(4)), key=lambda one: -one[0])[:30]
        ranked = [one for one in ranked if one[0] >= 0.6]
        frame = plain_corners(self.BOXES) * [320, 240, 320, 240]
        scores, queries, classes = (np.array(one) for one in zip(*ranked, strict=True))
        expected = plain_detections(frame[queries], scores, classes, list(range(len(ranked))), WHOLE)
        assert_same(result, expected)
        assert len(set(queries.tolist())) < len(queries)


class TestTorchvisionDetect:
    def test_counts_its_classes_from_one(self) -> None:
        boxes = np.array([[10, 10, 50, 60], [5, 5, 20, 20], [0, 0, 9, 9]], np.float32)
        result = read(
            manifest("torchvision-detect"),
            boxes,
            np.array([2, 1, 0], np.int64),
            np.array([0.8, 0.9, 0.99], np.float32),
            names="boxes labels scores",
        )
        assert [(i.label, round(i.score, 2), i.box) for i in result.items] == [
            ("cat", 0.9, (10, 10, 30, 30)),
            ("dog", 0.8, (20, 20, 80, 100)),
        ]

    def test_finding_nothing_is_an_answer(self) -> None:
        empty = np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.float32)
        assert read(manifest("torchvision-detect"), *empty, names="boxes labels scores").items == ()


class TestSemantic:
    def test_equals_enlarging_all_maps_and_taking_the_best(self) -> None:
        logits = np.random.default_rng(8).normal(0, 1, (4, 30, 40)).astype(np.float32)
        result = read(manifest("semantic"), logits)
        large = np.stack([cv2.resize(one, (640, 480), interpolation=cv2.INTER_LINEAR) for one in logits])
        truth = large.argmax(0)
        assert {item.class_id for item in result.items} == {0, 1, 2, 3}
        for item in result.items:
            assert (item.as_array() != (truth == item.class_id)).mean() < 0.005
        assert sum(item.as_array().astype(int) for item in result.items).max() == 1
        chances = np.exp(logits) / np.exp(logits).sum(0)
        winners = logits.argmax(0)
        means = {c: chances.max(0)[winners == c].mean() for c in range(4)}
        assert {i.class_id: i.score for i in result.items} == pytest.approx(means, rel=1e-5)

    def test_of_class_numbers_is_enlarged_without_mixing(self) -> None:
        numbers = np.zeros((24, 32), np.int64)
        numbers[6:12, 8:20] = 3
        (bird,) = read(manifest("semantic", labels=("background", "cat", "dog", "bird")), numbers).items
        assert (bird.label, bird.box, bird.score) == ("bird", (160.0, 120.0, 240.0, 120.0), 1.0)
        assert bird.as_array().sum() == 240 * 120

    def test_leaves_out_what_a_crop_never_saw(self) -> None:
        cropped = Fit(640, 480, 320, 320, 1, 1, -160, -80)
        (item,) = read(manifest("semantic", labels=("sky",)), np.ones((1, 8, 8), np.float32), fit=cropped).items
        assert item.box == (160.0, 80.0, 320.0, 320.0)


class TestInpaint:
    def test_gives_the_networks_picture_at_the_size_of_the_original(self) -> None:
        ramp = np.linspace(0, 1, 240 * 320, dtype=np.float32).reshape(240, 320)
        result = read(manifest("inpaint", labels=()), np.stack([ramp, ramp, 1 - ramp]))
        assert isinstance(result, Picture)
        assert result.pixels.shape == (480, 640, 3)
        assert np.abs(result.pixels[::2, ::2, 0] - ramp * 255).max() < 2

    def test_understands_bytes_and_tanh(self) -> None:
        for parameters, low, high in (({"top": 255}, 0, 255), ({"bottom": -1}, -1, 1)):
            told = manifest("inpaint", labels=(), head_parameters=parameters)
            picture = np.full((3, 240, 320), low, np.float32)
            picture[1] = high
            assert read(told, picture).pixels[7, 7].tolist() == [0, 255, 0]


class TestEveryHead:
    ANSWERS: ClassVar = {
        "classify": [(4,)],
        "yolo-raw": [(8, 50)],
        "yolo-end2end": [(20, 6)],
        "yolo-segment": [(12, 50), (4, 9, 9)],
        "detr": [(20, 5), (20, 4)],
        "torchvision-detect": [(9, 4), (9,), (9,)],
        "semantic": [(4, 9, 9)],
        "inpaint": [(3, 9, 9)],
    }

    def test_is_listed_here(self) -> None:
        assert set(self.ANSWERS) == set(HEADS)

    @pytest.mark.parametrize("head", ANSWERS)
    @pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
    def test_refuses_values_that_are_no_numbers(self, head: str, poison: float) -> None:
        for place in range(len(self.ANSWERS[head])):
            arrays = [np.random.default_rng(1).random(shape).astype(np.float32) for shape in self.ANSWERS[head]]
            arrays[place].flat[3] = poison
            with pytest.raises(ModelFailed, match="no numbers"):
                read(manifest(head), *arrays)

    @pytest.mark.parametrize("head", ANSWERS)
    def test_refuses_a_missing_output(self, head: str) -> None:
        with pytest.raises(ModelFailed):
            read(manifest(head, head_parameters={"outputs": ["elsewhere"]}), np.zeros((4, 4), np.float32))

    @pytest.mark.parametrize("head", ANSWERS)
    def test_never_breaks_on_an_answer_of_another_shape(self, head: str) -> None:
        """Whatever a network answers, it is read or it is a failure of the model."""
        rng = np.random.default_rng(4)
        for _ in range(60):
            shapes = [tuple(rng.integers(0, 7, rng.integers(0, 4))) for _ in self.ANSWERS[head]]
            arrays = [rng.random(shape).astype(np.float32) for shape in shapes]
            try:
                result = read(manifest(head), *arrays)
            except ModelFailed:
                continue
            assert result.as_json() is not None


class TestRunLengths:
    @pytest.mark.parametrize("seed", range(20))
    def test_equal_those_of_pycocotools(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        rows, columns = (int(one) for one in rng.integers(1, 40, 2))
        height, width = int(rng.integers(1, rows + 1)), int(rng.integers(1, columns + 1))
        y, x = int(rng.integers(0, rows - height + 1)), int(rng.integers(0, columns - width + 1))
        part = rng.random((height, width)) < rng.choice([0, 0.1, 0.5, 0.9, 1])
        whole = np.zeros((rows, columns), np.uint8, order="F")
        whole[y : y + height, x : x + width] = part
        assert run_lengths(part, at=(x, y), size=(rows, columns)) == coco.encode(whole)["counts"].decode()

    @pytest.mark.parametrize("seed", range(10))
    def test_of_pycocotools_are_read_back(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        size = (int(rng.integers(1, 300)), int(rng.integers(1, 300)))
        whole = cv2.GaussianBlur(rng.normal(0, 1, size), (0, 0), 1 + seed) > 0
        counts = coco.encode(np.asfortranarray(whole, np.uint8))["counts"].decode()
        assert np.array_equal(pixels_of(counts, size=size), whole)
