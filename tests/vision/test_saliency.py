"""A heat map lies where the model looked, in the picture's own pixels, and is only shown where it is proved."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from skimage import data

from retinue.vision.asking import Asked, Explain
from retinue.vision.builtin import builtin_packages
from retinue.vision.errors import NoHeatMap, NoSuchClass
from retinue.vision.feature_graph import plan_of
from retinue.vision.geometry import Fit
from retinue.vision.lanes import Ask, Lanes, Shape
from retinue.vision.opening import OpenModel, open_model
from retinue.vision.package import Frame, Manifest, Numbers, Package, checksum, write_manifest
from retinue.vision.results import Classes, HeatMap, Seen
from retinue.vision.saliency import RAMPS, occlusion_map, over_picture, overlay

Pixels = NDArray[np.uint8]
COLOURS = ("red", "green", "blue")
SIDE = 32
CELLS = 8

# Rows: classes red, green, blue. Each class likes its own channel and dislikes the others.
LIKES = (np.eye(3) * 9 - 3).astype(np.float32)
BIAS = np.array([0.1, -0.2, 0.3], np.float32)


def tensor(values: Any, name: str, dtype: Any = np.float32) -> TensorProto:
    return numpy_helper.from_array(np.asarray(values, dtype), name)


def features() -> list[onnx.NodeProto]:
    """Three channels over a grid of 8 × 8: each cell's own mean colour."""
    return [
        helper.make_node("AveragePool", ["x"], ["cells"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Relu", ["cells"], ["f"]),
    ]


def node(kind: str, inputs: Sequence[str], output: str, **told: Any) -> onnx.NodeProto:
    return helper.make_node(kind, list(inputs), [output], **told)


# How the last layers are written by those who export: the same arithmetic each time.
ENDINGS: dict[str, tuple[list[onnx.NodeProto], list[TensorProto]]] = {
    "torchvision": (
        [node("GlobalAveragePool", ["f"], "p"), node("Flatten", ["p"], "v"),
         node("Gemm", ["v", "w", "b"], "y", transB=1)],
        [tensor(LIKES, "w"), tensor(BIAS, "b")],
    ),
    "with softmax": (
        [node("GlobalAveragePool", ["f"], "p"), node("Flatten", ["p"], "v"),
         node("Gemm", ["v", "w", "b"], "z", transB=1), node("Softmax", ["z"], "y", axis=1)],
        [tensor(LIKES, "w"), tensor(BIAS, "b")],
    ),
    "with sigmoid": (
        [node("GlobalAveragePool", ["f"], "p"), node("Flatten", ["p"], "v"),
         node("Gemm", ["v", "w", "b"], "z"), node("Sigmoid", ["z"], "y")],
        [tensor(LIKES.T, "w"), tensor(BIAS, "b")],
    ),
    "mean, product and sum": (
        [node("ReduceMean", ["f"], "v", axes=[2, 3], keepdims=0), node("MatMul", ["v", "w"], "z"),
         node("Add", ["b", "z"], "y")],
        [tensor(LIKES.T, "w"), tensor(BIAS, "b")],
    ),
    "a convolution of 1 × 1": (
        [node("GlobalAveragePool", ["f"], "p"), node("Conv", ["p", "w", "b"], "z"), node("Flatten", ["z"], "y")],
        [tensor(LIKES[:, :, None, None], "w"), tensor(BIAS, "b")],
    ),
    "maps of classes, then their mean": (
        [node("Conv", ["f", "w", "b"], "m"), node("GlobalAveragePool", ["m"], "p"), node("Flatten", ["p"], "y")],
        [tensor(LIKES[:, :, None, None], "w"), tensor(BIAS, "b")],
    ),
    "channels last": (
        [node("Transpose", ["f"], "last", perm=[0, 2, 3, 1]),
         node("ReduceMean", ["last"], "v", axes=[1, 2], keepdims=0),
         node("Gemm", ["v", "w", "b"], "y")],
        [tensor(LIKES.T, "w"), tensor(BIAS, "b")],
    ),
    "tokens": (
        [node("Reshape", ["f", "flat"], "long"), node("Transpose", ["long"], "tokens", perm=[0, 2, 1]),
         node("ReduceMean", ["tokens"], "v", axes=[1], keepdims=0), node("Gemm", ["v", "w", "b"], "y")],
        [tensor(LIKES.T, "w"), tensor(BIAS, "b"), tensor([0, 3, -1], "flat", np.int64)],
    ),
    "quantized weights": (
        [node("GlobalAveragePool", ["f"], "p"), node("Flatten", ["p"], "v"),
         node("DequantizeLinear", ["q", "scale", "zero"], "w", axis=0), node("Transpose", ["w"], "wt", perm=[1, 0]),
         node("MatMul", ["v", "wt"], "z"), node("Add", ["z", "b"], "y")],
        [tensor(LIKES / 3, "q", np.int8), tensor([3, 3, 3], "scale"), tensor([0, 0, 0], "zero", np.int8),
         tensor(BIAS, "b")],
    ),
}  # fmt: skip

# Endings that hold no map, and one that only looks as if it did.
WITHOUT_MAP: dict[str, tuple[list[onnx.NodeProto], list[TensorProto]]] = {
    "two layers": (
        [node("GlobalAveragePool", ["f"], "p"), node("Flatten", ["p"], "v"), node("Gemm", ["v", "w"], "h"),
         node("Tanh", ["h"], "t"), node("Gemm", ["t", "w"], "y")],
        [tensor(LIKES.T, "w")],
    ),
    "the whole grid": (
        [node("Flatten", ["f"], "v"), node("Gemm", ["v", "w"], "y")],
        [tensor(np.tile(np.repeat(LIKES.T, CELLS * CELLS, axis=0) / 64, (1, 1)), "w")],
    ),
    "a squashed mean": (
        [node("GlobalAveragePool", ["f"], "p"), node("Sigmoid", ["p"], "s"), node("Flatten", ["s"], "v"),
         node("Gemm", ["v", "w"], "y")],
        [tensor(LIKES.T, "w")],
    ),
}  # fmt: skip


def classifier(
    folder: Path,
    ending: tuple[list[onnx.NodeProto], list[TensorProto]],
    *,
    frame: Frame | None = None,
    activation: str = "softmax",
    task: Literal["classify", "detect"] = "classify",
    head: str = "classify",
    shape: Sequence[Any] = ("n", 3),
    max_batch: int | None = None,
) -> Package:
    nodes, stored = ending
    graph = helper.make_graph(
        [*features(), *nodes],
        "colours",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, list(shape))],
        stored,
    )
    folder.mkdir(parents=True, exist_ok=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, folder / "model.onnx")
    manifest = Manifest(
        name="colours",
        task=task,
        labels=COLOURS,
        weights="model.onnx",
        sha256=checksum(folder / "model.onnx"),
        inputs=("x",),
        frame=frame or Frame(mode="stretch", width=SIDE, height=SIDE),
        numbers=Numbers(),
        head=head,
        max_batch=max_batch,
        head_parameters={"activation": activation} if head == "classify" else {},
    )
    return write_manifest(folder, manifest)


