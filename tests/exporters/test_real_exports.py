"""What the real tools export is imported without a word, and our answer is the tool's own: networks tiny and random."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from retinue.vision.asking import Asked
from retinue.vision.importing import Told
from retinue.vision.intake import take_in
from retinue.vision.opening import open_model
from retinue.vision.results import Classes, Detection, Detections, Masks, Result
from tests.exporters.environment import prepare, run_script

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # pycocotools 2.0.11, numpy 2
]

CLASSIFIERS = ["yolo11n-cls", "vit", "resnet", "mobilenet", "timm-resnet", "timm-mobilenet", "torchvision-resnet"]
DETECTORS = ["yolov8n", "yolo11n-dynamic", "yolo11n-nms", "yolo26n", "yolo26n-end2end", "yolos", "torchvision-ssd"]
SEGMENTERS = ["yolo11n-seg", "yolo26n-seg-end2end"]


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All tools' exports of one run, each in a folder with what the tool itself saw on the picture."""
    prepare()
    folder = tmp_path_factory.mktemp("exports")
    # PNG, because two JPEG decoders may differ by one; odd sides, so that every rounding shows.
    Image.fromarray(data.coffee()).resize((301, 203)).save(folder / "picture.png")
    # Ultralytics cuts the padding off in whole cells of its coarse maps, we carry masks back exactly: sides for which
    # both come to the same.
    Image.fromarray(data.coffee()).resize((320, 208)).save(folder / "even.png")
    for script in ("export_with_ultralytics.py", "export_with_transformers.py", "export_with_timm.py"):
        run_script(script, str(folder / "picture.png"), str(folder), at=folder)
    return folder


def both(exports: Path, name: str, tmp_path: Path) -> tuple[dict[str, Any], Result]:
    """What the tool saw, and what we see with the same file."""
    expected = json.loads((exports / name / "expected.json").read_text())
    with Image.open(exports / expected["picture"]) as picture:
        width, height = picture.size
    for found in expected.get("detections", []):
        found[2] = np.clip(found[2], 0, [width, height, width, height]).tolist()  # as ours are; DETR's may stick out
    told = {key: tuple(value) if isinstance(value, list) else value for key, value in expected.get("told", {}).items()}
    package, report = take_in(
        exports / name / expected["model"], tmp_path / "package", told=Told(**told, name="export")
    )
    assert report.ok
    with open_model(package.folder, threads=1) as model:
        return expected, model.predict(exports / expected["picture"], asked=Asked(**expected.get("asked", {}))).result


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_gives_the_tools_chances(name: str, exports: Path, tmp_path: Path) -> None:
    expected, result = both(exports, name, tmp_path)

    assert isinstance(result, Classes)
    ours = {item.label: item.score for item in result.items}
    best = expected["classes"][0][0]
    assert result.items[0].label == best
    for label, chance in expected["classes"][:3]:
        assert ours[label] == pytest.approx(chance, abs=1e-4)  # measured: 1.2e-5 at most


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_finds_what_the_tool_finds(name: str, exports: Path, tmp_path: Path) -> None:
    expected, result = both(exports, name, tmp_path)

    assert isinstance(result, Detections)
    assert_same_things(expected, list(result.items))


@pytest.mark.parametrize("name", SEGMENTERS)
def test_an_instance_segmenter_finds_and_masks_the_same(name: str, exports: Path, tmp_path: Path) -> None:
    expected, result = both(exports, name, tmp_path)

    assert isinstance(result, Masks)
    # Ultralytics drops what has an empty mask, we keep it with its box.
    seen = [mask for mask in result.items if mask.as_array().any()]
    pairs = assert_same_things(expected, list(seen))
    theirs = np.load(exports / name / "masks.npz")["masks"]
    overlaps = [overlap(theirs[place], seen[found].as_array()) for place, found in pairs]
    # A pixel on the edge of a box counts by its corner there, by its centre here: one line more or less.
    assert np.median(overlaps) > 0.94
    assert min(overlaps) > 0.85


def test_a_semantic_segmenter_gives_each_pixel_the_tools_class(exports: Path, tmp_path: Path) -> None:
    _, result = both(exports, "segformer", tmp_path)

    assert isinstance(result, Masks)
    theirs = np.load(exports / "segformer" / "classes.npz")["classes"]
    ours = np.full(theirs.shape, 255, np.uint8)
    for mask in result.items:
        ours[mask.as_array()] = mask.class_id
    assert (ours == theirs).mean() > 0.99


def assert_same_things(expected: dict[str, Any], seen: list[Detection]) -> list[tuple[int, int]]:
    """Each of the tool's things is among ours, and we see no more; what lies on the threshold may fall either way.
    Gives pairs of places: the tool's, ours."""
    theirs, floor, pairs = expected["detections"], expected["asked"]["confidence"], []
    assert len(theirs) >= 3, "the tool saw too little to compare"
    left = set(range(len(seen)))
    for place, (label, score, corners) in enumerate(theirs):
        match = next((n for n in sorted(left) if is_same(seen[n], label=label, score=score, corners=corners)), None)
        if match is None:
            assert score < floor + 0.005, f"{label} {score:.3f} at {corners} is missing"
            continue
        left.remove(match)
        pairs.append((place, match))
    assert all(seen[n].score < floor + 0.005 for n in left), [seen[n] for n in left]
    return pairs


def is_same(ours: Detection, *, label: str, score: float, corners: list[float]) -> bool:
    x, y, width, height = ours.box
    offsets = np.abs(np.array([x, y, x + width, y + height]) - corners)
    return ours.label == label and abs(ours.score - score) < 0.01 and bool(offsets.max() < 2)


def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    union = (one | other).sum()
    return float((one & other).sum() / union) if union else 1.0
