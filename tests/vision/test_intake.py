"""Intake: a model goes live only after it answered one picture as its file says it would."""

from pathlib import Path

import numpy as np
import pytest

from retinue.vision.errors import ModelRefused
from retinue.vision.images import encode_png
from retinue.vision.importing import Told, import_model
from retinue.vision.intake import IntakeReport, Limits, neutral_picture, take_in, try_out
from retinue.vision.package import write_manifest
from tests.corpus.model_graphs import any_batch, classifier, constant_of, endless
from tests.vision.exports import plain, ultralytics
from tests.vision.exports.graphs import answering, save


def tried(model: object, at: Path, **more: object) -> IntakeReport:
    return take_in(save(model, at / "model.onnx"), at / "package", **more)[1]  # type: ignore[arg-type]


class TestAnAnswer:
    def test_is_shown_with_its_time_and_the_graphs_doors(self, tmp_path: Path) -> None:
        report = tried(ultralytics.detector(), tmp_path)

        assert report.ok
        assert report.answer["detections"][0]["label"] == "wrench"
        assert report.inputs == ("images: float32 1 × 3 × 64 × 64",)
        assert report.outputs == ("output0: float32 1 × 7 × 84",)
        assert report.ms_per_picture > 0
        assert 50 << 20 < report.peak_bytes < 1 << 30
        assert report.sentence.startswith("It answered in ")
        assert report.sentence.endswith("ms: wrench (0.90).")

    def test_is_given_to_the_picture_that_was_brought(self, tmp_path: Path) -> None:
        green = encode_png(np.full((50, 80, 3), (0, 255, 0), np.uint8))
        report = tried(plain.keras_classifier(), tmp_path, told=Told(labels=("red", "green", "blue")), picture=green)

        assert report.answer["classes"][0]["label"] == "green"

    def test_of_an_inpainter_is_a_picture(self, tmp_path: Path) -> None:
        report = tried(plain.lama(), tmp_path)

        assert report.answer == {"width": 320, "height": 240}
        assert "a picture of 320 × 240" in report.sentence

    def test_may_be_that_nothing_was_found(self, tmp_path: Path) -> None:
        model = answering(
            {"output0": np.zeros((1, 7, 84), np.float32)}, picture=(1, 3, 64, 64), metadata=ultralytics.said("detect")
        )

        assert "nothing found" in tried(model, tmp_path).sentence

    def test_picture_has_edges_and_every_colour(self) -> None:
        pixels = neutral_picture()

        assert pixels.shape == (240, 320, 3)
        assert pixels.std(axis=(0, 1)).min() > 40


class TestBatches:
    def test_that_a_graph_declares_and_keeps_stay_open(self, tmp_path: Path) -> None:
        assert tried(any_batch(), tmp_path).max_batch is None

    def test_that_a_graph_declares_and_breaks_are_closed_to_one(self, tmp_path: Path) -> None:
        """A reshape to one picture inside a graph that says it takes any number."""
        model = any_batch()
        model.graph.node[1].op_type = "Reshape"
        model.graph.node[1].input.append("one_by_three")
        weight = model.graph.initializer.add()
        weight.name, weight.data_type = "one_by_three", 7
        weight.dims.append(2)
        weight.int64_data.extend([1, 3])
        package, report = take_in(save(model, tmp_path / "model.onnx"), tmp_path / "package")

        assert report.max_batch == 1
        assert package.manifest.max_batch == 1


class TestRefusals:
    def test_leave_nothing_behind(self, tmp_path: Path) -> None:
        with pytest.raises(ModelRefused, match="within 3 s"):
            tried(endless(), tmp_path, limits=Limits(seconds=3))

        assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]

    def test_of_hungry_models_say_how_much_they_may_have(self, tmp_path: Path) -> None:
        with pytest.raises(ModelRefused, match=r"more memory for one picture than the 2\.0 GiB"):
            tried(constant_of([3 << 28]), tmp_path)

    def test_name_a_class_that_has_no_name(self, tmp_path: Path) -> None:
        rows = np.zeros((1, 300, 6), np.float32)
        rows[0, 0] = (1, 1, 20, 20, 0.9, 7)
        model = answering({"output0": rows}, picture=(1, 3, 64, 64), metadata=ultralytics.said("detect", end2end=True))

        with pytest.raises(ModelRefused, match="class 7, which has no name"):
            tried(model, tmp_path)

    def test_count_scores_against_names(self, tmp_path: Path) -> None:
        """An exporter that leaves the shape open says nothing; the answer does."""
        model = classifier(names={0: "a", 1: "b"})
        model.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "classes"

        with pytest.raises(ModelRefused, match="scores 3 classes, but 2 have names"):
            tried(model, tmp_path)

    def test_of_a_package_whose_weights_are_gone_are_sentences_too(self, tmp_path: Path) -> None:
        package = import_model(save(classifier(), tmp_path / "model.onnx"), tmp_path / "package")
        (package.folder / "model.onnx").write_bytes(b"\x08\x08 broken")

        with pytest.raises(ModelRefused, match="broken or cut short"):
            try_out(package)

    def test_of_an_unknown_head_name_it(self, tmp_path: Path) -> None:
        package = import_model(save(classifier(), tmp_path / "model.onnx"), tmp_path / "package")
        write_manifest(package.folder, package.manifest.model_copy(update={"head": "crystal-ball"}))

        with pytest.raises(ModelRefused, match="crystal-ball"):
            try_out(package)
