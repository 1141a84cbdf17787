"""Starts a training from a detector that was exported before: reads the weights back out of its ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from training.toolbox.detector import Detector

NORM = ("weight", "bias", "running_mean", "running_var")


def load_exported(network: Detector, weights: Path, pictures: Tensor) -> list[str]:
    """Fills every layer that the file knows, and returns the names of those that it does not.

    The export folded most norms into the convolutions before them. Such a norm gets back the mean and the spread that
    `pictures` ([n, 3, side, side], 0 to 1) have in front of it, and the scale and shift that undo both: the answers
    stay the same, and the training goes on with norms that fit. Some dozen pictures are enough.
    """
    graph = onnx.load(str(weights)).graph
    values = {one.name: torch.from_numpy(np.array(numpy_helper.to_array(one))) for one in graph.initializer}
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in values:  # equal values are kept once
            values[node.output[0]] = values[node.input[0]]
    layers = dict(network.named_modules())
    folded: dict[nn.Module, Tensor] = {}
    known = set()
    for node in graph.node:
        if node.op_type != "Conv":
            continue
        name = layer_of(node.name)
        convolution = layers[name]
        weight, *bias = (values[key] for key in node.input[1:])
        fill(convolution, weight=weight)
        known.add(name)
        if getattr(convolution, "bias", None) is not None:
            fill(convolution, bias=bias[0])
            continue
        norm = name_behind(name)
        if bias:
            folded[layers[norm]] = bias[0]
        else:  # this one was exported as it is
            fill(layers[norm], **{key: values[f"detector.{norm}.{key}"] for key in NORM})
    unfold(network, folded, pictures)
    return [name for name, layer in layers.items() if isinstance(layer, nn.Conv2d) and name not in known]


def layer_of(node: str) -> str:
    """`/detector/heads.0/boxes/boxes.1/boxes.1.2/Conv` is `heads.0.boxes.1.2`: each part repeats the ones it is in."""
    parts = node.strip("/").split("/")[1:-1]
    inner = [*parts[1:], ""]
    return ".".join(part for part, after in zip(parts, inner, strict=True) if not after.startswith(part + "."))


def name_behind(name: str) -> str:
    before, _, number = name.rpartition(".")
    return f"{before}.{int(number) + 1}"


def fill(layer: nn.Module, **values: Tensor) -> None:
    with torch.no_grad():
        for key, value in values.items():
            getattr(layer, key).copy_(value)


def unfold(network: Detector, folded: dict[nn.Module, Tensor], pictures: Tensor) -> None:
    """One pass is enough: when a norm is reached, those before it are right already."""

    def settle(norm: nn.Module, inputs: tuple[Any, ...]) -> None:
        spread, mean = torch.var_mean(inputs[0].float(), dim=(0, 2, 3))
        assert isinstance(norm, nn.BatchNorm2d)
        scale = (spread + norm.eps).sqrt()
        fill(norm, running_mean=mean, running_var=spread, weight=scale, bias=mean + folded[norm])

    hooks = [norm.register_forward_pre_hook(settle) for norm in folded]
    was_training = network.training
    with torch.no_grad():
        network.eval()(pictures)
    network.train(was_training)
    for hook in hooks:
        hook.remove()
