"""Importing: what each tool's export says about itself, what has to be asked, and that the answer comes out right."""

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from retinue.vision.asking import Asked
from retinue.vision.errors import FactsMissing, ModelRefused, NotAModel, VisionError
from retinue.vision.images import Image
from retinue.vision.importing import FAMILIES, Told, import_model, manifest_of, recognise
from retinue.vision.importing.evidence import Evidence
from retinue.vision.importing.graph import Graph, tell
from retinue.vision.importing.source import Source, open_source
from retinue.vision.model import open_session
from retinue.vision.package import Package, checksum, read_package
from retinue.vision.results import Classes, Detections, Masks, Picture, Result
from tests.vision.exports import huggingface, plain, timm, ultralytics
from tests.vision.exports.graphs import answering, save

PETS = ("cat", "dog", "remote")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "export"
    folder.mkdir()
    return folder


def answer(package: Package, *, width: int = 200, height: int = 100) -> Result:
    image = Image.of(np.full((height, width, 3), 128, np.uint8))
    model = open_session(package)
    prepared = model.prepare(image)
    return model.read(model.forward([prepared])[0], prepared, Asked())


def imported(model: onnx.ModelProto, at: Path, told: Told | None = None) -> Package:
    return import_model(save(model, at / "some model.onnx"), at / "package", told=told)


class TestUltralytics:
    @pytest.mark.parametrize(
        ("make", "head"),
        [
            (ultralytics.detector, "yolo-raw"),
            (lambda: ultralytics.detector(dynamic=True), "yolo-raw"),
            (lambda: ultralytics.detector(dtype="float16"), "yolo-raw"),
            (ultralytics.detector_v5, "yolo-raw"),
            (ultralytics.end_to_end, "yolo-end2end"),
            (lambda: ultralytics.end_to_end(nms=True), "yolo-end2end"),
        ],
        ids=["v8 and 11", "dynamic", "half precision", "v5", "26", "with nms"],
    )
    def test_a_detector_needs_nothing_said_and_finds_its_wrench(
        self, make: Callable[[], onnx.ModelProto], head: str, tmp_path: Path
    ) -> None:
        package = imported(make(), tmp_path)
        result = answer(package)

        assert (package.task, package.manifest.head) == ("detect", head)
        assert package.labels == ("wrench", "pliers", "hammer")
        assert isinstance(result, Detections)
        assert [(found.label, round(found.score, 3)) for found in result.items] == [("wrench", 0.9)]
        # 20 × 10 around the middle of a 64-pixel letterbox, in a picture 3.125 times as wide.
        assert result.items[0].box == pytest.approx((68.75, 34.375, 62.5, 31.25), abs=0.01)

    @pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools 2.0.11, numpy 2
    @pytest.mark.parametrize(
        "make",
        [ultralytics.segmenter, lambda: ultralytics.segmenter(v5=True), ultralytics.end_to_end_segmenter],
        ids=["v8 and 11", "v5", "26"],
    )
    def test_a_segmenter_masks_the_left_half_of_its_box(
        self, make: Callable[[], onnx.ModelProto], tmp_path: Path
    ) -> None:
        result = answer(imported(make(), tmp_path))

        assert isinstance(result, Masks)
        mask = result.items[0].as_array()
        rows, columns = np.nonzero(mask)
        assert result.items[0].label == "wrench"
        assert 68 <= columns.min() <= 70
        assert 98 <= columns.max() <= 101
        assert (rows.min(), rows.max()) == (34, 65)

    @pytest.mark.parametrize("v5", [False, True])
    def test_a_classifier_gives_probabilities_once(self, v5: bool, tmp_path: Path) -> None:
        package = imported(ultralytics.classifier(v5=v5), tmp_path)
        result = answer(package)

        assert isinstance(result, Classes)
        assert [item.label for item in result.items] == ["wrench", "pliers", "hammer"]
        assert result.items[0].score == pytest.approx(0.936, abs=0.001)

    def test_pictures_are_letterboxed_as_ultralytics_does(self, tmp_path: Path) -> None:
        frame = imported(ultralytics.detector(), tmp_path).manifest.frame

        assert frame is not None
        assert (frame.mode, frame.library, frame.pad_value, frame.antialias) == ("letterbox", "opencv", 114, False)
        assert (frame.width, frame.height) == (64, 64)

    def test_an_open_size_is_taken_from_the_metadata_and_the_batch_stays_open(self, tmp_path: Path) -> None:
        manifest = imported(ultralytics.detector(dynamic=True), tmp_path).manifest

        assert manifest.frame is not None
        assert (manifest.frame.width, manifest.max_batch) == (64, None)

    def test_the_licence_is_shown(self, tmp_path: Path) -> None:
        manifest = imported(ultralytics.detector(), tmp_path).manifest

        assert manifest.licence.startswith("AGPL-3.0")
        assert manifest.source == "Ultralytics 8.4.190"

    def test_names_with_commas_and_quotes_stay_whole(self, tmp_path: Path) -> None:
        names = {0: "nut, bolt & washer", 1: '3/8" socket', 2: "painter's knife"}
        package = imported(ultralytics.detector(names=names), tmp_path)

        assert package.labels == tuple(names.values())

    @pytest.mark.parametrize("task", ["pose", "obb", "depth"])
    def test_a_task_that_retinue_does_not_serve_is_refused_by_its_kind(self, task: str, tmp_path: Path) -> None:
        model = answering(
            {"output0": np.zeros((1, 56, 84), np.float32)}, picture=(1, 3, 64, 64), metadata=ultralytics.said(task)
        )
        with pytest.raises(ModelRefused, match="detectors, segmenters and classifiers"):
            imported(model, tmp_path)

    def test_names_that_do_not_fit_the_answer_are_refused(self, tmp_path: Path) -> None:
        model = answering(
            {"output0": np.zeros((1, 84, 84), np.float32)}, picture=(1, 3, 64, 64), metadata=ultralytics.said("detect")
        )
        with pytest.raises(ModelRefused, match="3 classes"):
            imported(model, tmp_path)


