"""A mask is black and white and as large as its picture; noise is forgiven, meaning is not guessed."""

import io
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from numpy.typing import NDArray
from PIL import Image as Pillow
from pycocotools import mask as coco

from retinue.vision.errors import BadMask, NotAPicture
from retinue.vision.masks import as_png, as_rle, clean_grey, clean_mask


def shape(width: int = 160, height: int = 120) -> NDArray[np.bool_]:
    """A disc and a one-pixel scratch."""
    marked = np.zeros((height, width), np.uint8)
    cv2.circle(marked, (width // 3, height // 2), height // 4, 255, -1)
    cv2.line(marked, (width // 2, 5), (width - 5, height - 5), 255, 1)
    return marked.astype(bool)


def saved(pixels: NDArray[np.generic], kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    Pillow.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


class TestACleanMask:
    @pytest.mark.parametrize("white", [1, 2, 128, 255])
    def test_is_read_exactly_whatever_value_stands_for_white(self, white: int) -> None:
        data = saved((shape() * white).astype(np.uint8))
        assert (clean_mask(data, width=160, height=120) == shape()).all()

    def test_may_have_one_bit_or_sixteen_or_colours(self) -> None:
        for pixels in (
            shape(),
            shape().astype(np.uint16) * 65535,
            np.where(shape()[:, :, None], np.array([255, 0, 0], np.uint8), np.uint8(0)),
        ):
            assert (clean_mask(saved(pixels), width=160, height=120) == shape()).all()

    def test_comes_back_the_same_after_it_is_stored(self) -> None:
        stored = as_png(shape())
        assert Pillow.open(io.BytesIO(stored)).mode == "1"
        assert (clean_mask(stored, width=160, height=120) == shape()).all()

    def test_is_turned_as_its_exif_says_like_the_picture(self) -> None:
        exif = Pillow.Exif()
        exif[0x0112] = 6
        data = saved((shape().T[::-1] * 255).astype(np.uint8), "PNG", exif=exif)
        assert (clean_mask(data, width=160, height=120) == shape()).all()


class TestANoisyMask:
    @pytest.mark.parametrize("quality", [30, 50, 75, 95])
    def test_saved_as_jpeg_is_cleaned(self, quality: int) -> None:
        disc = np.zeros((240, 320), np.uint8)
        cv2.circle(disc, (100, 120), 60, 255, -1)
        cv2.rectangle(disc, (200, 30), (300, 90), 255, -1)
        cleaned = clean_mask(saved(disc, "JPEG", quality=quality), width=320, height=240)
        wrong = cleaned != (disc > 0)
        assert wrong.mean() < 0.002
        assert not cleaned[:20].any()  # no specks far from the shapes

    def test_with_soft_edges_is_cut_at_their_middle(self) -> None:
        disc = np.zeros((300, 400), np.uint8)
        cv2.circle(disc, (200, 150), 90, 255, -1)
        soft = cv2.GaussianBlur(disc, (9, 9), 0)
        assert ((clean_mask(saved(soft), width=400, height=300)) != (disc > 0)).mean() < 0.002


class TestARefusedMask:
    def test_of_another_size_names_both_sizes(self) -> None:
        with pytest.raises(BadMask, match=r"160 × 120, but its picture is 120 × 160"):
            clean_mask(saved(shape()), width=120, height=160)

    def test_with_a_third_value_names_what_was_found(self) -> None:
        grey = (shape() * 255).astype(np.uint8)
        grey[:40, :40] = 120
        with pytest.raises(BadMask, match="grey away from any edge, with values from 120 to 120"):
            clean_mask(saved(grey), width=160, height=120)

    def test_with_a_slope_is_no_mask(self) -> None:
        slope = np.tile(np.linspace(0, 255, 160).astype(np.uint8), (120, 1))
        with pytest.raises(BadMask, match="grey"):
            clean_mask(saved(slope), width=160, height=120)

    def test_a_photograph_is_no_mask(self) -> None:
        noise = cv2.resize(np.random.default_rng(1).integers(0, 256, (12, 16), np.uint8), (160, 120))
        with pytest.raises(BadMask, match="grey"):
            clean_mask(saved(noise), width=160, height=120)

    def test_that_marks_nothing_unless_that_is_allowed(self) -> None:
        black = np.zeros((120, 160), np.uint8)
        with pytest.raises(BadMask, match="marks nothing"):
            clean_mask(saved(black), width=160, height=120)
        assert not clean_mask(saved(black), width=160, height=120, may_be_empty=True).any()

    def test_that_marks_everything(self) -> None:
        with pytest.raises(BadMask, match="whole picture"):
            clean_grey(np.full((120, 160), 255, np.uint8), width=160, height=120, may_be_empty=True)

    def test_that_is_no_picture(self) -> None:
        with pytest.raises(NotAPicture):
            clean_mask(b"black and white", width=160, height=120)


class TestRunLengths:
    @pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools 2.0.11, numpy 2
    @settings(max_examples=50, deadline=None)
    @given(some.integers(1, 40), some.integers(1, 40), some.integers(0, 2**32 - 1), some.floats(0, 1))
    def test_give_the_mask_back(self, width: int, height: int, seed: int, density: float) -> None:
        mask = np.random.default_rng(seed).random((height, width)) < density
        size, counts = as_rle(mask)
        assert size == (height, width)
        assert (coco.decode({"size": list(size), "counts": counts.encode()}) == mask).all()
