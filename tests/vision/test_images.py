"""Bytes become upright RGB pictures, or one of three refusals, within time and memory."""

import io
import json
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps, JpegImagePlugin

from retinue.vision.errors import BadContent, BrokenPicture, PictureTooBig, TooBig, UnknownKind, VisionError
from retinue.vision.guards import JPEG_MARK
from retinue.vision.images import (
    Image,
    Limits,
    decode,
    decode_grey,
    encode_jpeg,
    encode_png,
    encode_webp,
    read_header,
)
from tests.corpus.pictures import (
    FLAG,
    HEIGHT,
    WIDTH,
    Case,
    benign_pictures,
    flag,
    hostile_pictures,
    mutated_pictures,
    oriented,
    png,
    saved,
    slow_headers,
)

ROOT = Path(__file__).parents[2]
REFUSALS = {413: TooBig, 415: UnknownKind, 422: BadContent}


def quadrants(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    return pixels[height // 4 :: height // 2, width // 4 :: width // 2][:2, :2].reshape(4, 3).astype(int)


class TestHostilePictures:
    @pytest.mark.parametrize("case", hostile_pictures(), ids=str)
    def test_each_gets_its_answer(self, case: Case) -> None:
        if case.status == "ok":
            accepted(case)
            return
        with pytest.raises(REFUSALS[case.status]) as refusal:
            decode(case.data)
        assert refusal.value.code == case.code

    def test_takes_neither_long_nor_much_memory(self, tmp_path: Path) -> None:
        """In a process of its own, because a peak of memory never goes down again: those to be refused go first."""
        cases = sorted(hostile_pictures(), key=lambda case: case.status == "ok")
        for place, case in enumerate(cases):
            (tmp_path / f"{place:03}").write_bytes(case.data)
        told = subprocess.run([sys.executable, "-c", WATCHED, tmp_path], cwd=ROOT, capture_output=True, check=True)
        seconds, peaks_mib = zip(*json.loads(told.stdout), strict=True)
        refused = sum(case.status != "ok" for case in cases)
        assert len(seconds) == 1 + len(cases)
        assert max(seconds) < 5
        assert peaks_mib[refused] - peaks_mib[0] < 64  # 20 of them are the largest file itself
        assert peaks_mib[-1] < 1024

    def test_a_refusal_says_nothing_of_the_decoder(self) -> None:
        with pytest.raises(BrokenPicture) as refusal:
            decode(saved(flag(), "PNG")[:60])
        assert refusal.value.detail == "The PNG ends before it is complete."
        with pytest.raises(BrokenPicture) as refusal:
            decode(saved(flag(), "JPEG")[:400])
        assert refusal.value.detail == "The picture is broken: it cannot be decoded."
        assert isinstance(refusal.value.__cause__, OSError)


WATCHED = """
import json, sys, time
from pathlib import Path
from retinue.vision.errors import VisionError
from retinue.vision.images import decode
from tests.corpus.pictures import benign_pictures

def peak_mib():  # not getrusage's: that one begins with the parent's peak
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM:"))

for case in benign_pictures()[-20:]:
    decode(case.data)
seen = [(0, peak_mib())]
for file in sorted(Path(sys.argv[1]).iterdir()):
    started = time.process_time()  # what others take of the machine is not counted
    try:
        decode(file.read_bytes())
    except VisionError:
        pass
    seen.append((time.process_time() - started, peak_mib()))
print(json.dumps(seen))
"""


def accepted(case: Case) -> None:
    data = case.data
    image = decode(data)
    assert image.pixels.dtype == np.uint8
    assert image.pixels.shape == (image.height, image.width, 3)
    assert read_header(data) == image.header
    if case.size:
        assert (image.width, image.height) == case.size
    if case.colours:
        assert np.abs(quadrants(image.pixels) - np.array(case.colours)).max() <= 6


class TestBenignPictures:
    @pytest.mark.parametrize("case", benign_pictures(), ids=str)
    def test_each_is_accepted_with_its_size_and_colours(self, case: Case) -> None:
        accepted(case)


class TestMutatedPictures:
    def test_all_are_read_or_refused(self) -> None:
        self.read_or_refuse(400)

    @pytest.mark.slow
    def test_all_of_five_thousand_are_read_or_refused(self) -> None:
        self.read_or_refuse(5000)

    @staticmethod
    def read_or_refuse(count: int) -> None:
        read = 0
        for data in mutated_pictures(count):
            try:
                image = decode(data)
            except VisionError:
                continue
            read += 1
            assert image.pixels.shape == (image.height, image.width, 3)
        assert 0.1 < read / count < 0.9  # else the mutations are too wild or too tame to prove anything


def cpu_seconds(data: bytes) -> float:
    """Of the quicker of two readings; the processor's time, because others may use the machine too."""
    spent = []
    for _ in range(2):
        started = time.process_time()
        with suppress(VisionError):
            read_header(data)
        spent.append(time.process_time() - started)
    return min(spent)


class TestHeader:
    @pytest.mark.parametrize("case", slow_headers(), ids=str)
    def test_is_refused_quickly_where_reading_it_would_take_long(self, case: Case) -> None:
        data = case.data
        assert len(data) <= Limits().max_bytes
        with pytest.raises(PictureTooBig):
            read_header(data)
        assert cpu_seconds(data) < 0.1  # at most 0.02 when nothing else runs; Pillow alone takes up to 4

    @pytest.mark.parametrize("case", benign_pictures(), ids=str)
    def test_takes_no_time_worth_telling_where_it_is_fine(self, case: Case) -> None:
        assert cpu_seconds(case.data) < 0.1

    def test_of_a_jpeg_is_walked_over_as_pillow_walks(self) -> None:
        """A mark that one side takes for the start of a segment and the other does not would hide what follows it."""
        measured = {mark & 0xFF for mark, (_, _, reader) in JpegImagePlugin.MARKER.items() if reader}
        assert {mark for mark in range(256) if JPEG_MARK.match(bytes((0xFF, mark)))} == measured | {0xD9}

    def test_tells_kind_and_size_as_a_person_sees_it(self) -> None:
        header = read_header(oriented(flag(), "JPEG", 6))
        assert (header.kind, header.mime_type, header.extension) == ("jpeg", "image/jpeg", ".jpg")
        assert (header.width, header.height, header.orientation) == (HEIGHT, WIDTH, 6)

    def test_is_read_without_the_pixels(self) -> None:
        data = png(7000, 5000, depth=16, colour=6, rows=1)
        assert read_header(data).width == 7000
        with pytest.raises(BrokenPicture):
            decode(data)

    def test_takes_a_memoryview(self) -> None:
        assert read_header(memoryview(saved(flag(), "PNG"))).kind == "png"

    def test_obeys_other_limits_in_both_directions(self) -> None:
        small = Limits(max_pixels=1000)
        with pytest.raises(PictureTooBig, match="megapixels"):
            read_header(saved(flag(), "PNG"), small)
        with pytest.raises(PictureTooBig, match="bytes"):
            read_header(saved(flag(), "PNG"), Limits(max_bytes=10))
        assert read_header(png(13_000, 13_000, depth=1), Limits(max_pixels=200_000_000)).width == 13_000


class TestOrientation:
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_is_what_pillow_makes_of_it(self, orientation: int) -> None:
        picture = Pillow.fromarray(np.random.default_rng(orientation).integers(0, 256, (40, 56, 3), np.uint8))
        data = oriented(picture, "JPEG", orientation)
        reference = np.asarray(ImageOps.exif_transpose(Pillow.open(io.BytesIO(data))))
        assert np.array_equal(decode(data).pixels, reference)


class TestScaledDecode:
    def test_keeps_the_short_side_long_enough(self) -> None:
        picture = Pillow.effect_noise((1600, 1200), 60).convert("RGB")
        image = decode(saved(picture, "JPEG"), short_side=256)
        assert (image.width, image.height) == (1600, 1200)
        assert image.pixels.shape == (300, 400, 3)

    def test_leaves_other_kinds_and_small_pictures_alone(self) -> None:
        picture = Pillow.effect_noise((640, 480), 60).convert("RGB")
        assert decode(saved(picture, "JPEG"), short_side=256).pixels.shape == (480, 640, 3)
        assert decode(saved(picture, "PNG"), short_side=32).pixels.shape == (480, 640, 3)

    def test_turns_what_it_scaled(self) -> None:
        picture = flag().resize((1024, 768), Pillow.Resampling.NEAREST)
        stored = picture.transpose(Pillow.Transpose.ROTATE_90)
        image = decode(oriented(stored, "JPEG", 6), short_side=256)
        assert image.pixels.shape == (384, 512, 3)
        assert (image.width, image.height) == (1024, 768)
        assert np.abs(quadrants(image.pixels) - np.array(FLAG)).max() <= 6


class TestGrey:
    def test_is_luminance(self) -> None:
        grey = decode_grey(saved(flag(), "PNG"))
        assert grey.shape == (HEIGHT, WIDTH)
        assert [int(grey[12, 16]), int(grey[12, 48]), int(grey[36, 48])] == [76, 150, 255]

    def test_of_a_one_bit_mask_is_exact(self) -> None:
        mask = np.random.default_rng(1).random((33, 21)) > 0.5
        assert np.array_equal(decode_grey(encode_png(mask)) == 255, mask)

    def test_takes_nothing_for_black(self) -> None:
        painted = Pillow.new("RGBA", (8, 8), (255, 255, 255, 0))
        painted.paste((255, 255, 255, 255), (2, 2, 6, 6))
        assert decode_grey(saved(painted, "PNG")).sum() == 16 * 255

    def test_is_upright(self) -> None:
        assert decode_grey(oriented(flag().convert("L"), "JPEG", 8)).shape == (WIDTH, HEIGHT)


class TestEncoding:
    def test_gives_the_pixels_back_and_no_metadata(self) -> None:
        pixels = decode(oriented(flag(), "JPEG", 3)).pixels
        for data, worst in ((encode_png(pixels), 0), (encode_jpeg(pixels, 95), 8), (encode_webp(pixels, 95), 8)):
            again = decode(data)
            assert np.abs(quadrants(again.pixels) - quadrants(pixels)).max() <= worst
            assert not Pillow.open(io.BytesIO(data)).getexif()


class TestArrays:
    def test_are_pictures_too(self) -> None:
        pixels = np.asarray(flag())
        image = Image.of(pixels)
        assert (image.width, image.height) == (WIDTH, HEIGHT)
        assert np.array_equal(image.pixels, pixels)

    @pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3)])
    def test_of_another_shape_are_refused(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(BrokenPicture):
            Image.of(np.zeros(shape, np.uint8))