class TestHuggingFace:
    def test_a_vit_is_stretched_with_pillow(self, folder: Path, tmp_path: Path) -> None:
        package = import_model(huggingface.vit(folder), tmp_path / "package")
        frame, numbers = package.manifest.frame, package.manifest.numbers

        assert frame is not None
        assert (frame.mode, frame.width, frame.library, frame.filter) == ("stretch", 224, "pillow", "bilinear")
        assert numbers is not None
        assert (numbers.mean, numbers.std) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
        result = answer(package)
        assert isinstance(result, Classes)
        assert (result.items[0].label, round(result.items[0].score, 2)) == ("dog", 0.99)

    def test_a_resnet_is_cropped_by_its_share(self, folder: Path) -> None:
        frame = recognise(huggingface.resnet(folder)).frame

        assert frame is not None
        assert (frame.mode, frame.width, frame.short_side, frame.filter) == ("crop", 224, 256, "bicubic")

    def test_a_centre_crop_is_followed(self, folder: Path) -> None:
        frame = recognise(huggingface.mobilenet(folder)).frame

        assert frame is not None
        assert (frame.mode, frame.width, frame.short_side, frame.crop_at) == ("crop", 224, 256, "floor")

    @pytest.mark.parametrize(
        ("write", "activation", "mode"),
        [
            (huggingface.detr, "softmax", "within"),
            (huggingface.yolos, "softmax", "within"),
            (huggingface.rt_detr, "sigmoid", "stretch"),
        ],
        ids=["detr", "yolos", "rt-detr"],
    )
    def test_a_detector_finds_its_remote(
        self, write: Callable[[Path], Path], activation: str, mode: str, folder: Path, tmp_path: Path
    ) -> None:
        package = import_model(write(folder), tmp_path / "package")
        result = answer(package)

        assert package.manifest.head_parameters["activation"] == activation
        assert package.manifest.frame is not None
        assert package.manifest.frame.mode == mode
        assert isinstance(result, Detections)
        assert [found.label for found in result.items] == ["remote"]
        assert result.items[0].box == pytest.approx((75, 25, 50, 50), abs=0.01)

    def test_a_segformer_gives_each_half_its_class(self, folder: Path, tmp_path: Path) -> None:
        result = answer(import_model(huggingface.segformer(folder), tmp_path / "package"))

        assert isinstance(result, Masks)
        assert {mask.label: mask.box for mask in result.items} == {
            "dog": (0, 0, 100, 100),
            "remote": (100, 0, 100, 100),
        }

    def test_the_graph_may_lie_in_optimums_onnx_folder(self, folder: Path) -> None:
        assert recognise(huggingface.vit(folder, below="onnx")).labels == PETS

    def test_the_graph_alone_finds_the_description_beside_it(self, folder: Path) -> None:
        assert recognise(huggingface.vit(folder, below="onnx") / "onnx" / "model.onnx").labels == PETS

    def test_without_the_processors_description_pixels_and_size_are_asked_for(self, folder: Path) -> None:
        with pytest.raises(FactsMissing) as asked:
            recognise(huggingface.vit(folder, processor=False))

        assert asked.value.missing == ("size", "pixels")
        told = Told(size=(224, 224), pixels="signed")
        assert recognise(folder, told=told).numbers is not None

    def test_imagenets_two_cranes_are_told_apart_by_their_numbers(self, folder: Path) -> None:
        names = {"0": "crane", "1": "cat", "2": "crane"}

        assert recognise(huggingface.vit(folder, names=names)).labels == ("crane (0)", "cat", "crane (2)")

    def test_numbers_that_coco_leaves_out_stay_unused_classes(self, folder: Path) -> None:
        names = {"0": "N/A", "1": "person", "3": "car"}
        huggingface.detr(folder)
        config = json.loads((folder / "config.json").read_text())
        config["id2label"] = names
        (folder / "config.json").write_text(json.dumps(config))

        with pytest.raises(ModelRefused, match="4 classes"):  # the network has three and “no object”
            recognise(folder)

    def test_a_kind_that_retinue_does_not_serve_is_refused(self, folder: Path) -> None:
        huggingface.vit(folder)
        (folder / "config.json").write_text(json.dumps({"architectures": ["CLIPModel"], "model_type": "clip"}))

        with pytest.raises(ModelRefused, match="image classification, object detection and semantic segmentation"):
            recognise(folder)

    def test_the_model_card_tells_the_licence(self, folder: Path) -> None:
        huggingface.vit(folder)
        (folder / "README.md").write_text("---\ntags:\n- vision\nlicense: apache-2.0\n---\n# ViT\n")

        assert recognise(folder).licence == "apache-2.0"


