"""The held-out scenes: repeatable, boxed where the tools are, and empty where nothing lies."""

from __future__ import annotations

import numpy as np
import pytest

from training.toolbox.heldout import draw_scene, main
from training.toolbox.scene import LABELS, Kind, Scene

WIDTH, HEIGHT = 320, 240


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [draw_scene(seed, width=WIDTH, height=HEIGHT) for seed in range(40)]


class TestDrawingTools:
    def test_the_same_seed_draws_the_same_scene(self) -> None:
        first, again = draw_scene(7), draw_scene(7)
        assert first.boxes == again.boxes
        assert np.array_equal(first.picture, again.picture)

    def test_another_seed_draws_another_scene(self, scenes: list[Scene]) -> None:
        assert not np.array_equal(scenes[0].picture, scenes[1].picture)

    def test_the_picture_has_the_size_that_was_asked_for(self, scenes: list[Scene]) -> None:
        assert {(scene.picture.shape, scene.picture.dtype.name) for scene in scenes} == {((HEIGHT, WIDTH, 3), "uint8")}

    def test_every_scene_holds_one_to_eight_tools(self, scenes: list[Scene]) -> None:
        assert all(1 <= len(scene.boxes) <= 8 for scene in scenes)

    def test_every_box_lies_inside_its_picture(self, scenes: list[Scene]) -> None:
        for box in (box for scene in scenes for box in scene.boxes):
            assert box.x >= 0
            assert box.y >= 0
            assert box.x + box.width <= WIDTH
            assert box.y + box.height <= HEIGHT

    def test_tools_are_large_enough_to_be_recognised(self, scenes: list[Scene]) -> None:
        longest = [max(box.width, box.height) for scene in scenes for box in scene.boxes]
        assert min(longest) > 0.05 * HEIGHT
        assert max(longest) < 0.8 * HEIGHT

    def test_every_label_occurs(self, scenes: list[Scene]) -> None:
        assert {box.label for scene in scenes for box in scene.boxes} == set(range(len(LABELS)))

    def test_the_picture_changes_inside_the_box_of_a_tool(self, scenes: list[Scene]) -> None:
        for scene in scenes:
            for box in scene.boxes:
                x, y = int(box.x), int(box.y)
                inside = scene.picture[y : y + int(box.height), x : x + int(box.width)]
                assert inside.std() > 1.5


class TestDrawingWithoutTools:
    @pytest.mark.parametrize("kind", ["distractors", "empty"])
    def test_there_are_no_boxes(self, kind: Kind) -> None:
        assert all(draw_scene(seed, width=WIDTH, height=HEIGHT, kind=kind).boxes == [] for seed in range(12))


class TestContactSheet:
    def test_it_asks_for_a_file_name(self) -> None:
        with pytest.raises(SystemExit, match="contact sheet"):
            main([])
