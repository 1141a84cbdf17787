"""An int8 version is honest about what it lost, and goes in like any other package."""

from pathlib import Path

import pytest

from retinue.vision.builtin import builtin_packages
from retinue.vision.importing import import_model
from retinue.vision.opening import open_model
from retinue.vision.package import Package
from retinue.vision.quantizing import CannotQuantize, agreement, quantize
from retinue.vision.results import Classes, Detection, Detections, Score
from tests.pictures import photograph

NAMES = ("coffee", "chelsea", "astronaut", "rocket", "camera", "coins", "brick", "horse")
CUP = Detection("cup", 0, 0.9, (10, 10, 100, 100))


@pytest.fixture
def classifier(builtin_models: Path) -> Package:
    return builtin_packages(builtin_models)["efficientnet-lite0"]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([CUP], [CUP], 1.0),
        ([CUP], [Detection("cup", 0, 0.4, (20, 10, 100, 100))], 1.0),  # overlaps by 0.8
        ([CUP], [Detection("cup", 0, 0.9, (90, 90, 100, 100))], 0.0),
        ([CUP], [Detection("pot", 1, 0.9, CUP.box)], 0.0),
        ([CUP], [CUP, Detection("pot", 1, 0.9, (200, 0, 5, 5))], 2 / 3),
        ([CUP], [], 0.0),
        ([], [], 1.0),
    ],
)
def test_two_answers_agree_by_the_things_both_have_seen(
    one: list[Detection], other: list[Detection], expected: float
) -> None:
    assert agreement(Detections(one), Detections(other)) == pytest.approx(expected)


def test_two_classifiers_agree_when_their_first_class_is_the_same() -> None:
    espresso, cup = Score("espresso", 967, 0.9), Score("cup", 968, 0.5)
    assert agreement(Classes([espresso, cup]), Classes([espresso])) == 1.0
    assert agreement(Classes([espresso]), Classes([cup])) == 0.0


def test_the_int8_version_is_smaller_says_how_well_it_agrees_and_goes_in_as_a_package(
    classifier: Package, tmp_path: Path
) -> None:
    made = quantize(classifier, [photograph(name, width=320) for name in NAMES], tmp_path / "int8")
    assert made.bytes_after < 0.4 * made.bytes_before
    assert (made.calibrated_on, made.compared_on) == (4, 4)
    assert 0.0 <= made.agreement <= 1.0
    again = import_model(tmp_path / "int8", tmp_path / "imported")
    assert made.sentence in again.manifest.quality
    with open_model(again.folder) as eye:
        assert eye.predict(photograph("coffee")).result.as_json()["classes"][0]["label"] == "espresso"


def test_too_few_pictures_and_models_without_weights_are_refused(
    classifier: Package, builtin_models: Path, tmp_path: Path
) -> None:
    with pytest.raises(CannotQuantize, match="too few"):
        quantize(classifier, [photograph("coffee")], tmp_path / "int8")
    with pytest.raises(CannotQuantize, match="no weights"):
        quantize(builtin_packages(builtin_models)["inpaint-telea"], [photograph("coffee")] * 8, tmp_path / "int8")
    assert not (tmp_path / "int8").exists()