class TestTimm:
    def test_size_crop_filter_and_colours_come_from_the_description(self, folder: Path) -> None:
        manifest = recognise(timm.resnet(folder, names=["cat", "dog", "remote"]))

        assert manifest.frame is not None
        assert manifest.frame.model_dump(exclude_defaults=True) == {
            "mode": "crop",
            "width": 224,
            "height": 224,
            "short_side": 235,  # floor(224 ÷ 0.95)
            "filter": "bicubic",
        }
        assert manifest.numbers is not None
        assert manifest.numbers.mean == (0.485, 0.456, 0.406)
        assert (manifest.licence, manifest.source) == ("apache-2.0", "timm resnet18")

    def test_missing_names_are_asked_for(self, folder: Path) -> None:
        with pytest.raises(FactsMissing, match="labels") as asked:
            recognise(timm.resnet(folder))

        assert asked.value.missing == ("labels",)
        assert recognise(folder, told=Told(labels=PETS)).labels == PETS

    def test_names_may_lie_in_a_file_beside_it(self, folder: Path) -> None:
        timm.resnet(folder)
        (folder / "labels.txt").write_text("cat\ndog\nremote\n")

        assert recognise(folder).labels == PETS

    def test_a_crop_that_cannot_be_followed_is_refused_not_guessed(self, folder: Path) -> None:
        with pytest.raises(ModelRefused, match="border"):
            recognise(timm.resnet(folder, names=list(PETS), crop_mode="border"))

    def test_a_squash_without_a_crop_is_a_stretch(self, folder: Path) -> None:
        frame = recognise(timm.resnet(folder, names=list(PETS), crop_mode="squash", crop_pct=1.0)).frame

        assert frame is not None
        assert frame.mode == "stretch"


