"""Tiny real networks for tests: each names the colour that a picture has most of."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from retinue.vision.package import Frame, Manifest, Numbers, Package, checksum, write_manifest

COLOURS = ("red", "green", "blue")


def colour_model(
    folder: Path,
    *,
    name: str = "colours",
    labels: tuple[str, ...] = COLOURS,
    side: int = 8,
    layers: int = 0,
    width: int = 64,
    max_batch: int | None = None,
    broken: bool = False,
) -> Package:
    """Averages the picture; `layers` adds idle convolutions of `width` channels beside the answer, to make it slow."""
    nodes, weights = [], [numpy_helper.from_array(np.array(0.0, np.float32), "nothing")]
    nodes.append(helper.make_node("GlobalAveragePool", ["x"], ["pooled"]))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["means"]))
    last, channels = "x", 3
    for layer in range(layers):
        chance = np.random.default_rng(layer)
        numbers = (chance.standard_normal((width, channels, 3, 3)) / (3 * channels**0.5)).astype(np.float32)
        weights.append(numpy_helper.from_array(numbers, f"w{layer}"))
        nodes.append(helper.make_node("Conv", [last, f"w{layer}"], [f"c{layer}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{layer}"], [f"r{layer}"]))
        last, channels = f"r{layer}", width
    nodes.append(helper.make_node("ReduceMean", [last], ["idle"], axes=[1, 2, 3], keepdims=0))
    nodes.append(helper.make_node("Unsqueeze", ["idle", "one"], ["idle column"]))
    nodes.append(helper.make_node("Mul", ["idle column", "nothing"], ["zero"]))
    nodes.append(helper.make_node("Div" if broken else "Add", ["means", "zero"], ["y"]))
    weights.append(numpy_helper.from_array(np.array([1], np.int64), "one"))
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, side, side])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
        weights,
    )
    folder.mkdir(parents=True, exist_ok=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "model.onnx")
    told = Manifest(
        name=name,
        task="classify",
        labels=labels,
        weights="model.onnx",
        sha256=checksum(folder / "model.onnx"),
        inputs=("x",),
        frame=Frame(mode="stretch", width=side, height=side),
        numbers=Numbers(),
        head="classify",
        max_batch=max_batch,
    )
    return write_manifest(folder, told)


def plain_picture(colour: str, *, side: int = 16) -> np.ndarray:
    pixels = np.zeros((side, side, 3), np.uint8)
    pixels[:, :, COLOURS.index(colour)] = 255
    return pixels
