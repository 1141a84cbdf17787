"""What no software can pass: a network's arithmetic and memory traffic, at the speeds this machine really reaches."""

import time
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import shape_inference

from retinue.vision.package import Package


@dataclass(frozen=True)
class Limits:
    """Of one picture through one network; `at_most` is pictures per second of the whole machine."""

    billion_operations: float
    megabytes: float
    at_most: float

    def __str__(self) -> str:
        machine = f"{operations_per_second() / 1e9:.0f} billion operations/s, {bytes_per_second() / 1e9:.0f} GB/s"
        needs = f"{self.billion_operations:.2f} billion operations and {self.megabytes:.0f} MB a picture"
        return f"{needs}: at most {self.at_most:.0f} pictures/s at this machine's {machine}"


def limits_of(package: Package) -> Limits:
    """Counted in the graph as published: two operations for each multiplication; weights and maps touched once."""
    assert package.weights is not None
    graph = shape_inference.infer_shapes(onnx.load(package.weights)).graph
    shapes = {told.name: _shape(told) for told in (*graph.value_info, *graph.input, *graph.output)}
    weights = {told.name: tuple(told.dims) for told in graph.initializer}
    operations = sum(_operations(node, shapes, weights) for node in graph.node)
    maps = sum(prod(shapes[name]) for node in graph.node for name in node.output if name in shapes)
    size = 4 * (maps + sum(prod(shape) for shape in weights.values()))
    slowest = max(operations / operations_per_second(), size / bytes_per_second())
    return Limits(operations / 1e9, size / 1e6, 1 / slowest)


@cache
def operations_per_second() -> float:
    """The best of a few products of large matrices, on all processors."""
    a = np.random.default_rng(7).standard_normal((1024, 1024), np.float32)
    return max(2 * 1024**3 / _seconds(lambda: a @ a) for _ in range(15))


@cache
def bytes_per_second() -> float:
    """Reading and writing far more than a cache holds, in one thread."""
    a = np.ones(32 << 20, np.float32)
    b = np.empty_like(a)
    return max(2 * a.nbytes / _seconds(lambda: np.copyto(b, a)) for _ in range(5))


def _operations(node: Any, shapes: dict[str, tuple[int, ...]], weights: dict[str, tuple[int, ...]]) -> int:
    if node.op_type not in {"Conv", "Gemm", "MatMul"}:
        return 0
    weight = weights[node.input[1]]
    each = prod(weight[1:]) if node.op_type == "Conv" else weight[-1] if _transposed(node) else weight[0]
    return 2 * each * prod(shapes[node.output[0]])


def _transposed(node: Any) -> bool:
    return any(told.name == "transB" and told.i for told in node.attribute)


def _shape(told: Any) -> tuple[int, ...]:
    """A batch is counted as one picture."""
    return tuple(side.dim_value or 1 for side in told.type.tensor_type.shape.dim)


def _seconds(do: Any) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began