class TestPlain:
    def test_without_a_word_task_and_labels_are_asked_for(self, tmp_path: Path) -> None:
        with pytest.raises(FactsMissing) as asked:
            imported(plain.torchvision_classifier(), tmp_path)

        assert asked.value.missing == ("task", "labels")

    def test_an_open_size_is_asked_for(self, tmp_path: Path) -> None:
        model = plain.torchvision_classifier(picture=("batch", 3, "height", "width"))
        with pytest.raises(FactsMissing) as asked:
            imported(model, tmp_path, Told(labels=PETS, task="classify"))

        assert asked.value.missing == ("size",)

    def test_a_torchvision_classifier_needs_labels_and_says_what_it_assumes(self, tmp_path: Path) -> None:
        package = imported(plain.torchvision_classifier(), tmp_path, Told(labels=PETS, task="classify"))

        assert package.manifest.frame is not None
        assert package.manifest.numbers is not None
        assert (package.manifest.frame.mode, package.manifest.frame.short_side) == ("crop", 256)
        assert package.manifest.numbers.mean == (0.485, 0.456, 0.406)
        assert "does not say" in package.manifest.description
        assert "imagenet" in package.manifest.description

    def test_what_a_person_says_wins_over_what_is_assumed(self, tmp_path: Path) -> None:
        told = Told(labels=PETS, pixels="signed", fit="stretch", filter="bicubic", channels="bgr", name="mine")
        manifest = imported(plain.torchvision_classifier(), tmp_path, told).manifest

        assert manifest.frame is not None
        assert manifest.numbers is not None
        assert (manifest.name, manifest.frame.mode, manifest.frame.filter) == ("mine", "stretch", "bicubic")
        assert (manifest.numbers.channels, manifest.numbers.mean) == ("bgr", (1.0, 1.0, 1.0))
        assert manifest.description == ""

    def test_uint8_pictures_go_in_as_they_are(self, tmp_path: Path) -> None:
        package = imported(plain.torchvision_classifier(dtype="uint8"), tmp_path, Told(labels=PETS))

        assert package.manifest.numbers is not None
        assert package.manifest.numbers.dtype == "uint8"
        assert isinstance(answer(package), Classes)

    def test_keras_puts_colours_last_and_ends_in_a_softmax(self, tmp_path: Path) -> None:
        package = imported(plain.keras_classifier(), tmp_path, Told(labels=PETS))
        image = Image.of(np.full((40, 40, 3), (255, 0, 0), np.uint8))
        model = open_session(package)
        prepared = model.prepare(image)
        result = model.read(model.forward([prepared])[0], prepared, Asked())

        assert package.manifest.numbers is not None
        assert package.manifest.numbers.layout == "nhwc"
        assert isinstance(result, Classes)
        # The graph takes the mean of each colour: e ÷ (e + 2) for the one that is there.
        assert (result.items[0].label, round(result.items[0].score, 3)) == ("cat", 0.576)

    def test_a_rescaling_layer_inside_means_raw_colours(self, tmp_path: Path) -> None:
        numbers = imported(plain.keras_classifier(rescaling=True), tmp_path, Told(labels=PETS)).manifest.numbers

        assert numbers is not None
        assert numbers.scale == 1.0

    def test_a_torchvision_detector_is_known_by_its_outputs_and_counts_from_one(self, tmp_path: Path) -> None:
        package = imported(plain.torchvision_detector(), tmp_path, Told(labels=PETS))
        result = answer(package)

        assert (package.task, package.manifest.head) == ("detect", "torchvision-detect")
        assert isinstance(result, Detections)
        assert [found.label for found in result.items] == ["cat"]

    def test_a_name_for_the_background_moves_the_count_to_zero(self, tmp_path: Path) -> None:
        told = Told(labels=("__background__", *PETS))
        manifest = imported(plain.torchvision_detector(), tmp_path, told).manifest

        assert manifest.head_parameters["first_label"] == 0

    @pytest.mark.parametrize("times", [1.0, 255.0])
    def test_lama_is_known_by_its_two_inputs(self, times: float, tmp_path: Path) -> None:
        package = imported(plain.lama(times=times), tmp_path)
        image = Image.of(np.full((64, 64, 3), 200, np.uint8))
        mask = np.zeros((64, 64), np.uint8)
        mask[16:32, 16:32] = 255
        model = open_session(package)
        prepared = model.prepare(image, mask)
        result = model.read(model.forward([prepared])[0], prepared, Asked())

        assert (package.task, package.manifest.inputs) == ("inpaint", ("image", "mask"))
        assert isinstance(result, Picture)
        assert result.pixels[24, 24].tolist() == pytest.approx([128] * 3, abs=1)
        assert result.pixels[50, 50].tolist() == [200] * 3

    def test_a_third_input_is_refused(self, tmp_path: Path) -> None:
        scores = {"output": plain.SCORES}
        model = answering(scores, picture=(1, 3, 32, 32), others={"text": (1, 77), "more": (1, 4)})

        with pytest.raises(ModelRefused, match="more than a picture"):
            imported(model, tmp_path, Told(labels=PETS, task="classify"))


ODD = [None, "", "x", -1, 0, 1e400, 10**400, True, [], [1], [[]], {}, {"a": {}}, {"height": "x", "width": []}]


