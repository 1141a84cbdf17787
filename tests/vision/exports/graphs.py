"""Small ONNX graphs with the inputs, outputs and metadata of real exports, and an answer that the test chooses."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence[int | str]

TYPES = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "uint8": TensorProto.UINT8}


def answering(
    answers: Mapping[str, NDArray[Any]],
    *,
    picture: Shape,
    name: str = "images",
    dtype: str = "float32",
    shapes: Mapping[str, Shape] | None = None,
    others: Mapping[str, Shape] | None = None,
    last: str = "Identity",
    metadata: Mapping[str, Any] | None = None,
    producer: str = "pytorch",
    opset: int = 17,
) -> onnx.ModelProto:
    """A graph that gives these answers (each with a batch side of 1) for every picture of the batch.

    The answers depend on the picture only by a sum times zero: enough that nothing can be folded away. `last` is an
    operator put behind each answer, `shapes` how the outputs are declared.
    """
    axes = list(range(1, len(picture))) if len(picture) == 4 else list(range(len(picture)))
    nodes = [
        helper.make_node("Cast", [name], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers"], ["mean"], axes=axes, keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
    ]
    weights = [numpy_helper.from_array(np.float32(0), "zero")]
    outputs = []
    for output, values in answers.items():
        weights.append(numpy_helper.from_array(values, f"{output}_values"))
        outputs.append(_declared(output, (shapes or {}).get(output, values.shape), values.dtype))
        like = np.array([-1, *[1] * (values.ndim - 1)] if len(picture) == 4 else [1] * values.ndim, np.int64)
        weights.append(numpy_helper.from_array(like, f"{output}_like"))
        nodes += [
            helper.make_node("Reshape", ["nothing", f"{output}_like"], [f"{output}_nothing"]),
            helper.make_node(
                "Cast", [f"{output}_nothing"], [f"{output}_cast"], to=helper.np_dtype_to_tensor_dtype(values.dtype)
            ),
            helper.make_node("Add", [f"{output}_values", f"{output}_cast"], [f"{output}_raw"]),
            helper.make_node(last, [f"{output}_raw"], [output]),
        ]
    inputs = [helper.make_tensor_value_info(name, TYPES[dtype], list(picture))]
    inputs += [
        helper.make_tensor_value_info(one, TensorProto.FLOAT, list(shape)) for one, shape in (others or {}).items()
    ]
    graph = helper.make_graph(nodes, "main_graph", inputs, outputs, weights)
    return _model(graph, metadata=metadata, producer=producer, opset=opset)


def save(model: onnx.ModelProto, file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(model.SerializeToString())
    return file


def _model(graph: onnx.GraphProto, *, metadata: Mapping[str, Any] | None, producer: str, opset: int) -> onnx.ModelProto:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], producer_name=producer)
    model.ir_version = 8
    for key, value in (metadata or {}).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, str(value)
    return model


def _declared(name: str, shape: Shape, dtype: np.dtype[Any]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(dtype), list(shape))
