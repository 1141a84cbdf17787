"""What is drawn on a picture can be read at every size, by everybody, in every script."""

import io
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from retinue.vision.drawing import COLOURS, PLATE, colour_of, draw
from retinue.vision.images import encode_jpeg
from retinue.vision.lettering import in_one_line, lettered, writable
from retinue.vision.masks import as_rle
from retinue.vision.results import Classes, Detection, Detections, HeatMap, Mask, Masks, Picture, Score

Pixels = NDArray[np.uint8]


def ground(width: int = 640, height: int = 480, shade: int = 127) -> Pixels:
    return np.full((height, width, 3), shade, np.uint8)


def hammer(box: tuple[float, float, float, float], *, label: str = "hammer", class_id: int = 1) -> Detection:
    return Detection(label, class_id, 0.93, box)


def changed(before: Pixels, after: Pixels) -> NDArray[np.bool_]:
    return np.asarray((before != after).any(axis=2))


def painted(pixels: Pixels, colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    return np.asarray((pixels == np.array(colour, np.uint8)).all(axis=2))


class TestABox:
    def test_is_drawn_where_the_thing_is_in_its_class_s_colour(self) -> None:
        drawn = draw(ground(), Detections([hammer((100, 200, 300, 150))]))
        rows, columns = np.nonzero(painted(drawn, colour_of(1))[190:, 110:])
        assert (rows.min() + 190, rows.max() + 190) == pytest.approx((200, 350), abs=2)
        assert columns.max() + 110 == pytest.approx(400, abs=2)
        assert not changed(ground(), drawn)[210:340, 110:390].any()

    def test_leaves_the_picture_that_was_given_alone(self) -> None:
        given = ground()
        draw(given, Detections([hammer((10, 10, 50, 50))]))
        assert (given == 127).all()

    @pytest.mark.parametrize("shade", [0, 127, 255])
    def test_stands_out_from_any_ground(self, shade: int) -> None:
        drawn = draw(ground(shade=shade), Detections([hammer((100, 200, 300, 150))])).astype(int)
        across = drawn[275, 90:110].mean(axis=1)
        assert across.max() - across.min() > 80  # the line or its casing, whichever the ground is unlike

    def test_of_an_unsure_thing_is_dashed(self) -> None:
        box = (100.0, 200.0, 300.0, 150.0)
        sure = painted(draw(ground(), Detections([hammer(box)])), colour_of(1))[350]
        unsure = painted(draw(ground(), Detections([], [hammer(box)])), colour_of(1))[350]
        assert np.abs(np.diff(sure[95:405].astype(int))).sum() == 2  # one beginning, one end
        assert np.abs(np.diff(unsure[95:405].astype(int))).sum() > 10
        assert unsure.sum() < 0.7 * sure.sum()

    @pytest.mark.parametrize(("side", "thinnest", "thickest"), [(100, 1, 1), (480, 2, 3), (6000, 20, 30)])
    def test_has_a_line_that_grows_with_the_picture(self, side: int, thinnest: int, thickest: int) -> None:
        drawn = draw(ground(side, side), Detections([hammer((side * 0.2, side * 0.3, side * 0.6, side * 0.6))]))
        assert thinnest <= painted(drawn[side * 7 // 10 :][:1, : side // 2], colour_of(1)).sum() <= thickest

    @pytest.mark.parametrize(
        "box",
        [
            (0, 0, 640, 480),
            (-50, -50, 100, 100),
            (600, 450, 200, 200),
            (5, 5, 0, 0),
            (639, 479, 1, 1),
            (0, 470, 640, 9),
        ],
    )
    def test_at_or_over_an_edge_keeps_its_plate_inside(self, box: tuple[float, float, float, float]) -> None:
        drawn = draw(ground(), Detections([hammer(box)]))
        plate = np.argwhere(painted(drawn, (255, 255, 255)))
        assert len(plate) > 50  # the letters are there, whole
        assert plate.min() >= 1

    @pytest.mark.parametrize("size", [(1, 1), (3, 2), (20, 500), (500, 20)])
    def test_may_stand_on_the_smallest_and_the_narrowest_picture(self, size: tuple[int, int]) -> None:
        drawn = draw(ground(*size), Detections([hammer((0, 0, *size))]))
        assert drawn.shape == (size[1], size[0], 3)


class TestPlates:
    def test_do_not_cover_each_other_while_there_is_room(self) -> None:
        boxes = [(100 + 6 * n, 200 + 3 * n, 200, 120) for n in range(4)]
        several = draw(ground(), Detections([hammer(box, class_id=n) for n, box in enumerate(boxes)]))
        alone = draw(ground(), Detections([hammer(boxes[0], class_id=0)]))
        white = int(painted(several, (255, 255, 255)).sum())
        assert white > 3.3 * painted(alone, (255, 255, 255)).sum()

    def test_on_a_small_picture_say_at_least_the_number(self) -> None:
        things = [hammer((8 + 30 * n, 40, 20, 30), label="a very long name of a tool") for n in range(3)]
        drawn = draw(ground(100, 100), Detections(things))
        assert changed(ground(100, 100), drawn).mean() < 0.6
        assert painted(drawn, colour_of(1)).any()


class TestColours:
    def test_are_eight_and_repeat(self) -> None:
        assert colour_of(8) == colour_of(0)
        assert len(set(COLOURS)) == 8

    def test_stay_apart_for_every_kind_of_colour_blindness(self) -> None:
        # Viénot, Brettel and Mollon's matrices for seeing without red, green or blue cones, on linear light.
        blind = {
            "red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
            "green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
            "blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
        }
        linear = (np.array(COLOURS) / 255) ** 2.2
        for matrix in blind.values():
            seen = np.clip(linear @ np.array(matrix).T, 0, 1) ** (1 / 2.2) * 255
            assert min(float(np.linalg.norm(one - other)) for one, other in combinations(seen, 2)) > 14


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools 2.0.11, numpy 2
class TestAMask:
    def cup(self) -> tuple[NDArray[np.bool_], Masks]:
        marked = np.zeros((480, 640), bool)
        marked[200:300, 150:400] = True
        marked[230:260, 200:300] = False
        size, counts = as_rle(marked)
        return marked, Masks([Mask("cup", 2, 0.9, (150, 200, 250, 100), size, counts)])

    def test_tints_its_pixels_and_spares_its_holes(self) -> None:
        marked, result = self.cup()
        drawn = draw(ground(shade=200), result)
        tint = changed(ground(shade=200), drawn)
        assert tint[marked].all()
        assert not tint[238:252, 208:292].any()
        assert (drawn[280, 200] == drawn[280, 390]).all()
        assert drawn[280, 200].max() < 200

    def test_has_an_outline_and_a_plate(self) -> None:
        _, result = self.cup()
        drawn = draw(ground(), result)
        assert painted(drawn, colour_of(2))[299:301, 160:390].mean() > 0.4
        assert painted(drawn, (255, 255, 255)).sum() > 20

    def test_that_is_empty_draws_no_outline(self) -> None:
        size, counts = as_rle(np.zeros((480, 640), bool))
        drawn = draw(ground(), Masks([Mask("cup", 2, 0.9, (0, 0, 0, 0), size, counts)]))
        assert not changed(ground(), drawn)[100:].any()


class TestClasses:
    def test_stand_on_a_plate_in_the_lower_left_corner(self) -> None:
        items = [Score(f"class {n}", n, 0.5 / (n + 1)) for n in range(5)]
        drawn = draw(ground(), Classes(items))
        rows, columns = np.nonzero(changed(ground(), drawn))
        assert rows.min() > 300
        assert columns.max() < 320
        assert painted(drawn, (255, 255, 255)).sum() > 20

    def test_are_fewer_where_there_is_little_room(self) -> None:
        items = [Score(f"class {n}", n, 0.1) for n in range(5)]
        rows, _ = np.nonzero(changed(ground(100, 67), draw(ground(100, 67), Classes(items))))
        assert rows.min() > 67 // 2 - 8

    def test_without_any_leave_the_picture_as_it_is(self) -> None:
        assert (draw(ground(), Classes([])) == ground()).all()


class TestOtherAnswers:
    def test_an_inpainter_s_picture_is_returned_as_it_is(self) -> None:
        filled = ground(shade=33)
        assert (draw(ground(), Picture(filled)) == filled).all()

    def test_a_heat_map_lies_under_the_answer(self) -> None:
        values = np.zeros((4, 4), np.float32)
        values[0, 3] = 1
        drawn = draw(ground(), Classes([Score("cup", 1, 0.9)]), HeatMap("cup", 1, "cam", values), opacity=0.6)
        assert drawn[10, 630].astype(int).sum() > drawn[240, 100].astype(int).sum() + 200
        assert painted(drawn, (255, 255, 255)).sum() > 20

    def test_a_drawn_picture_carries_no_metadata(self) -> None:
        saved = Pillow.open(io.BytesIO(encode_jpeg(draw(ground(), Detections([hammer((9, 9, 90, 90))])))))
        assert not saved.getexif()
        assert "exif" not in saved.info


class TestLettering:
    @pytest.mark.parametrize("text", ["hammer 93%", "Schraubenzieher", "a"])
    def test_has_ink_and_grows_with_its_size(self, text: str) -> None:
        small, large = lettered(text, 12), lettered(text, 48)
        assert small.max() > 200
        assert 3 < large.shape[0] / small.shape[0] < 5

    @pytest.mark.parametrize("text", ["größe", "naïve café", "ﬁne ％"])
    def test_writes_accents_or_the_letters_beneath_them_on_every_machine(self, text: str) -> None:
        assert writable(text) is not None

    def test_calls_by_number_what_no_font_can_write(self) -> None:
        assert writable("\U00012000\U00012001") is None  # cuneiform
        unwritten = draw(ground(), Classes([Score("\U00012000", 7, 0.5)]))
        assert (unwritten == draw(ground(), Classes([Score("#7", 7, 0.5)]))).all()

    def test_keeps_a_label_in_one_short_line_that_turns_nothing_round(self) -> None:
        assert in_one_line("two\nlines\tand\u202eback\x00") == "two lines and back"
        assert len(in_one_line("x" * 5000)) == 60
        assert lettered("", 20).shape[0] > 0

    def test_plates_are_dark_enough_to_read_white_on(self) -> None:
        drawn = draw(ground(shade=255), Detections([hammer((100, 100, 200, 200))]))
        plate = painted(drawn, tuple(round(side * 0.85 + 255 * 0.15) for side in PLATE))  # type: ignore[arg-type]
        assert plate.sum() > 200
        luminance = (sum(PLATE) / 3 * 0.85 + 255 * 0.15) / 255
        assert 1.05 / (luminance**2.2 + 0.05) > 7  # WCAG AAA
