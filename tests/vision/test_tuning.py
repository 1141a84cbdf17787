"""What is measured on this machine, what is believed, and what is remembered."""

import json
import time

import pytest

from retinue.vision import Engine
from retinue.vision.lanes import Shape
from retinue.vision.machine import _cpu_quota, _memory_limit, usable_cpus, usable_memory_bytes
from retinue.vision.package import Package
from retinue.vision.tuning import WORTH_IT, Tuned, _chosen, default_shape, remembered, tune
from tests.vision.colour_models import colour_model, plain_picture

SECONDS = 0.2  # enough to have a figure for everything; what wins in so short a time is of no interest here


@pytest.fixture(scope="module")
def colours(tmp_path_factory):
    return colour_model(tmp_path_factory.mktemp("colours"), side=32, layers=1)


class TestTheShapeNobodyMeasured:
    def test_it_has_a_lane_of_one_thread_for_every_usable_processor(self):
        assert default_shape(6) == Shape(lanes=6, threads=1, wide=4, batch=1)

    def test_one_processor_has_nothing_to_be_wide_with(self):
        assert default_shape(1) == Shape(lanes=1, threads=1, wide=0, batch=1)

    def test_an_accelerator_gets_batches(self):
        shape = default_shape(4, providers=("CUDAExecutionProvider", "CPUExecutionProvider"))
        assert (shape.lanes, shape.batch, shape.wide) == (4, 16, 0)

    def test_it_follows_the_processors_of_this_process(self):
        assert default_shape().lanes == usable_cpus() >= 1


class TestMeasuring:
    def test_every_shape_worth_trying_gets_a_figure_and_the_outcome_is_kept(self, colours, tmp_path):
        tuned = tune(colours, tmp_path, seconds=SECONDS)
        assert len(tuned.pictures_per_second) >= 3
        assert min(tuned.pictures_per_second.values()) > 0
        assert set(tuned.lone_ms) >= {"1"}
        assert remembered(colours, tmp_path) == tuned

    def test_a_graph_for_one_picture_is_not_tried_in_batches(self, tmp_path):
        tuned = tune(colour_model(tmp_path / "one", max_batch=1), tmp_path, seconds=SECONDS)
        assert all(words.endswith("batch 1") for words in tuned.pictures_per_second)
        assert tuned.shape.batch == 1

    def test_it_takes_about_as_long_as_it_was_given(self, colours, tmp_path):
        began = time.monotonic()
        tune(colours, tmp_path, seconds=SECONDS)
        assert time.monotonic() - began < SECONDS + 30


class TestChoosing:
    def test_the_quickest_shape_wins(self):
        speeds = {Shape(2): 100.0, Shape(1, threads=2): 150.0, Shape(2, batch=4): 120.0}
        assert _chosen(speeds, {"1": 10.0, "2": 6.0}).shape == Shape(1, threads=2, wide=0)

    def test_a_gain_within_the_noise_is_no_gain(self):
        speeds = {Shape(2): 100.0, Shape(2, batch=4): 100.0 * WORTH_IT - 1}
        assert _chosen(speeds, {"1": 10.0, "2": 9.9}).shape == Shape(2)

    def test_a_lone_picture_gets_the_threads_that_serve_it_soonest(self):
        speeds = {Shape(8): 100.0, Shape(1, threads=8): 50.0}
        assert _chosen(speeds, {"1": 10.0, "2": 6.0, "4": 4.0, "8": 5.0}).shape == Shape(8, wide=4)


class TestRemembering:
    def test_what_was_measured_for_one_model_says_nothing_of_another(self, colours, tmp_path):
        tune(colours, tmp_path, seconds=SECONDS)
        assert remembered(colour_model(tmp_path / "other"), tmp_path) is None

    def test_what_was_measured_on_one_device_says_nothing_of_another(self, colours, tmp_path):
        tune(colours, tmp_path, seconds=SECONDS)
        assert remembered(colours, tmp_path, providers=("CUDAExecutionProvider",)) is None

    def test_a_file_that_cannot_be_read_is_as_good_as_none(self, colours, tmp_path):
        tune(colours, tmp_path, seconds=SECONDS)
        (file,) = (tmp_path / "tuning").iterdir()
        for words in ("", "{}", "[]", '{"shape": {"lanes": 1, "sails": 2}, "pictures_per_second": {}, "lone_ms": {}}'):
            file.write_text(words, "utf-8")
            assert remembered(colours, tmp_path) is None

    async def test_the_engine_serves_in_the_shape_that_was_measured(self, colours, tmp_path):
        async with Engine(cache=tmp_path) as eye:
            told = await eye.tune(colours, seconds=SECONDS)
            assert (await eye.load(colours)) == told.shape
        keep(Tuned(Shape(lanes=1, batch=3), {}, {}), colours, tmp_path)
        async with Engine(cache=tmp_path) as eye:
            await eye.predict(colours, plain_picture("red"))
            assert eye.state()["models"][0]["shape"] == {"lanes": 1, "threads": 1, "wide": 0, "batch": 3}


def keep(tuned: Tuned, package: Package, cache) -> None:
    tune(package, cache, seconds=SECONDS)
    for file in (cache / "tuning").iterdir():
        file.write_text(json.dumps(tuned.as_json()), "utf-8")


class TestTheMachine:
    def test_the_process_may_use_some_of_it(self):
        assert usable_cpus() >= 1
        assert usable_memory_bytes() > 1 << 28

    @pytest.mark.parametrize(
        ("files", "quota"),
        [
            ({"cpu.max": "150000 100000\n"}, 1.5),
            ({"cpu.max": "max 100000\n"}, None),
            ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4.0),
            ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
            ({}, None),
        ],
    )
    def test_a_containers_share_of_processors_is_read_in_both_versions(self, files, quota, tmp_path):
        for name, words in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(words, "ascii")
        assert _cpu_quota(tmp_path) == quota

    @pytest.mark.parametrize(
        ("name", "words", "limit"),
        [
            ("memory.max", "1073741824\n", 1 << 30),
            ("memory.max", "max\n", None),
            ("memory/memory.limit_in_bytes", "536870912\n", 1 << 29),
        ],
    )
    def test_a_containers_memory_is_read_in_both_versions(self, name, words, limit, tmp_path):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(words, "ascii")
        assert _memory_limit(tmp_path) == limit
