"""Writes the trained detector as one ONNX file that says about itself what Ultralytics' exports say."""

from __future__ import annotations

import argparse
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from training.toolbox.detector import STRIDES, Detector, corners, stride_two_padding
from training.toolbox.scene import LABELS
from training.toolbox.scene_cache import INPUT

OPSET = 17
DESCRIPTION = (
    "Finds the 11 tools of a hand toolkit. Trained by the Retinue project on drawn pictures only, no photographs; "
    "the backbone started from EfficientNet-Lite0's ImageNet weights."
)


class Answer(nn.Module):
    """[n, 4 + labels, anchors]: centre, size in input pixels, then a score for each label."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, pictures: Tensor) -> Tensor:
        raw = self.detector(pictures)
        box = corners(raw)
        low, high = box[..., :2], box[..., 2:]
        return torch.cat(((low + high) / 2, high - low, raw.logits.sigmoid()), -1).transpose(1, 2)


def export(checkpoint: Path, out: Path, *, version: str) -> None:
    detector = Detector()
    detector.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["average"])
    answer = Answer(detector).eval()
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        answer,
        (torch.zeros(1, 3, INPUT, INPUT),),
        str(out),
        opset_version=OPSET,
        dynamo=False,
        input_names=["images"],
        output_names=["output0"],
        dynamic_axes={"images": {0: "batch"}, "output0": {0: "batch"}},
    )
    model = onnx.load(str(out))
    pad_inside_convolutions(model.graph)
    describe(model, version=version)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(out))


def pad_inside_convolutions(graph: onnx.GraphProto) -> None:
    """Moves each Pad into the convolution behind it: 5 ms of 36, as a Pad makes onnxruntime reorder tensors."""
    pads = {node.output[0]: node for node in graph.node if node.op_type == "Pad"}
    for node in graph.node:
        pad = pads.get(node.input[0]) if node.op_type == "Conv" else None
        if pad is None:
            continue
        told = {attribute.name: attribute for attribute in node.attribute}
        near, far = stride_two_padding(told["kernel_shape"].ints[0])
        told["pads"].ints[:] = [near, near, far, far]
        node.input[0] = pad.input[0]
    drop_unused(graph)


def drop_unused(graph: onnx.GraphProto) -> None:
    wanted = {output.name for output in graph.output}
    for node in reversed(list(graph.node)):
        if wanted.intersection(node.output):
            wanted.update(node.input)
        else:
            graph.node.remove(node)


def describe(model: onnx.ModelProto, *, version: str) -> None:
    told = {
        "description": DESCRIPTION,
        "author": "Retinue",
        "license": "Apache-2.0",
        "version": version,
        "stride": str(max(STRIDES)),
        "task": "detect",
        "batch": "1",
        "imgsz": str([INPUT, INPUT]),
        "names": str(dict(enumerate(LABELS))),
    }
    onnx.helper.set_model_props(model, told)
    model.producer_name = "retinue"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("checkpoint", type=Path)
    options.add_argument("out", type=Path)
    options.add_argument("--version", default="1.0")
    asked = options.parse_args()
    export(asked.checkpoint, asked.out, version=asked.version)
    print(f"{asked.out}: {asked.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
