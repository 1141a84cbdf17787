"""Bare arrays through the published graph: what fits, what is refused, and that pieces come together again."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from retinue.vision.engine import Engine
from retinue.vision.errors import BadTensors, MaskNeeded, NoTensors, TooBig
from retinue.vision.package import Package
from retinue.vision.results import Classes
from retinue.vision.tensors import Spec
from tests.pictures import photograph
from tests.vision.colour_models import colour_model


@pytest.fixture
def colours(tmp_path: Path) -> Package:
    return colour_model(tmp_path / "colours")


@pytest.fixture
async def eye(builtin_models: Path) -> AsyncIterator[Engine]:
    async with Engine(cache=builtin_models, threads=2) as eye:
        yield eye


def pictures(count: int, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 3, 8, 8), np.float32)


class TestAskingWithArrays:
    async def test_the_graph_says_what_it_takes(self, eye: Engine, colours: Package) -> None:
        signature = await eye.signature(colours)
        assert signature.inputs == (Spec("x", "float32", (-1, 3, 8, 8)),)
        assert signature.outputs == (Spec("y", "float32", (-1, 3)),)

    async def test_every_element_has_its_own_answer_in_its_own_place(self, eye: Engine, colours: Package) -> None:
        given = pictures(9)
        many, one = await asyncio.gather(eye.infer(colours, {"x": given}), eye.infer(colours, {"x": given[4:5]}))
        assert many.outputs["y"].shape == (9, 3)
        np.testing.assert_allclose(many.outputs["y"], given.mean(axis=(2, 3)), rtol=1e-5)
        np.testing.assert_array_equal(many.outputs["y"][4:5], one.outputs["y"])

    @pytest.mark.parametrize(
        ("given", "outputs"),
        [
            ({}, ()),
            ({"x": pictures(1), "z": pictures(1)}, ()),
            ({"x": pictures(1).astype(np.float64)}, ()),
            ({"x": pictures(1)[0]}, ()),
            ({"x": pictures(1)[:, :, :7]}, ()),
            ({"x": pictures(0)}, ()),
            ({"x": pictures(1)}, ("z",)),
            ({"x": pictures(1)}, ("y", "y")),
        ],
    )
    async def test_what_does_not_fit_is_refused_in_words(
        self, eye: Engine, colours: Package, given: dict[str, np.ndarray], outputs: tuple[str, ...]
    ) -> None:
        with pytest.raises(BadTensors, match=r"\."):
            await eye.infer(colours, given, outputs)

    async def test_there_is_an_end_to_a_batch(self, eye: Engine, colours: Package) -> None:
        with pytest.raises(TooBig):
            await eye.infer(colours, {"x": pictures(129)})

    async def test_what_is_no_network_has_no_tensors(self, eye: Engine) -> None:
        with pytest.raises(NoTensors):
            await eye.signature("inpaint-telea")


class TestAskingWithEncodedPictures:
    async def test_the_graphs_answer_and_the_readers_come_together(self, eye: Engine) -> None:
        inferred = await eye.infer("efficientnet-lite0", [photograph("coffee"), photograph("rocket")])
        assert inferred.outputs["logits"].shape == (2, 1000)
        labels = [seen.result.items[0].label for seen in inferred.seen if isinstance(seen.result, Classes)]
        assert labels == ["espresso", "missile"]
        assert list(inferred.outputs["logits"].argmax(axis=1)) == [
            seen.result.items[0].class_id for seen in inferred.seen if isinstance(seen.result, Classes)
        ]

    async def test_inpainting_needs_more_than_a_picture(self, eye: Engine) -> None:
        with pytest.raises((MaskNeeded, NoTensors)):
            await eye.infer("inpaint-ns", [photograph("coffee")])