def spotted(*spots: tuple[str, tuple[int, int]], size: tuple[int, int] = (128, 128)) -> Pixels:
    """A dark picture with squares of 24 in these colours, their middles at these x, y."""
    pixels = np.full((size[1], size[0], 3), 10, np.uint8)
    for colour, (x, y) in spots:
        pixels[max(y - 12, 0) : y + 12, max(x - 12, 0) : x + 12, COLOURS.index(colour)] = 255
    return pixels


def hottest(heat: HeatMap, pixels: Pixels) -> tuple[int, int]:
    """The middle of what is at least nearly as hot as the hottest, x and y in the picture's pixels."""
    values = cv2.resize(heat.values, pixels.shape[1::-1])
    rows, columns = np.nonzero(values > 0.9 * values.max())
    return round(float(columns.mean())), round(float(rows.mean()))


def look(package: Package, pixels: Pixels, **told: Any) -> HeatMap:
    with open_model(package.folder, threads=1) as model:
        seen = model.predict(pixels, asked=Asked(explain=Explain(**told)))
    assert seen.heat_map is not None
    return seen.heat_map


@pytest.fixture(scope="module")
def lite0(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenModel]:
    package = builtin_packages(tmp_path_factory.mktemp("cache"))["efficientnet-lite0"]
    with open_model(package.folder) as opened:
        yield opened


