"""A hole is filled from around it, and nothing else in the picture changes."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from retinue.vision.asking import Asked
from retinue.vision.errors import BadMask, MaskNeeded
from retinue.vision.images import Image
from retinue.vision.inpainting import METHODS, Inpainter, fill, fill_frames
from retinue.vision.model import open_session
from retinue.vision.package import Manifest, Package
from retinue.vision.results import Picture
from retinue.vision.video import Sample, encode_video, frames, probe

both_methods = pytest.mark.parametrize("method", sorted(METHODS))


@pytest.fixture(scope="module")
def coffee() -> NDArray[np.uint8]:
    return np.asarray(data.coffee(), np.uint8)  # type: ignore[no-untyped-call]


def model(method: str = "telea") -> Inpainter:
    manifest = Manifest(name="fill", task="inpaint", head=method, sha256=hashlib.sha256(b"fill").hexdigest())
    opened = open_session(Package(Path("fill"), manifest))
    assert isinstance(opened, Inpainter)
    return opened


def scratched(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The picture with a black scratch across, and where it is."""
    hole = np.zeros(pixels.shape[:2], np.uint8)
    cv2.line(hole, (150, 120), (260, 300), 1, 5)
    return np.where(hole[:, :, None] != 0, np.uint8(0), pixels), hole.astype(bool)


@both_methods
class TestFilling:
    def test_brings_back_most_of_what_was_scratched_out(self, method: str, coffee: NDArray[np.uint8]) -> None:
        spoilt, hole = scratched(coffee)
        before = np.abs(spoilt[hole].astype(int) - coffee[hole]).mean()
        after = np.abs(fill(spoilt, hole, method=method)[hole].astype(int) - coffee[hole]).mean()
        assert after < before / 4

    def test_leaves_every_other_byte_alone(self, method: str, coffee: NDArray[np.uint8]) -> None:
        spoilt, hole = scratched(coffee)
        given = spoilt.copy()
        filled = fill(spoilt, hole, method=method)
        assert (filled[~hole] == coffee[~hole]).all()
        assert (spoilt == given).all()

    @pytest.mark.parametrize("radius", [1, 3, 7.5, 20])
    def test_gives_what_opencv_gives_on_the_whole_picture(
        self, method: str, radius: float, coffee: NDArray[np.uint8]
    ) -> None:
        chance = np.random.default_rng(5)
        for _ in range(3):
            hole = np.zeros(coffee.shape[:2], np.uint8)
            y, x, height, width = chance.integers(0, 380), chance.integers(0, 580), *chance.integers(2, 50, 2)
            hole[y : y + height, x : x + width] = 1
            whole = cv2.inpaint(coffee, hole, radius, METHODS[method])
            assert (fill(coffee, hole.astype(bool), method=method, radius=radius) == whole).all()

    def test_of_nothing_changes_nothing(self, method: str, coffee: NDArray[np.uint8]) -> None:
        assert (fill(coffee, np.zeros(coffee.shape[:2], bool), method=method) == coffee).all()

    def test_of_everything_is_refused(self, method: str) -> None:
        with pytest.raises(BadMask, match="whole picture"):
            fill(np.zeros((9, 9, 3), np.uint8), np.ones((9, 9), bool), method=method)

    def test_works_at_the_picture_s_edge_and_on_tiny_pictures(self, method: str) -> None:
        pixels = np.full((4, 4, 3), 90, np.uint8)
        hole = np.zeros((4, 4), bool)
        hole[0, 0] = hole[3, 3] = True
        assert (fill(pixels, hole, method=method) == 90).all()

    def test_keeps_radii_within_what_the_methods_can(self, method: str, coffee: NDArray[np.uint8]) -> None:
        spoilt, hole = scratched(coffee)
        small = fill(spoilt, hole, method=method, radius=1)
        assert (fill(spoilt, hole, method=method, radius=0.01) == small).all()


class TestAsAModel:
    @both_methods
    def test_speaks_the_three_verbs(self, method: str, coffee: NDArray[np.uint8]) -> None:
        spoilt, hole = scratched(coffee)
        inpainter = model(method)
        prepared = inpainter.prepare(Image.of(spoilt), (hole * 255).astype(np.uint8))
        (outputs,) = inpainter.forward([prepared])
        answer = inpainter.read(outputs, prepared, Asked(radius=7))
        assert isinstance(answer, Picture)
        assert (answer.pixels == fill(spoilt, hole, method=method, radius=7)).all()

    def test_asks_for_a_mask(self, coffee: NDArray[np.uint8]) -> None:
        with pytest.raises(MaskNeeded):
            model().prepare(Image.of(coffee))

    def test_refuses_a_mask_of_another_size(self, coffee: NDArray[np.uint8]) -> None:
        with pytest.raises(BadMask, match="50 × 40"):
            model().prepare(Image.of(coffee), np.zeros((40, 50), np.uint8))


class TestAFilm:
    def film(self, path: Path, *, spot: bool = True) -> NDArray[np.bool_]:
        """Three seconds of a brightening wall with a black spot on it; returns where the spot is."""
        hole = np.zeros((48, 64), bool)
        hole[20:26, 30:38] = True
        walls = [np.full((48, 64, 3), 80 + 40 * second, np.uint8) for second in range(3)]
        if spot:
            for wall in walls:
                wall[hole] = 0
        encode_video(list(enumerate(walls)), path, duration_s=3)
        return np.asarray(cv2.dilate(hole.astype(np.uint8), np.ones((5, 5), np.uint8)), bool)

    def test_loses_its_spot_in_every_frame_and_keeps_its_length(self, tmp_path: Path) -> None:
        hole = self.film(tmp_path / "spotted.mp4")
        filled = fill_frames(frames(tmp_path / "spotted.mp4"), hole, model())
        encode_video(filled, tmp_path / "clean.mp4", duration_s=3)
        assert probe(tmp_path / "clean.mp4").duration_s == pytest.approx(3, abs=0.01)
        shades = [sample.pixels[hole].mean() for sample in frames(tmp_path / "clean.mp4")]
        assert shades == pytest.approx([80, 120, 160], abs=6)

    def test_takes_a_mask_video_whose_last_frame_stays(self) -> None:
        pictures = [Sample(n, n / 2, np.full((20, 20, 3), 50 + n, np.uint8)) for n in range(4)]
        for sample in pictures:
            sample.pixels[5, 5] = sample.pixels[15, 15] = 255
        masks = [Sample(n, n / 2, np.zeros((20, 20, 3), np.uint8)) for n in range(2)]
        masks[1].pixels[5, 5] = 255
        filled = list(fill_frames(pictures, masks, model("navier-stokes")))
        assert [time for time, _ in filled] == [0, 0.5, 1, 1.5]
        assert [int(pixels[5, 5, 0]) for _, pixels in filled] == [255, 51, 52, 53]
        assert all((pixels[15, 15] == 255).all() for _, pixels in filled)

    def test_needs_a_mask_video_of_its_own_size(self) -> None:
        picture = Sample(0, 0, np.zeros((20, 20, 3), np.uint8))
        mask = Sample(0, 0, np.zeros((10, 20, 3), np.uint8))
        with pytest.raises(BadMask, match="20 × 10"):
            list(fill_frames([picture], [mask], model()))
        with pytest.raises(BadMask, match="no frames"):
            list(fill_frames([picture], [], model()))
