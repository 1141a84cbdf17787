"""Pictures reach the network's frame as the libraries of origin bring them there, and boxes come back to the pixel."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from retinue.vision.geometry import Fit, as_numbers, fit, fit_mask
from retinue.vision.images import Image, decode
from retinue.vision.package import Frame, Numbers
from tests.corpus.pictures import oriented, saved

SIZES = [(640, 480), (480, 640), (333, 500), (224, 224), (257, 256), (1021, 77), (90, 61), (300, 1000)]
PILLOW = {"bilinear": 2, "bicubic": 3, "lanczos": 1, "nearest": 0, "area": 4}


def scene(width: int, height: int) -> Image:
    """Smooth colours with hard edges, so that a shift of a fraction of a pixel shows."""
    noise = np.random.default_rng(width * height).integers(0, 256, (7, 9, 3), np.uint8)
    smooth = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    smooth[height // 3 : height // 2, width // 4 : width // 2] = (250, 10, 120)
    return Image.of(smooth)


def worst(one: np.ndarray, other: np.ndarray) -> int:
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other.astype(int)).max())


class TestCrop:
    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize("filter_name", ["bilinear", "bicubic", "lanczos"])
    def test_equals_torchvision_resize_and_centre_crop(self, size: tuple[int, int], filter_name: str) -> None:
        image = scene(*size)
        frame = Frame(mode="crop", width=224, height=224, short_side=256, filter=filter_name)
        assert worst(fit(frame, image)[0], torchvision_crop(image, 256, 224, PILLOW[filter_name])) <= 1

    def test_may_put_half_a_pixel_down_as_hugging_face_does(self) -> None:
        frame = Frame(mode="crop", width=96, height=96, short_side=110)
        image = scene(301, 203)  # 163 × 110 when resized: 33.5 pixels too many on either side
        assert fit(frame, image)[1].offset_x == -34
        assert fit(frame.model_copy(update={"crop_at": "floor"}), image)[1].offset_x == -33

    @pytest.mark.parametrize("size", [(640, 480), (480, 640), (1600, 1200), (257, 256)])
    def test_equals_what_the_installed_pillow_makes_of_the_whole_picture(self, size: tuple[int, int]) -> None:
        image = scene(*size)
        new = (256, int(256 * size[1] / size[0])) if size[0] < size[1] else (int(256 * size[0] / size[1]), 256)
        left, top = round((new[0] - 224) / 2), round((new[1] - 224) / 2)
        whole = (
            Pillow.fromarray(image.pixels)
            .resize(new, Pillow.Resampling.BICUBIC)
            .crop((left, top, left + 224, top + 224))
        )
        frame = Frame(mode="crop", width=224, height=224, short_side=256, filter="bicubic")
        assert worst(fit(frame, image)[0], np.asarray(whole)) <= 1

    @pytest.mark.parametrize("filter_name", ["bilinear", "bicubic", "lanczos", "area"])
    @pytest.mark.parametrize("size", [(4000, 3001), (3, 2000), (2000, 3), (7, 5), (1, 1)])
    def test_is_the_same_for_pictures_of_any_size(self, size: tuple[int, int], filter_name: str) -> None:
        image = scene(*size)
        frame = Frame(mode="crop", width=96, height=64, short_side=90, filter=filter_name)
        across = Pillow.fromarray(image.pixels)
        new = (90, int(90 * size[1] / size[0])) if size[0] <= size[1] else (int(90 * size[0] / size[1]), 90)
        left, top = round((new[0] - 96) / 2), round((new[1] - 64) / 2)
        if min(left, top) >= 0:
            for target in ((new[0], size[1]), new):
                across = across.resize(target, PILLOW[filter_name])
            reference = np.asarray(across.crop((left, top, left + 96, top + 64)))
            assert worst(fit(frame, image)[0], reference) <= 1

    def test_takes_the_nearest_pixel_where_no_filter_is_wanted(self) -> None:
        image = scene(400, 360)
        frame = Frame(mode="crop", width=96, height=64, short_side=90, filter="nearest")
        whole = np.asarray(Pillow.fromarray(image.pixels).resize((100, 90), Pillow.Resampling.NEAREST))
        assert np.array_equal(fit(frame, image)[0], whole[13:77, 2:98])

    def test_takes_arrays_whatever_their_order_in_memory(self) -> None:
        pixels = scene(320, 300).pixels
        frame = Frame(mode="crop", width=224, height=224, short_side=256, filter="bicubic")
        for view in (pixels[:, :, ::-1], pixels[::-1], pixels[::2, ::2], np.asfortranarray(pixels)):
            assert np.array_equal(fit(frame, Image.of(view))[0], fit(frame, Image.of(view.copy()))[0])

    def test_larger_than_the_picture_is_padded_with_black(self) -> None:
        image = scene(300, 200)
        pixels, placed = fit(Frame(mode="crop", width=128, height=128, short_side=100), image)
        inside = np.asarray(Pillow.fromarray(image.pixels).resize((150, 100), Pillow.Resampling.BILINEAR))[:, 11:139]
        assert worst(pixels[14:114], inside) <= 1
        assert not pixels[:14].any()
        assert not pixels[114:].any()
        assert placed.seen() == (22, 0, 278, 200)


def torchvision_crop(image: Image, short: int, side: int, resample: int) -> np.ndarray:
    """Resize(short) and CenterCrop(side) as torchvision.transforms.functional writes them for PIL pictures.

    Across first and then down, as Pillow resized every picture until version 12.
    """
    width, height = image.width, image.height
    tall = width <= height
    new = (short, int(short * height / width)) if tall else (int(short * width / height), short)
    resized = Pillow.fromarray(image.pixels).resize((new[0], height), resample).resize(new, resample)
    top, left = round((new[1] - side) / 2.0), round((new[0] - side) / 2.0)
    return np.asarray(resized.crop((left, top, left + side, top + side)))


class TestStretch:
    @pytest.mark.parametrize("filter_name", PILLOW)
    def test_equals_pillow(self, filter_name: str) -> None:
        image = scene(333, 500)
        frame = Frame(mode="stretch", width=224, height=160, filter=filter_name)
        reference = np.asarray(Pillow.fromarray(image.pixels).resize((224, 160), PILLOW[filter_name]))
        assert worst(fit(frame, image)[0], reference) == 0

    def test_with_opencv_equals_opencv(self) -> None:
        image = scene(333, 500)
        frame = Frame(mode="stretch", width=224, height=160, library="opencv")
        assert worst(fit(frame, image)[0], cv2.resize(image.pixels, (224, 160), interpolation=cv2.INTER_LINEAR)) == 0


class TestLetterbox:
    @pytest.mark.parametrize("size", SIZES)
    def test_equals_ultralytics(self, size: tuple[int, int]) -> None:
        image = scene(*size)
        frame = Frame(mode="letterbox", width=640, height=512, library="opencv", filter="bilinear")
        assert worst(fit(frame, image)[0], ultralytics_letterbox(image.pixels, 512, 640)) == 0

    def test_may_pad_at_the_end(self) -> None:
        frame = Frame(mode="letterbox", width=64, height=64, pad_at="end", pad_value=7)
        pixels, placed = fit(frame, scene(100, 50))
        assert (pixels[32:] == 7).all()
        assert (placed.offset_x, placed.offset_y) == (0, 0)


def ultralytics_letterbox(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """As LetterBox with auto=False does it: a constant border around cv2.resize."""
    rows, columns = pixels.shape[:2]
    ratio = min(height / rows, width / columns)
    new = round(columns * ratio), round(rows * ratio)
    across, down = (width - new[0]) / 2, (height - new[1]) / 2
    if (columns, rows) != new:
        pixels = cv2.resize(pixels, new, interpolation=cv2.INTER_LINEAR)
    top, bottom, left, right = round(down - 0.1), round(down + 0.1), round(across - 0.1), round(across + 0.1)
    return cv2.copyMakeBorder(pixels, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(114, 114, 114))


class TestWithin:
    # (width, height) → what DetrImageProcessor gives with shortest_edge 800 and longest_edge 1333
    @pytest.mark.parametrize(
        ("size", "expected"), [((640, 480), (1066, 800)), ((480, 640), (800, 1066)), ((1000, 300), (1333, 400))]
    )
    def test_takes_the_sizes_of_hugging_face(self, size: tuple[int, int], expected: tuple[int, int]) -> None:
        pixels, placed = fit(Frame(mode="within", width=1333, height=1333, short_side=800), scene(*size))
        assert (pixels.shape[1], pixels.shape[0]) == expected == (placed.frame_width, placed.frame_height)

    def test_rounds_sides_down_to_a_multiple_as_yolos_does(self) -> None:
        frame = Frame(mode="within", width=160, height=160, short_side=96, multiple_of=16)
        pixels, _ = fit(frame, scene(301, 203))
        assert pixels.shape == (96, 128, 3)  # 142 before rounding


class TestScaledDecode:
    def test_changes_pixels_by_less_than_one_level(self) -> None:
        rng = np.random.default_rng(12)
        smooth = cv2.resize(rng.integers(0, 256, (60, 80, 3), np.uint8), (2000, 1500), interpolation=cv2.INTER_CUBIC)
        photo = np.clip(smooth + rng.normal(0, 4, smooth.shape), 0, 255).astype(np.uint8)
        data = saved(Pillow.fromarray(photo), "JPEG", quality=90)
        frame = Frame(mode="crop", width=224, height=224, short_side=256, filter="bicubic")
        whole, full_fit = fit(frame, decode(data))
        scaled, scaled_fit = fit(frame, decode(data, short_side=256))
        assert scaled_fit == full_fit
        assert 0 < np.abs(whole.astype(int) - scaled.astype(int)).mean() < 1


FRAMES = {
    "stretch": Frame(mode="stretch", width=320, height=320),
    "crop": Frame(mode="crop", width=224, height=224, short_side=256),
    "letterbox": Frame(mode="letterbox", width=320, height=256, library="opencv"),
    "within": Frame(mode="within", width=400, height=400, short_side=300),
}
BOX = (210, 130, 400, 290)  # of a 640 × 480 picture, and inside its centre


def marked(box: tuple[int, int, int, int] = BOX) -> Pillow.Image:
    picture = Pillow.new("RGB", (640, 480), (20, 20, 20))
    picture.paste((250, 250, 250), box)
    return picture


def box_of(bright: np.ndarray) -> np.ndarray:
    rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], float)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(across, 0) * max(down, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)


class TestWayBack:
    @pytest.mark.parametrize("mode", FRAMES)
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_of_boxes_survives_every_orientation(self, mode: str, orientation: int) -> None:
        """A camera held in any of eight ways: the answer lies in the picture as a person sees it."""
        undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
        stored = marked() if undo is None else marked().transpose(Pillow.Transpose(undo))
        image = decode(oriented(stored, "JPEG", orientation))
        pixels, placed = fit(FRAMES[mode], image)
        (back,) = placed.boxes_back(box_of(pixels[:, :, 0] > 180)[None])
        assert iou(back, np.array(BOX, float)) >= 0.95

    @pytest.mark.parametrize("mode", FRAMES)
    def test_of_masks_lands_on_the_same_pixels(self, mode: str) -> None:
        image = Image.of(np.asarray(marked()))
        pixels, placed = fit(FRAMES[mode], image)
        back = placed.mask_back((pixels[:, :, 0] > 135).astype(np.float32)) > 0.5
        truth = np.asarray(marked())[:, :, 0] > 135
        assert back.shape == truth.shape
        assert (back & truth).sum() / (back | truth).sum() > 0.97

    def test_of_a_part_is_the_part_of_the_whole(self) -> None:
        _, placed = fit(FRAMES["letterbox"], scene(333, 500))
        coarse = np.random.default_rng(5).random((64, 80), np.float32)
        whole = placed.mask_back(coarse)
        part = placed.mask_back(coarse, region=(40, 100, 200, 333))
        assert np.abs(whole[100:333, 40:200] - part).max() < 0.04  # OpenCV places samples to 1/32 of a cell

    def test_of_a_coarse_map_equals_an_ordinary_enlargement(self) -> None:
        placed = Fit(640, 480, 320, 240, 0.5, 0.5)
        coarse = np.random.default_rng(6).random((60, 80), np.float32)
        assert np.abs(placed.mask_back(coarse) - cv2.resize(coarse, (640, 480))).max() < 0.04

    def test_knows_what_a_crop_never_saw(self) -> None:
        _, placed = fit(FRAMES["crop"], scene(640, 480))
        back = placed.mask_back(np.ones((7, 7), np.float32), outside=-1)
        x0, y0, x1, y1 = placed.seen()
        assert (x0, y0, x1, y1) == (108, 30, 530, 450)
        assert (back[y0:y1, x0:x1] == 1).all()
        assert (back == -1).sum() == 640 * 480 - (x1 - x0) * (y1 - y0)

    def test_cuts_boxes_at_the_picture(self) -> None:
        _, placed = fit(FRAMES["letterbox"], scene(100, 400))
        assert placed.boxes_back(np.array([[-50, -50, 999, 999]])).tolist() == [[0, 0, 100, 400]]


class TestMasks:
    def test_go_the_way_of_their_picture(self) -> None:
        picture = Image.of(np.asarray(marked()))
        mask = picture.pixels[:, :, 0] > 135
        for frame in FRAMES.values():
            seen, fitted = fit(frame, picture)[0][:, :, 0] > 135, fit_mask(frame, mask)
            assert not (seen & ~fitted).any()
            assert (seen & fitted).sum() / (seen | fitted).sum() > 0.97

    def test_keep_a_scratch_of_one_pixel(self) -> None:
        scratch = np.zeros((480, 640), np.bool_)
        scratch[:, 301] = True
        for frame in FRAMES.values():
            fitted = fit_mask(frame, scratch)
            assert fitted.any(axis=1).sum() >= 0.6 * len(fitted)


class TestNumbers:
    PIXELS = np.random.default_rng(9).integers(0, 256, (5, 7, 3), np.uint8)

    def test_are_scaled_shifted_and_turned(self) -> None:
        numbers = Numbers(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
        exact = (self.PIXELS / 255 - numbers.mean) / numbers.std
        given = as_numbers(self.PIXELS, numbers)
        assert given.dtype == np.float32
        assert given.flags.c_contiguous
        assert np.abs(given - exact.transpose(2, 0, 1)).max() < 1e-6

    def test_tell_mean_and_std_in_the_networks_channel_order(self) -> None:
        numbers = Numbers(scale=1, mean=(1, 2, 3), std=(1, 2, 4), channels="bgr", layout="nhwc")
        exact = (self.PIXELS[:, :, ::-1] - np.array([1, 2, 3])) / [1, 2, 4]
        assert np.abs(as_numbers(self.PIXELS, numbers) - exact).max() < 1e-4

    def test_may_stay_bytes(self) -> None:
        assert np.array_equal(as_numbers(self.PIXELS, Numbers(dtype="uint8", layout="nhwc")), self.PIXELS)

    def test_may_be_halves(self) -> None:
        given = as_numbers(self.PIXELS, Numbers(dtype="float16"))
        assert given.dtype == np.float16
        assert np.abs(given - self.PIXELS.transpose(2, 0, 1) / 255).max() < 1e-3


def test_a_picture_of_one_row_fits_every_frame() -> None:
    image = decode(io.BytesIO(saved(Pillow.new("RGB", (3000, 1), (9, 9, 9)), "PNG")).getvalue())
    for frame in FRAMES.values():
        pixels, placed = fit(frame, image)
        assert pixels.size
        assert np.isfinite(placed.boxes_back(np.array([[0, 0, 5, 5]]))).all()
