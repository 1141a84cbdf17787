"""Networks of a known size with random weights: what they answer means nothing, what they cost is real."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from retinue.vision.package import Frame, Manifest, Numbers, Package, checksum, write_manifest

# blocks, channels inside, stride of the first block
RESNET50 = ((3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2))


def resnet50(folder: Path) -> Package:
    """The layers of ResNet-50 with its batch norms folded: 25.6 million weights, 4.1 billion multiplications."""
    drawing = _Drawing()
    x = drawing.convolution("pixels", 3, 64, kernel=7, stride=2)
    x = drawing.node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = 64
    for blocks, inside, stride in RESNET50:
        for block in range(blocks):
            x = _bottleneck(drawing, x, channels, inside, stride=stride if block == 0 else 1)
            channels = 4 * inside
    x = drawing.node("Flatten", [drawing.node("GlobalAveragePool", [x])])
    drawing.linear(x, channels, 1000)
    return _package(drawing, folder)


def _bottleneck(drawing: "_Drawing", x: str, channels: int, inside: int, *, stride: int) -> str:
    kept, out = x, 4 * inside
    y = drawing.convolution(x, channels, inside, kernel=1)
    y = drawing.convolution(y, inside, inside, kernel=3, stride=stride)
    y = drawing.convolution(y, inside, out, kernel=1, active=False)
    if channels != out:
        kept = drawing.convolution(x, channels, out, kernel=1, stride=stride, active=False)
    return drawing.node("Relu", [drawing.node("Add", [y, kept])])


@dataclass
class _Drawing:
    chance: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))
    nodes: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)

    def node(self, kind: str, inputs: list[str], *, output: str = "", **attributes: Any) -> str:
        output = output or f"x{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def put(self, *shape: int, spread: float) -> str:
        name = f"w{len(self.weights)}"
        numbers = (self.chance.standard_normal(shape) * spread).astype(np.float32)
        self.weights.append(numpy_helper.from_array(numbers, name))
        return name

    def convolution(self, x: str, channels: int, out: int, *, kernel: int, stride: int = 1, active: bool = True) -> str:
        # Small enough that sums stay finite through all layers, because infinities cost another time.
        weight = self.put(out, channels, kernel, kernel, spread=(channels * kernel**2) ** -0.5)
        shape: dict[str, Any] = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [kernel // 2] * 4}
        y = self.node("Conv", [x, weight, self.put(out, spread=0.01)], **shape)
        return self.node("Relu", [y]) if active else y

    def linear(self, x: str, channels: int, out: int) -> str:
        weight, bias = self.put(out, channels, spread=channels**-0.5), self.put(out, spread=0.01)
        return self.node("Gemm", [x, weight, bias], output="logits", transB=1)


def _package(drawing: _Drawing, folder: Path) -> Package:
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, 224, 224])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 1000])
    graph = helper.make_graph(drawing.nodes, "resnet50", [pixels], [logits], drawing.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    told = Manifest(
        name="resnet50-sized",
        task="classify",
        labels=tuple(f"class {n}" for n in range(1000)),
        weights="model.onnx",
        sha256=checksum(folder / "model.onnx"),
        inputs=("pixels",),
        frame=Frame(mode="crop", width=224, height=224, short_side=256, filter="bicubic", scaled_decode=True),
        numbers=Numbers(mean=mean, std=std),
        head="classify",
    )
    return write_manifest(folder, told)
