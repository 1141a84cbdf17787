"""Graphs that say nothing about themselves, as torchvision, Keras and LaMa leave them."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.vision.exports.graphs import answering

SCORES = np.array([[0.0, 5.0, 0.0]], np.float32)


def torchvision_classifier(*, picture: Any = (1, 3, 224, 224), dtype: str = "float32") -> onnx.ModelProto:
    batch = picture[0]
    return answering({"output": SCORES}, name="input", picture=picture, dtype=dtype, shapes={"output": (batch, 3)})


def torchvision_detector() -> onnx.ModelProto:
    """One picture without a batch side; classes count from 1, 0 is the background."""
    return answering(
        {
            "boxes": np.array([[10, 20, 30, 60], [0, 0, 5, 5]], np.float32),
            "labels": np.array([1, 2], np.int64),
            "scores": np.array([0.9, 0.1], np.float32),
        },
        name="image",
        picture=(3, 64, 64),
        shapes={"boxes": ("found", 4), "labels": ("found",), "scores": ("found",)},
    )


def keras_classifier(*, rescaling: bool = False, dtype: str = "float32") -> onnx.ModelProto:
    """Colours last, a softmax at the end; with `rescaling` the graph divides by 255 itself."""
    nodes = [helper.make_node("Cast", ["keras_tensor"], ["numbers"], to=TensorProto.FLOAT)]
    if rescaling:
        nodes.append(helper.make_node("Mul", ["numbers", "by"], ["scaled"]))
    nodes += [
        helper.make_node("Transpose", ["scaled" if rescaling else "numbers"], ["turned"], perm=[0, 3, 1, 2]),
        helper.make_node("GlobalAveragePool", ["turned"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "kernel"], ["dense"]),
        helper.make_node("Softmax", ["dense"], ["output_0"]),
    ]
    weights = [
        numpy_helper.from_array(np.eye(3, dtype=np.float32), "kernel"),
        numpy_helper.from_array(np.float32(1 / 255), "by"),
    ]
    kind = TensorProto.UINT8 if dtype == "uint8" else TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "functional",
        [helper.make_tensor_value_info("keras_tensor", kind, ["unk__1", 32, 32, 3])],
        [helper.make_tensor_value_info("output_0", TensorProto.FLOAT, ["unk__2", 3])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="tf2onnx")
    model.ir_version = 8
    return model


def lama(*, side: int = 64, times: float = 255.0) -> onnx.ModelProto:
    """Picture and mask in; what is masked comes out grey, the rest as it was, in 0…255 where `times` says so."""
    nodes = [
        helper.make_node("Sub", ["one", "mask"], ["kept"]),
        helper.make_node("Mul", ["image", "kept"], ["rest"]),
        helper.make_node("Mul", ["mask", "half"], ["grey"]),
        helper.make_node("Add", ["rest", "grey"], ["painted"]),
        helper.make_node("Mul", ["painted", "times"], ["output"]),
    ]
    numbers = {"one": 1.0, "half": 0.5, "times": times}
    graph = helper.make_graph(
        nodes,
        "lama",
        [
            helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, side, side]),
            helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1, 1, side, side]),
        ],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 3, side, side])],
        [numpy_helper.from_array(np.float32(value), name) for name, value in numbers.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="pytorch")
    model.ir_version = 8
    return model