class TestAnActivationMap:
    @pytest.mark.parametrize("ending", sorted(ENDINGS))
    def test_is_found_however_the_graph_ends(self, ending: str, tmp_path: Path) -> None:
        package = classifier(tmp_path, ENDINGS[ending])
        pixels = spotted(("red", (30, 90)), ("green", (100, 20)))
        for label, place in (("red", (30, 90)), ("green", (100, 20))):
            heat = look(package, pixels, label=label, method="cam")
            assert (heat.label, heat.class_id, heat.method) == (label, COLOURS.index(label), "cam")
            assert hottest(heat, pixels) == pytest.approx(place, abs=6)
            assert heat.values.min() >= 0
            assert heat.values.max() == pytest.approx(1, abs=0.05)

    def test_is_of_the_surest_class_when_none_is_named(self, tmp_path: Path) -> None:
        package = classifier(tmp_path, ENDINGS["torchvision"])
        assert look(package, spotted(("blue", (60, 60)))).label == "blue"

    def test_knows_classes_beyond_the_ones_answered(self, tmp_path: Path) -> None:
        package = classifier(tmp_path, ENDINGS["torchvision"])
        pixels = spotted(("red", (30, 30)), ("red", (60, 60)), ("blue", (100, 100)))
        with open_model(package.folder) as model:
            seen = model.predict(pixels, asked=Asked(top_k=1, explain=Explain(label="blue")))
        assert isinstance(seen.result, Classes)
        assert [item.label for item in seen.result.items] == ["red"]
        assert seen.heat_map is not None
        assert hottest(seen.heat_map, pixels) == pytest.approx((100, 100), abs=6)

    def test_changes_neither_the_model_s_file_nor_its_answers(self, tmp_path: Path) -> None:
        package = classifier(tmp_path, ENDINGS["torchvision"])
        before = checksum(tmp_path / "model.onnx")
        with open_model(package.folder) as model:
            plain = model.predict(spotted(("red", (30, 90))))
            explained = model.predict(spotted(("red", (30, 90))), asked=Asked(explain=Explain()))
        assert plain.heat_map is None
        assert plain.result == explained.result
        assert checksum(tmp_path / "model.onnx") == before

    def test_is_read_anew_when_the_weights_are_replaced(self, tmp_path: Path) -> None:
        classifier(tmp_path, ENDINGS["torchvision"])
        assert plan_of(tmp_path / "model.onnx") is not None
        classifier(tmp_path, WITHOUT_MAP["two layers"])
        assert plan_of(tmp_path / "model.onnx") is None


class TestWithoutAnActivationMap:
    @pytest.mark.parametrize("ending", sorted(WITHOUT_MAP))
    def test_parts_of_the_picture_are_hidden_instead(self, ending: str, tmp_path: Path) -> None:
        pixels = spotted(("red", (30, 90)), ("green", (100, 20)))
        heat = look(classifier(tmp_path, WITHOUT_MAP[ending]), pixels, label="red")
        assert heat.method == "occlusion"
        assert hottest(heat, pixels) == pytest.approx((30, 90), abs=10)

    @pytest.mark.parametrize("ending", sorted(WITHOUT_MAP))
    def test_asking_for_one_is_refused(self, ending: str, tmp_path: Path) -> None:
        with pytest.raises(NoHeatMap, match="occlusion"):
            look(classifier(tmp_path, WITHOUT_MAP[ending]), spotted(("red", (30, 90))), method="cam")

    def test_an_unknown_class_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(NoSuchClass, match="“mauve”"):
            look(classifier(tmp_path, ENDINGS["torchvision"]), spotted(("red", (30, 90))), label="mauve")


