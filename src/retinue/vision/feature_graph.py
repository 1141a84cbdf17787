"""Finds in a classifier's graph what a class activation map is made of, and writes the graph again with it as output.

Most convolutional classifiers end alike: features over a grid, their mean, one linear layer. Weighted with that
layer's row of a class, the features themselves say where on the grid the class was seen.
"""

import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

Values = NDArray[np.float32]

# What may stand between the last layers without changing what they mean.
BETWEEN = {
    "Softmax",
    "Sigmoid",
    "Flatten",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
    "Dropout",
    "Identity",
    "Cast",
    "QuantizeLinear",
    "DequantizeLinear",
}
POOLS = {"GlobalAveragePool", "ReduceMean", "AveragePool"}
LINEAR = {"Gemm", "MatMul", "Conv"}
MAX_STEPS = 40


@dataclass(frozen=True, eq=False)
class Plan:
    """The name of the tensor that holds the features, and the linear layer behind their mean; without `weights` the
    features are one map per class already."""

    features: str
    weights: Values | None
    bias: Values


def plan_of(weights: Path, *, output: str | None = None) -> Plan | None:
    """Where this graph's maps come from; None where it does not end in a mean and one linear layer."""
    return _plan_of(weights, output, weights.stat().st_mtime_ns)


def graph_with_features(weights: Path, features: Sequence[str]) -> Path:
    """The same graph with these inner tensors as outputs too, in a file beside it, written once."""
    names = hashlib.sha256("\n".join(features).encode()).hexdigest()[:8]
    beside = weights.with_name(f"{weights.stem}.with-{names}.onnx")
    if not beside.exists() or beside.stat().st_mtime_ns < weights.stat().st_mtime_ns:
        model = onnx.load(str(weights), load_external_data=False)
        known = {output.name for output in model.graph.output}
        model.graph.output.extend(
            onnx.helper.make_empty_tensor_value_info(name) for name in features if name not in known
        )
        _write_whole(beside, model.SerializeToString())
    return beside


@lru_cache(maxsize=16)
def _plan_of(weights: Path, output: str | None, changed_at: int) -> Plan | None:
    model = onnx.load(str(weights), load_external_data=False)
    return _Backwards(model, folder=weights.parent).walk(output or model.graph.output[0].name)


class _Backwards:
    """Walks from a graph's answer towards its input."""

    def __init__(self, model: onnx.ModelProto, *, folder: Path) -> None:
        self.folder = folder
        self.makers = {name: node for node in model.graph.node for name in node.output}
        self.stored = {tensor.name: tensor for tensor in model.graph.initializer}
        self.linear: Values | None = None
        self.bias = np.zeros(1, np.float32)

    def walk(self, name: str) -> Plan | None:
        for _ in range(MAX_STEPS):
            node = self.makers.get(name)
            if node is None:
                return None
            if node.op_type in POOLS:
                return Plan(node.input[0], self.linear, self.bias)
            if node.op_type in BETWEEN:
                name = node.input[0]
            elif self.linear is None and node.op_type == "Add":
                beside = self._add(node)
                if beside is None:
                    return None
                name = beside
            elif self.linear is None and node.op_type in LINEAR and self._apply(node):
                name = node.input[0]
            else:
                return None
        return None

    def _add(self, node: onnx.NodeProto) -> str | None:
        """Takes a constant in as bias; returns the name of what it is added to."""
        for constant, other in ((node.input[1], node.input[0]), (node.input[0], node.input[1])):
            values = self.constant(constant)
            if values is not None:
                self.bias = self.bias + values.ravel()
                return str(other)
        return None

    def _apply(self, node: onnx.NodeProto) -> bool:
        values = self.constant(node.input[1])
        if values is None:
            return False
        if node.op_type == "Conv":
            if values.shape[2:] != (1, 1):
                return False
            values = values[:, :, 0, 0]
        elif node.op_type == "MatMul" or not _attributes(node).get("transB"):
            values = values.T
        if values.ndim != 2:
            return False
        self.linear = values
        if len(node.input) > 2:
            bias = self.constant(node.input[2])
            if bias is None:
                return False
            self.bias = self.bias + bias.ravel()
        return True

    def constant(self, name: str) -> Values | None:
        """The numbers behind a name where they do not depend on the picture."""
        if name in self.stored:
            return self._read(self.stored[name])
        node = self.makers.get(name)
        if node is None or node.op_type not in {"Constant", "Identity", "Cast", "Transpose", "DequantizeLinear"}:
            return None
        told = _attributes(node)
        if node.op_type == "Constant":
            return self._read(told["value"]) if "value" in told else None
        if node.op_type == "DequantizeLinear":
            return self._widened(node)
        values = self.constant(node.input[0])
        return values.transpose(told.get("perm")) if values is not None and node.op_type == "Transpose" else values

    def _widened(self, node: onnx.NodeProto) -> Values | None:
        parts = [self.constant(name) for name in node.input]
        if any(part is None for part in parts):
            return None
        whole, scale, *zero = (part for part in parts if part is not None)
        along = [1] * whole.ndim
        if scale.size > 1:
            along[_attributes(node).get("axis", 1)] = -1
        return (whole - (zero[0].reshape(along) if zero else 0)) * scale.reshape(along)

    def _read(self, tensor: onnx.TensorProto) -> Values:
        return numpy_helper.to_array(tensor, base_dir=str(self.folder)).astype(np.float32)


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


def _write_whole(path: Path, data: bytes) -> None:
    """Another process may read it at any moment, so it appears complete or not at all."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
    os.replace(file.name, path)  # noqa: PTH105 - one word for it, and the same