class TestOddDescriptions:
    """Whatever stands in a description, the answer is a manifest or a sentence."""

    @pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd)[:20])
    @pytest.mark.parametrize("write", [huggingface.resnet, huggingface.detr, huggingface.mobilenet, timm.resnet])
    def test_of_hugging_face_and_timm(self, write: Callable[[Path], Path], odd: object, folder: Path) -> None:
        write(folder)
        with open_source(folder, told=Told()) as source:
            graph = Graph.model_validate(tell({"file": str(source.graph), "beside": str(folder)}))
            for file, said in source.descriptions.items():
                for at in places(said):
                    changed = {**source.descriptions, file: put(said, at, odd)}
                    assert is_answered(Evidence(graph, replace(source, descriptions=changed), Told()))

    @pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd)[:20])
    def test_of_ultralytics(self, odd: object, tmp_path: Path) -> None:
        file = save(ultralytics.detector(), tmp_path / "model.onnx")
        graph = Graph.model_validate(tell({"file": str(file), "beside": str(tmp_path)}))
        for at in places(graph.metadata):
            changed = graph.model_copy(update={"metadata": put(graph.metadata, at, odd)})
            assert is_answered(Evidence(changed, Source(file, name="model"), Told(task="detect")))


def is_answered(evidence: Evidence) -> bool:
    try:
        return bool(manifest_of(evidence).name)
    except VisionError as refusal:
        return bool(refusal.detail)


def places(said: object, *, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a description, however deep."""
    inside = said.items() if isinstance(said, dict) else enumerate(said) if isinstance(said, list | tuple) else ()
    return [*([at] if at else []), *(place for key, value in inside for place in places(value, at=(*at, key)))]


def put(said: Any, at: tuple[str | int, ...], odd: object) -> Any:
    if not at:
        return odd
    changed = dict(said) if isinstance(said, dict) else list(said)
    changed[at[0]] = put(said[at[0]], at[1:], odd)
    return changed


class TestPackages:
    def test_hold_one_file_of_weights_with_its_checksum(self, tmp_path: Path) -> None:
        package = imported(ultralytics.detector(), tmp_path)

        assert package.manifest.sha256 == checksum(package.folder / "model.onnx")
        assert read_package(package.folder) == package
        assert recognise(tmp_path / "some model.onnx") == package.manifest

    def test_take_their_name_from_the_file(self, tmp_path: Path) -> None:
        assert imported(ultralytics.detector(), tmp_path).name == "some-model"

    def test_ask_for_a_name_where_the_file_has_none_to_offer(self, tmp_path: Path) -> None:
        with pytest.raises(FactsMissing) as asked:
            recognise(save(ultralytics.detector(), tmp_path / "模型.onnx"))

        assert asked.value.missing == ("name",)

    def test_can_be_imported_again(self, tmp_path: Path) -> None:
        first = imported(ultralytics.detector(), tmp_path)
        again = import_model(first.folder, tmp_path / "again", told=Told(name="again"))

        assert again.manifest == first.manifest.model_copy(update={"name": "again"})

    def test_whose_weights_were_changed_are_refused(self, tmp_path: Path) -> None:
        package = imported(ultralytics.detector(), tmp_path)
        save(ultralytics.end_to_end(), package.folder / "model.onnx")

        with pytest.raises(ModelRefused, match="not the ones"):
            import_model(package.folder, tmp_path / "again")

    def test_come_as_a_zip_too(self, folder: Path, tmp_path: Path) -> None:
        huggingface.vit(folder)
        with zipfile.ZipFile(tmp_path / "vit.zip", "w") as packed:
            for file in folder.iterdir():
                packed.write(file, f"vit/{file.name}")

        assert import_model(tmp_path / "vit.zip", tmp_path / "package").labels == PETS

    def test_of_several_graphs_one_has_to_be_named(self, folder: Path) -> None:
        huggingface.vit(folder)
        save(ultralytics.detector(), folder / "model_quantized.onnx")

        with pytest.raises(FactsMissing) as asked:
            recognise(folder)

        assert asked.value.missing == ("file",)
        assert recognise(folder, told=Told(file="model.onnx")).labels == PETS

    def test_a_file_that_is_not_there_is_no_model(self, tmp_path: Path) -> None:
        with pytest.raises(NotAModel):
            recognise(tmp_path / "nothing.onnx")

    def test_an_existing_package_is_never_written_over(self, tmp_path: Path) -> None:
        package = imported(ultralytics.detector(), tmp_path)

        with pytest.raises(FileExistsError):
            import_model(tmp_path / "some model.onnx", package.folder)
        assert read_package(package.folder) == package

    def test_every_family_is_listed_and_the_last_takes_whatever_is_left(self) -> None:
        assert list(FAMILIES) == ["retinue", "ultralytics", "timm", "huggingface", "plain"]