class TestADetector:
    def detector(self, folder: Path) -> Package:
        """Answers one red thing in the lower left corner, as sure as there is red anywhere."""
        nodes = [
            node("GlobalAveragePool", ["f"], "p"),
            node("Slice", ["p", "from", "to", "axis"], "red"),
            node("Mul", ["red", "gain"], "sure"),
            node("Min", ["sure", "most"], "score"),
            node("Reshape", ["score", "one"], "column"),
            node("Concat", ["box", "column", "class"], "y", axis=2),
        ]
        stored = [
            tensor([0], "from", np.int64), tensor([1], "to", np.int64), tensor([1], "axis", np.int64),
            tensor(10, "gain"), tensor(0.95, "most"), tensor([1, 1, 1], "one", np.int64),
            tensor([[[2, 18, 14, 30]]], "box"), tensor([[[0]]], "class"),
        ]  # fmt: skip
        return classifier(folder, (nodes, stored), task="detect", head="yolo-end2end", shape=(1, 1, 6), max_batch=1)

    def test_is_explained_by_hiding_parts(self, tmp_path: Path) -> None:
        pixels = spotted(("red", (30, 90)), ("green", (100, 20)))
        heat = look(self.detector(tmp_path), pixels)
        assert (heat.label, heat.method) == ("red", "occlusion")
        assert hottest(heat, pixels) == pytest.approx((30, 90), abs=10)

    def test_that_found_nothing_has_nothing_to_explain(self, tmp_path: Path) -> None:
        with open_model(self.detector(tmp_path).folder) as model:
            seen = model.predict(spotted(), asked=Asked(confidence=0.99, explain=Explain()))
        assert seen.heat_map is None


class TestHiding:
    def test_finds_what_a_scoring_function_goes_by(self) -> None:
        pixels = spotted(("green", (150, 40)), size=(200, 100))

        def greenness(pictures: Sequence[Pixels]) -> list[float]:
            return [float(picture[:, :, 1].mean()) for picture in pictures]

        values = occlusion_map(pixels, greenness)
        assert values.shape == (4, 8)
        assert values[1, 5:7].min() > 0.4
        assert values[3].max() == 0

    def test_finds_nothing_where_nothing_matters(self) -> None:
        assert not occlusion_map(spotted(), lambda pictures: [0.5] * len(pictures)).any()

    def test_works_on_the_smallest_picture(self) -> None:
        assert occlusion_map(np.zeros((1, 1, 3), np.uint8), lambda pictures: [0.5] * len(pictures)).shape == (1, 1)


class TestTheWayBack:
    def test_of_a_cropping_network_leaves_what_it_never_saw_at_0(self, tmp_path: Path) -> None:
        frame = Frame(mode="crop", width=SIDE, height=SIDE, short_side=SIDE)
        pixels = spotted(("red", (20, 60)), ("red", (150, 70)), size=(300, 100))
        heat = look(classifier(tmp_path, ENDINGS["torchvision"], frame=frame), pixels, label="red", method="cam")
        across = cv2.resize(heat.values, (300, 100)).max(axis=0)
        assert not across[:96].any()
        assert not across[204:].any()
        assert hottest(heat, pixels) == pytest.approx((150, 70), abs=6)

    def test_of_a_letterboxing_network_leaves_the_padding_out(self, tmp_path: Path) -> None:
        frame = Frame(mode="letterbox", width=SIDE, height=SIDE, pad_value=0)
        pixels = spotted(("blue", (250, 50)), size=(300, 100))
        heat = look(classifier(tmp_path, ENDINGS["torchvision"], frame=frame), pixels, label="blue", method="cam")
        assert heat.values.shape[1] / heat.values.shape[0] == pytest.approx(3, rel=0.03)
        # Cells of this frame are 37 pixels wide: the middle of the hottest lies within half of one.
        assert hottest(heat, pixels) == pytest.approx((250, 50), abs=20)

    def test_keeps_a_large_picture_s_map_coarse(self) -> None:
        fit = Fit(6000, 4000, 224, 224, 224 / 6000, 224 / 4000)
        assert over_picture(np.ones((7, 7), np.float32), fit).shape == (171, 256)


