"""The shipped detector finds the tools of freshly drawn scenes, and nothing where there is nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
import pytest

from retinue.vision import open_model
from retinue.vision.builtin import drawn_toolbox
from retinue.vision.builtin.shelf import take
from retinue.vision.importing import import_model
from retinue.vision.opening import OpenModel
from retinue.vision.package import checksum
from retinue.vision.results import Detection, Detections
from training.toolbox.drawing import draw_scene
from training.toolbox.scene import LABELS, Box, Kind

# Far enough below the published figures that 24 scenes cannot fall under them by chance.
LEAST_RECALL, LEAST_PRECISION, MOST_ALARMS = 0.42, 0.55, 6
FIRST_SEED = 9_000_000  # neither trained on nor used for the thresholds or the published figures


@dataclass(frozen=True)
class Looked:
    boxes: Sequence[Box]
    found: Sequence[Detection]

    def right(self) -> int:
        """Answers with the right name that overlap their tool by a half; each tool counts once."""
        free = list(self.boxes)
        for answer in self.found:
            for box in free:
                if LABELS[box.label] == answer.label and overlap(box, answer) >= 0.5:
                    free.remove(box)
                    break
        return len(self.boxes) - len(free)


def overlap(box: Box, answer: Detection) -> float:
    x, y, width, height = answer.box
    across = min(box.x + box.width, x + width) - max(box.x, x)
    down = min(box.y + box.height, y + height) - max(box.y, y)
    shared = max(across, 0.0) * max(down, 0.0)
    return shared / (box.width * box.height + width * height - shared)


@pytest.fixture(scope="module")
def toolbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenModel]:
    recipe = drawn_toolbox.recipe()
    assert recipe is not None, "the weights are not in the package"
    package = take(recipe, tmp_path_factory.mktemp("models"))
    with open_model(package.folder, threads=1) as opened:
        yield opened


def look(toolbox: OpenModel, kind: Kind, *, scenes: int) -> list[Looked]:
    looked = []
    for seed in range(FIRST_SEED, FIRST_SEED + scenes):
        scene = draw_scene(seed, kind=kind)
        result = toolbox.predict(scene.picture).result
        assert isinstance(result, Detections)
        looked.append(Looked(scene.boxes, result.items))
    return looked


class TestOnFreshlyDrawnScenes:
    def test_it_finds_most_tools_and_is_mostly_right_about_them(self, toolbox: OpenModel) -> None:
        looked = look(toolbox, "tools", scenes=24)

        right = sum(one.right() for one in looked)
        assert right / sum(len(one.boxes) for one in looked) >= LEAST_RECALL
        assert right / sum(len(one.found) for one in looked) >= LEAST_PRECISION

    def test_it_rarely_takes_other_things_for_tools(self, toolbox: OpenModel) -> None:
        looked = look(toolbox, "distractors", scenes=12)

        assert sum(len(one.found) for one in looked) <= MOST_ALARMS

    def test_it_sees_nothing_on_an_empty_bench(self, toolbox: OpenModel) -> None:
        assert sum(len(one.found) for one in look(toolbox, "empty", scenes=8)) == 0


class TestTheShippedFile:
    def test_it_is_small(self) -> None:
        assert (drawn_toolbox.SHIPPED / "toolbox.onnx").stat().st_size <= 8_000_000

    def test_the_manifest_belongs_to_these_weights(self, toolbox: OpenModel) -> None:
        manifest = toolbox.package.manifest

        assert manifest.sha256 == checksum(drawn_toolbox.SHIPPED / "toolbox.onnx")
        assert manifest.labels == LABELS
        assert set(manifest.thresholds) == set(LABELS)

    def test_it_says_plainly_what_it_was_trained_on(self, toolbox: OpenModel) -> None:
        weights = onnx.load(str(drawn_toolbox.SHIPPED / "toolbox.onnx"))

        assert "no photographs" in toolbox.package.manifest.description
        assert "no photographs" in {entry.key: entry.value for entry in weights.metadata_props}["description"]

    def test_the_importer_knows_it_without_being_told_anything(self, tmp_path: Path) -> None:
        package = import_model(drawn_toolbox.SHIPPED / "toolbox.onnx", tmp_path / "package")

        assert package.manifest.head == "yolo-raw"
        assert package.manifest.labels == LABELS
        assert package.manifest.licence == "Apache-2.0"
