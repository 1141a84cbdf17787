"""A package opened in a session prepares, runs and reads; whatever the network does wrong is said in a sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from retinue.vision.asking import Asked
from retinue.vision.errors import BadMask, MaskNeeded, ModelFailed, ModelRefused, NoSuchModel, UnsupportedOperator
from retinue.vision.images import Image
from retinue.vision.model import Model, open_session
from retinue.vision.opening import decode_short_side, open_model
from retinue.vision.package import Frame, Manifest, Numbers, Package, checksum, write_manifest
from retinue.vision.results import Classes, Picture
from tests.corpus.pictures import flag, saved

Build = Callable[..., Package]
FRAME = Frame(mode="stretch", width=8, height=6)
RED, GREEN, BLUE = (np.full((48, 64, 3), colour, np.uint8) for colour in ([250, 0, 0], [0, 250, 0], [0, 0, 250]))


@pytest.fixture
def build(tmp_path: Path) -> Build:
    def built(
        nodes: list[onnx.NodeProto],
        inputs: dict[str, list[Any]],
        outputs: dict[str, list[Any]],
        weights: dict[str, np.ndarray] | None = None,
        /,
        **told: Any,
    ) -> Package:
        kind = {"uint8": TensorProto.UINT8, "float16": TensorProto.FLOAT16}.get(
            told.get("numbers", Numbers()).dtype, TensorProto.FLOAT
        )
        graph = helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
            [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
        )
        onnx.save(
            helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "m.onnx"
        )
        manifest = Manifest(
            **{
                "name": "m",
                "task": "classify",
                "labels": ("red", "green", "blue"),
                "weights": "m.onnx",
                "sha256": checksum(tmp_path / "m.onnx"),
                "frame": FRAME,
                "numbers": Numbers(),
                "head": "classify",
                **told,
            }
        )
        return write_manifest(tmp_path, manifest)

    return built


def mean_colour(build: Build, batch: Any = "n", **told: Any) -> Package:
    """The simplest classifier: how red, green and blue the picture is."""
    nodes = [helper.make_node("ReduceMean", ["x"], ["y"], axes=[2, 3], keepdims=0)]
    return build(nodes, {"x": [batch, 3, 6, 8]}, {"y": [batch, 3]}, **told)


def look(model: Model, pixels: np.ndarray, asked: Asked | None = None) -> Classes:
    prepared = model.prepare(Image.of(pixels))
    result = model.read(model.forward([prepared])[0], prepared, asked or Asked())
    assert isinstance(result, Classes)
    return result


class TestNetwork:
    def test_names_what_it_sees(self, build: Build) -> None:
        model = open_session(mean_colour(build))
        assert [look(model, pixels).items[0].label for pixels in (RED, GREEN, BLUE)] == ["red", "green", "blue"]

    def test_answers_a_batch_as_it_answers_one(self, build: Build) -> None:
        model = open_session(mean_colour(build))
        batch = [model.prepare(Image.of(pixels)) for pixels in (RED, GREEN, BLUE)]
        together = model.forward(batch)
        assert len(together) == 3
        for item, outputs in zip(batch, together, strict=True):
            assert np.array_equal(outputs["y"], model.forward([item])[0]["y"])

    def test_fills_up_the_batch_of_a_graph_made_for_four(self, build: Build) -> None:
        model = open_session(mean_colour(build, batch=4))
        assert model.max_batch == 4
        assert look(model, GREEN).items[0].label == "green"
        assert len(model.forward([model.prepare(Image.of(RED))] * 3)) == 3

    def test_never_takes_more_than_it_can(self, build: Build) -> None:
        model = open_session(mean_colour(build, max_batch=2))
        with pytest.raises(ValueError, match="3 pictures"):
            model.forward([model.prepare(Image.of(RED))] * 3)

    def test_runs_pictures_of_different_shapes_one_by_one(self, build: Build) -> None:
        nodes = [helper.make_node("ReduceMean", ["x"], ["y"], axes=[2, 3], keepdims=0)]
        frame = Frame(mode="within", width=40, height=40, short_side=20)
        model = open_session(build(nodes, {"x": ["n", 3, "h", "w"]}, {"y": ["n", 3]}, frame=frame))
        batch = [model.prepare(Image.of(pixels)) for pixels in (RED, GREEN[:, :30], BLUE[:20])]
        assert len({item.numbers[0].shape for item in batch}) == 3
        assert [outputs["y"].argmax() for outputs in model.forward(batch)] == [0, 1, 2]

    @pytest.mark.parametrize(
        "numbers",
        [
            Numbers(layout="nhwc"),
            Numbers(channels="bgr"),
            Numbers(dtype="float16"),
            Numbers(layout="nhwc", dtype="uint8", scale=1),
        ],
        ids=["nhwc", "bgr", "float16", "uint8"],
    )
    def test_speaks_the_networks_own_numbers(self, build: Build, numbers: Numbers) -> None:
        nhwc = numbers.layout == "nhwc"
        nodes = [
            helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["f"], ["y"], axes=[1, 2] if nhwc else [2, 3], keepdims=0),
        ]
        shape = ["n", 6, 8, 3] if nhwc else ["n", 3, 6, 8]
        labels = ("blue", "green", "red") if numbers.channels == "bgr" else ("red", "green", "blue")
        model = open_session(build(nodes, {"x": shape}, {"y": ["n", 3]}, numbers=numbers, labels=labels))
        assert [look(model, pixels).items[0].label for pixels in (RED, GREEN, BLUE)] == ["red", "green", "blue"]

    def test_gives_inner_tensors_when_asked(self, build: Build) -> None:
        nodes = [
            helper.make_node("Mul", ["x", "two"], ["inside"]),
            helper.make_node("ReduceMean", ["inside"], ["y"], axes=[2, 3], keepdims=0),
        ]
        package = build(nodes, {"x": ["n", 3, 6, 8]}, {"y": ["n", 3]}, {"two": np.float32(2)})
        model = open_session(package)
        prepared = model.prepare(Image.of(RED))
        assert set(model.forward([prepared])[0]) == {"y"}
        inside = model.forward([prepared], extra=["inside"])[0]["inside"]
        assert np.allclose(inside, prepared.numbers[0] * 2)

    def test_tells_hugging_face_detectors_that_nothing_is_padding(self, build: Build) -> None:
        nodes = [
            helper.make_node("ReduceMean", ["x"], ["mean"], axes=[2, 3], keepdims=0),
            helper.make_node("Cast", ["pixel_mask"], ["seen"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["seen"], ["all"], axes=[1, 2], keepdims=0),
            helper.make_node("Mul", ["mean", "all"], ["y"]),
        ]
        package = build(nodes, {"x": ["n", 3, 6, 8]}, {"y": ["n", 3]})
        graph = onnx.load(package.folder / "m.onnx")
        graph.graph.input.append(helper.make_tensor_value_info("pixel_mask", TensorProto.INT64, ["n", "h", "w"]))
        onnx.save(graph, package.folder / "m.onnx")
        assert look(open_session(package), BLUE).items[0].label == "blue"


class TestInpainting:
    @pytest.fixture
    def model(self, build: Build) -> Model:
        """Paints everything under the mask (and, as real networks do, a little elsewhere too) in one colour."""
        nodes = [
            helper.make_node("Mul", ["x", "zero"], ["black"]),
            helper.make_node("Mul", ["mask", "zero"], ["nothing"]),
            helper.make_node("Add", ["black", "nothing"], ["dark"]),
            helper.make_node("Add", ["dark", "colour"], ["y"]),
        ]
        package = build(
            nodes,
            {"x": ["n", 3, "h", "w"], "mask": ["n", 1, "h", "w"]},
            {"y": ["n", 3, "h", "w"]},
            {"zero": np.float32(0), "colour": np.array([1, 0.5, 0], np.float32).reshape(1, 3, 1, 1)},
            task="inpaint",
            labels=(),
            head="inpaint",
            frame=Frame(mode="within", width=64, height=64, multiple_of=8),
        )
        return open_session(package)

    def test_changes_what_is_masked_and_not_a_byte_more(self, model: Model) -> None:
        pixels = np.random.default_rng(3).integers(0, 256, (101, 77, 3), np.uint8)
        mask = np.zeros((101, 77), np.uint8)
        mask[20:50, 10:40] = 255
        prepared = model.prepare(Image.of(pixels), mask)
        assert [array.shape for array in prepared.numbers] == [(3, 64, 48), (1, 64, 48)]
        assert set(np.unique(prepared.numbers[1])) == {0, 1}
        result = model.read(model.forward([prepared])[0], prepared, Asked())
        assert isinstance(result, Picture)
        assert np.array_equal(result.pixels[mask == 0], pixels[mask == 0])
        assert (result.pixels[mask > 0] == [255, 128, 0]).all()

    def test_needs_a_mask_of_the_pictures_size(self, model: Model) -> None:
        with pytest.raises(MaskNeeded):
            model.prepare(Image.of(RED))
        with pytest.raises(BadMask, match="64 × 48"):
            model.prepare(Image.of(RED), np.ones((9, 9), np.uint8))


class TestWhatGoesWrong:
    @pytest.mark.parametrize("poison", [np.nan, np.inf])
    def test_values_that_are_no_numbers_never_become_an_answer(self, build: Build, poison: float) -> None:
        nodes = [
            helper.make_node("ReduceMean", ["x"], ["m"], axes=[2, 3], keepdims=0),
            helper.make_node("Add", ["m", "poison"], ["y"]),
        ]
        weights = {"poison": np.array([0, poison, 0], np.float32)}
        model = open_session(build(nodes, {"x": ["n", 3, 6, 8]}, {"y": ["n", 3]}, weights))
        with pytest.raises(ModelFailed, match="no numbers"):
            look(model, RED)

    def test_a_network_that_fails_while_running_fails_as_one_of_our_errors(self, build: Build) -> None:
        nodes = [
            helper.make_node("Reshape", ["x", "shape"], ["wrong"]),
            helper.make_node("ReduceMean", ["wrong"], ["y"], axes=[2], keepdims=0),
        ]
        weights = {"shape": np.array([1, 3, 7], np.int64)}
        model = open_session(build(nodes, {"x": ["n", 3, "h", "w"]}, {"y": [1, 3]}, weights))
        with pytest.raises(ModelFailed) as failure:
            look(model, RED)
        assert failure.value.detail == ModelFailed.title
        assert failure.value.__cause__ is not None

    def test_a_file_that_is_no_network_is_refused_without_its_path(self, build: Build) -> None:
        package = mean_colour(build)
        assert package.weights is not None
        package.weights.write_bytes(b"no graph at all")
        with pytest.raises(ModelRefused) as refusal:
            open_session(package)
        assert str(package.folder) not in str(refusal.value)

    def test_an_unknown_operator_is_refused(self, build: Build) -> None:
        package = build([helper.make_node("Unheard", ["x"], ["y"])], {"x": ["n", 3, 6, 8]}, {"y": ["n", 3]})
        with pytest.raises((UnsupportedOperator, ModelRefused)) as refusal:
            open_session(package)
        assert str(package.folder) not in str(refusal.value)

    @pytest.mark.parametrize(
        "told",
        [{"inputs": ("elsewhere",)}, {"head": "telepathy"}, {"head_parameters": {"outputs": ["z"]}}, {"frame": None}],
    )
    def test_a_manifest_that_does_not_fit_the_graph_is_refused(self, build: Build, told: dict[str, Any]) -> None:
        with pytest.raises(ModelRefused):
            open_session(mean_colour(build, **told))

    def test_a_batch_that_is_not_answered_for_everybody_is_a_failure(self, build: Build) -> None:
        nodes = [helper.make_node("ReduceMean", ["x"], ["y"], axes=[0, 2, 3], keepdims=0)]
        model = open_session(build(nodes, {"x": ["n", 3, 6, 8]}, {"y": [3]}))
        with pytest.raises(ModelFailed, match="every picture"):
            model.forward([model.prepare(Image.of(RED))] * 4)


class TestOpenModel:
    def test_opens_a_folder_and_takes_pictures_in_every_form(self, build: Build, tmp_path: Path) -> None:
        data = saved(flag().crop((0, 0, 32, 24)), "PNG")
        (tmp_path / "red.png").write_bytes(data)
        with open_model(mean_colour(build).folder) as model:
            for picture in (data, tmp_path / "red.png", RED, Image.of(RED)):
                seen = model.predict(picture)
                top = seen.result.top()
                assert top is not None
                assert top.label == "red"
                assert seen.timing.total_ms > 0

    def test_opens_an_export_by_what_it_is_told(self, build: Build) -> None:
        from retinue.vision.importing import Told

        file = mean_colour(build).folder / "m.onnx"
        told = Told(labels=("red", "green", "blue"), task="classify", size=(8, 6), pixels="unit", name="colours")
        (file.parent / "manifest.json").unlink()
        with open_model(file, told=told) as model:
            top = model.predict(GREEN).result.top()
            assert top is not None
            assert top.label == "green"

    def test_says_when_there_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(NoSuchModel, match="nowhere"):
            open_model(tmp_path / "nowhere")

    def test_keeps_enough_pixels_in_a_scaled_decode(self, build: Build) -> None:
        frame = Frame(mode="crop", width=8, height=6, short_side=32, scaled_decode=True)
        assert decode_short_side(mean_colour(build, frame=frame)) == 32
        assert decode_short_side(mean_colour(build)) is None