class TestTheOverlay:
    def heat(self) -> HeatMap:
        values = np.zeros((8, 8), np.float32)
        values[2, 5] = 1
        return HeatMap("red", 0, "cam", values)

    @pytest.mark.parametrize("ramp", sorted(RAMPS))
    def test_is_brightest_where_the_model_looked(self, ramp: Any) -> None:
        pixels = np.full((160, 160, 3), 100, np.uint8)
        grey = overlay(pixels, self.heat(), opacity=0.7, ramp=ramp) @ np.array([0.3, 0.59, 0.11])
        row, column = np.unravel_index(int(grey.argmax()), grey.shape)
        assert (row, column) == pytest.approx((50, 110), abs=8)

    @pytest.mark.parametrize("ramp", sorted(RAMPS))
    def test_gets_lighter_with_every_step(self, ramp: Any) -> None:
        steps = HeatMap("red", 0, "cam", np.linspace(0, 1, 64, dtype=np.float32)[None])
        shades = overlay(np.zeros((1, 64, 3), np.uint8), steps, opacity=1, ramp=ramp) @ np.array([0.3, 0.59, 0.11])
        assert (np.diff(shades[0]) > -1).all()
        assert shades[0, -1] - shades[0, 0] > 120

    def test_takes_opacity_between_nothing_and_everything(self) -> None:
        pixels = spotted(("green", (60, 60)))
        assert (overlay(pixels, self.heat(), opacity=0) == pixels).all()
        assert (overlay(pixels, self.heat(), opacity=-3) == pixels).all()
        assert (overlay(pixels, self.heat(), opacity=9) == overlay(pixels, self.heat(), opacity=1)).all()


class TestTheBuiltInClassifier:
    def seen(self, model: OpenModel, name: str, **told: Any) -> tuple[Seen, NDArray[np.float32]]:
        pixels = np.ascontiguousarray(getattr(data, name)())
        seen = model.predict(pixels, asked=Asked(explain=Explain(**told)))
        assert seen.heat_map is not None
        return seen, cv2.resize(seen.heat_map.values, pixels.shape[1::-1]).astype(np.float32)

    def test_looks_into_the_cup_for_espresso(self, lite0: OpenModel) -> None:
        seen, heat = self.seen(lite0, "coffee")
        assert seen.heat_map is not None
        assert (seen.heat_map.label, seen.heat_map.method) == ("espresso", "cam")
        inside = heat[90:210, 190:400].mean()
        assert inside > 3 * heat[250:, 130:470].mean()

    def test_looks_at_the_rocket_both_ways(self, lite0: OpenModel) -> None:
        for method in ("cam", "occlusion"):
            _, heat = self.seen(lite0, "rocket", method=method)
            middle, sides = heat[100:400, 260:390].mean(), heat[:, :120].mean()
            assert middle > 2 * sides


class TestInTheEngine:
    @pytest.mark.parametrize("shape", [Shape(lanes=2), Shape(lanes=2, wide=2), Shape(lanes=1, batch=4)])
    async def test_a_heat_map_comes_with_the_answer_of_who_asked_for_one(self, shape: Shape, tmp_path: Path) -> None:
        lanes = Lanes(classifier(tmp_path, ENDINGS["torchvision"]), shape)
        pixels = spotted(("red", (30, 90)), ("green", (100, 20)))
        asked = [Asked(), Asked(explain=Explain(label="green")), Asked(explain=Explain(label="red"))] * 3
        try:
            seen = await asyncio.gather(*(lanes.see(Ask(pixels, None, one, at=time.monotonic())) for one in asked))
        finally:
            lanes.close()
        for answer, one in zip(seen, asked, strict=True):
            if one.explain is None:
                assert answer.heat_map is None
            else:
                assert answer.heat_map is not None
                assert answer.heat_map.label == one.explain.label

    async def test_one_that_cannot_be_made_fails_alone(self, tmp_path: Path) -> None:
        lanes = Lanes(classifier(tmp_path, ENDINGS["torchvision"]), Shape(lanes=1, batch=4))
        asked = [Asked(), Asked(explain=Explain(label="mauve")), Asked()]
        try:
            seen = await asyncio.gather(
                *(lanes.see(Ask(spotted(("red", (30, 90))), None, one, at=time.monotonic())) for one in asked),
                return_exceptions=True,
            )
        finally:
            lanes.close()
        assert [type(answer) for answer in seen] == [Seen, NoSuchClass, Seen]
