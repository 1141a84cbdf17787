"""A video is read for what it holds: frames at chosen times, upright, within limits; everything else is refused."""

import contextlib
import random
import socket
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from retinue.vision.errors import BrokenVideo, VideoTooBig, VisionError
from retinue.vision.video import Begin, Sample, VideoFacts, VideoLimits, container_of, encode_video, frames, probe
from tests.corpus.videos import BENIGN, HOSTILE, UNDECIDED, Benign, Canary, Hostile, film, quadrants

SECRET = "the canary's secret, told to nobody"


@pytest.fixture
def stored(tmp_path: Path) -> Callable[[bytes], Path]:
    def store(data: bytes) -> Path:
        path = tmp_path / "a1b2c3.mp4"  # one name for all kinds: the content decides
        path.write_bytes(data)
        return path

    return store


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Canary]:
    """Notices on the way out whether anybody called."""
    (tmp_path / "secret").write_text(SECRET)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield Canary(listener.getsockname()[1], tmp_path / "secret")
        listener.settimeout(0.01)
        with pytest.raises(TimeoutError):
            listener.accept()


class TestAHarmlessVideo:
    @pytest.mark.parametrize("twin", BENIGN, ids=lambda twin: twin.name)
    def test_is_read_whole_and_upright(self, twin: Benign, stored: Callable[[bytes], Path]) -> None:
        path = stored(twin.make())
        facts = probe(path)
        assert (facts.width, facts.height) == twin.size
        assert facts.duration_s == pytest.approx(twin.duration_s, abs=0.15)
        with frames(path, fps=5, facts=facts) as taken:
            samples = list(taken)
        assert [sample.number for sample in samples] == list(range(len(samples)))
        assert [sample.time_s for sample in samples] == [number / 5 for number in range(len(samples))]
        assert len(samples) == facts.samples_at(5) or twin.note
        assert {sample.pixels.shape for sample in samples} == {(twin.size[1], twin.size[0], 3)}
        assert any(twin.note in note for note in taken.notes) if twin.note else not taken.notes

    @pytest.mark.parametrize(
        ("name", "corners"),
        [
            ("h264 in mp4", "rgbw"),
            ("vp9 in webm", "rgbw"),
            ("h264 of ten bits", "rgbw"),
            ("oblong pixels, wide", "rgbw"),
            ("turned by 90°", "gwrb"),  # the stored picture, turned a quarter against the clock
            ("turned by 180°", "wbgr"),
            ("turned by 270°", "brwg"),
            ("mirrored", "grwb"),
        ],
    )
    def test_shows_each_corner_where_a_player_shows_it(
        self, name: str, corners: str, stored: Callable[[bytes], Path]
    ) -> None:
        twin = next(twin for twin in BENIGN if twin.name == name)
        pixels = next(frames(stored(twin.make()))).pixels.astype(int)
        height, width, _ = pixels.shape
        seen = ""
        for row, column in ((1, 1), (1, 3), (3, 1), (3, 3)):
            red, green, blue = pixels[height * row // 4, width * column // 4]
            seen += "w" if min(red, green, blue) > 200 else "rgb"[int(np.argmax((red, green, blue)))]
        assert seen == corners

    def test_tells_how_far_it_was_turned_clockwise(self, stored: Callable[[bytes], Path]) -> None:
        # A phone held upright writes the matrix (0, 1, −1, 0): shown, it is turned by 90° with the clock.
        assert probe(stored(film(turned=-90))).rotation == 90

    def test_keeps_its_colours(self, stored: Callable[[bytes], Path]) -> None:
        # The encoder of this film used BT.601, as everybody does for small pictures that name no matrix.
        shown = next(frames(stored(film(codec_options={"qp": "0"})))).pixels.astype(int)
        assert np.abs(shown[8, 8] - quadrants(96, 64)[8, 8]).max() <= 6


class TestTakingFrames:
    def test_gives_the_frame_on_screen_at_each_time(self, stored: Callable[[bytes], Path]) -> None:
        # Ten frames at uneven times; the red of each tells which it is.
        times = [0, 0.05, 0.95, 1.0, 1.4, 1.99, 2.0, 2.6, 3.2, 3.9]
        path = stored(film(times=times, size=(32, 32), codec_options={"qp": "0"}))
        shown = [step_of(sample) for sample in frames(path, fps=1)]
        assert shown == [max(n for n, time in enumerate(times) if time <= at) % 8 for at in range(4)]

    def test_gives_every_frame_at_its_own_time_on_request(self, stored: Callable[[bytes], Path]) -> None:
        times = [0, 0.1, 0.9, 1.0, 1.9]
        samples = list(frames(stored(film(times=times)), fps="source"))
        assert [sample.time_s for sample in samples] == pytest.approx(times, abs=0.001)

    def test_counts_time_from_the_first_frame(self, stored: Callable[[bytes], Path]) -> None:
        samples = list(frames(stored(film(times=[5.0, 5.5, 6.0], container="matroska")), fps="source"))
        assert [sample.time_s for sample in samples] == pytest.approx([0, 0.5, 1.0], abs=0.002)

    @pytest.mark.parametrize("container", ["mp4", "matroska", "avi"])
    def test_at_the_source_s_own_rate_skips_and_repeats_nothing(
        self, container: str, stored: Callable[[bytes], Path]
    ) -> None:
        codec = "mjpeg" if container == "avi" else "libx264"
        data = film(container=container, codec=codec, times=[n / 30 for n in range(24)], rate=30, size=(32, 32),
                    pix_fmt="yuvj420p" if codec == "mjpeg" else "yuv420p",
                    codec_options={} if codec == "mjpeg" else {"qp": "0"})  # fmt: skip
        assert [step_of(sample) for sample in frames(stored(data), fps=30)] == [n % 8 for n in range(24)]

    @pytest.mark.parametrize(
        ("container", "codec"), [("mp4", "libx264"), ("matroska", "libx264"), ("webm", "libvpx-vp9"), ("avi", "mjpeg")]
    )
    def test_from_far_inside_gives_what_a_whole_reading_gives(
        self, container: str, codec: str, stored: Callable[[bytes], Path]
    ) -> None:
        options = {"g": "40"} if codec == "libx264" else {}
        data = film(container=container, codec=codec, times=[n / 10 for n in range(300)], size=(32, 32),
                    pix_fmt="yuvj420p" if codec == "mjpeg" else "yuv420p", codec_options=options)  # fmt: skip
        path = stored(data)
        for fps, number in ((2.0, 37), ("source", 187)):
            whole = list(frames(path, fps=fps))[number:]
            part = list(frames(path, fps=fps, begin=Begin(number, round(whole[0].time_s, 3))))
            assert [(one.number, one.time_s) for one in part] == [(one.number, one.time_s) for one in whole]
            assert all(np.array_equal(one.pixels, two.pixels) for one, two in zip(part, whole, strict=True))

    def test_can_end_early(self, stored: Callable[[bytes], Path]) -> None:
        with frames(stored(film()), fps="source") as taken:
            assert next(taken).number == 0
        assert list(taken) == []

    def test_holds_one_frame_in_memory_however_long_the_film(self, stored: Callable[[bytes], Path]) -> None:
        path = stored(film(size=(640, 480), times=[n / 25 for n in range(100)], rate=25))
        tracemalloc.start()
        for _ in frames(path, fps="source"):
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 5 * 640 * 480 * 3  # all hundred would be twenty times that


class TestALimit:
    def test_on_bytes(self, stored: Callable[[bytes], Path]) -> None:
        with pytest.raises(VideoTooBig, match="MiB"):
            probe(stored(film()), limits=VideoLimits(max_bytes=1000))

    def test_on_duration(self, stored: Callable[[bytes], Path]) -> None:
        with pytest.raises(VideoTooBig, match="lasts 2 s"):
            probe(stored(film()), limits=VideoLimits(max_duration_s=1))

    def test_on_the_sides_of_the_picture_holds_for_both_ways_up(self, stored: Callable[[bytes], Path]) -> None:
        limits = VideoLimits(max_long_side=96, max_short_side=64)
        assert probe(stored(film(size=(64, 96))), limits=limits).height == 96
        with pytest.raises(VideoTooBig, match="98×64"):
            probe(stored(film(size=(98, 64))), limits=limits)
        with pytest.raises(VideoTooBig, match="96×66"):
            probe(stored(film(size=(96, 66))), limits=limits)

    def test_on_frames_is_known_before_the_first_is_taken(self, stored: Callable[[bytes], Path]) -> None:
        path = stored(film())
        with pytest.raises(VideoTooBig, match="20 frames"):
            frames(path, fps="source", limits=VideoLimits(max_frames=19))
        with pytest.raises(VideoTooBig, match="200 frames"):
            frames(path, fps=100, limits=VideoLimits(max_frames=199))
        assert len(list(frames(path, fps="source", limits=VideoLimits(max_frames=20)))) == 20

    def test_on_frames_holds_where_the_header_lied(self, stored: Callable[[bytes], Path]) -> None:
        path = stored(film())
        honest = probe(path)
        lied = VideoFacts(**{name: getattr(honest, name) for name in honest.__slots__} | {"frames_estimate": 1})
        with pytest.raises(VideoTooBig, match="more than 5 frames"):
            list(frames(path, fps="source", limits=VideoLimits(max_frames=5), facts=lied))

    def test_on_time_spent(self, stored: Callable[[bytes], Path]) -> None:
        class Hasty(VideoLimits):
            def wall_s(self, duration_s: float) -> float:
                return 0.01

        with pytest.raises(VideoTooBig, match="takes longer"):
            list(frames(stored(film()), limits=Hasty()))

    @pytest.mark.parametrize("fps", [0, -1, 1_000_000, float("nan"), float("inf")])
    def test_on_the_rate_asked_for(self, fps: float, stored: Callable[[bytes], Path]) -> None:
        with pytest.raises(VideoTooBig, match="per second"):
            frames(stored(film()), fps=fps)


class TestAHostileVideo:
    @pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
    def test_is_refused_and_reaches_nothing(
        self, hostile: Hostile, canary: Canary, stored: Callable[[bytes], Path]
    ) -> None:
        path = stored(hostile.make(canary))
        with pytest.raises(hostile.expected) as caught:
            list(frames(path, fps="source"))
        assert str(path.parent) not in caught.value.detail
        assert SECRET not in caught.value.detail

    @pytest.mark.parametrize("hostile", UNDECIDED, ids=lambda hostile: hostile.name)
    def test_reaches_nothing_even_where_it_is_read(
        self, hostile: Hostile, canary: Canary, stored: Callable[[bytes], Path]
    ) -> None:
        path = stored(hostile.make(canary))
        with contextlib.suppress(*hostile.expected):
            samples = list(frames(path, fps="source", limits=VideoLimits(max_frames=500)))
            assert len(samples) <= 500

    def test_with_flipped_bytes_is_read_or_refused(self, stored: Callable[[bytes], Path]) -> None:
        self.flip_bytes(stored, rounds=3)

    @pytest.mark.slow
    def test_with_many_more_flipped_bytes_is_read_or_refused(self, stored: Callable[[bytes], Path]) -> None:
        self.flip_bytes(stored, rounds=100)

    def flip_bytes(self, stored: Callable[[bytes], Path], *, rounds: int) -> None:
        chance = random.Random(3)
        for twin in (BENIGN[0], next(twin for twin in BENIGN if twin.name == "vp9 in webm")):
            whole = twin.make()
            for _ in range(rounds):
                spoilt = bytearray(whole)
                for _ in range(chance.randint(1, 12)):
                    spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
                with contextlib.suppress(VisionError):
                    assert len(list(frames(stored(bytes(spoilt)), fps=5))) <= 10_000


class TestTheKindOfFile:
    def test_is_told_by_its_first_bytes(self) -> None:
        assert container_of(film()[:64]) == "mp4"
        assert container_of(film(container="mov")[:64]) == "mov"
        assert container_of(film(codec="libvpx", container="webm")[:64]) == "webm"
        assert container_of(film(container="matroska")[:64]) == "matroska"
        assert container_of(film(codec="mpeg4", container="avi")[:64]) == "avi"
        assert container_of(b"\x89PNG\r\n\x1a\n" + bytes(56)) is None
        assert container_of(b"") is None


class TestWritingAFilm:
    def test_lasts_as_long_as_its_source(self, tmp_path: Path, stored: Callable[[bytes], Path]) -> None:
        source = stored(film(times=[n / 10 for n in range(37)]))
        facts = probe(source)
        shown = ((sample.time_s, sample.pixels) for sample in frames(source, fps=1, facts=facts))
        encode_video(shown, tmp_path / "out.mp4", duration_s=facts.duration_s)
        made = probe(tmp_path / "out.mp4")
        assert made.duration_s == pytest.approx(3.7, abs=0.01)
        assert (made.frames_estimate, made.codec, made.rotation) == (4, "h264", 0)
        assert (made.width, made.height) == (facts.width, facts.height)

    def test_shows_each_picture_at_its_time(self, tmp_path: Path) -> None:
        times = [0, 0.3, 1.7, 5.0]
        pictures = [(time, quadrants(64, 48, step=2 * n)) for n, time in enumerate(times)]
        encode_video(pictures, tmp_path / "out.mp4", duration_s=6)
        samples = list(frames(tmp_path / "out.mp4", fps="source"))
        assert [sample.time_s for sample in samples] == pytest.approx(times, abs=0.001)
        assert [step_of(sample) for sample in samples] == [0, 2, 4, 6]

    def test_keeps_colours_and_an_odd_size(self, tmp_path: Path) -> None:
        encode_video([(0, quadrants(97, 65))], tmp_path / "out.mp4", duration_s=1)
        (sample,) = frames(tmp_path / "out.mp4", fps=1)
        assert sample.pixels.shape == (66, 98, 3)
        for row, column in ((10, 10), (10, 80), (50, 10), (50, 80)):
            assert np.abs(sample.pixels[row, column].astype(int) - quadrants(97, 65)[row, column]).max() <= 8

    def test_keeps_going_when_two_pictures_have_one_time(self, tmp_path: Path) -> None:
        encode_video([(0, quadrants(32, 32)), (0, quadrants(32, 32, step=4))], tmp_path / "out.mp4", duration_s=1)
        assert probe(tmp_path / "out.mp4").frames_estimate == 2

    def test_refuses_pictures_of_two_sizes_and_none_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(BrokenVideo, match="one size"):
            encode_video([(0, quadrants(32, 32)), (1, quadrants(64, 32))], tmp_path / "a.mp4", duration_s=2)
        with pytest.raises(BrokenVideo, match="at least one"):
            encode_video([], tmp_path / "b.mp4", duration_s=2)


def step_of(sample: Sample) -> int:
    """Which step of `quadrants` this is, by the red of its first corner."""
    return round((200 - float(sample.pixels[4:8, 4:8, 0].mean())) / 10)
