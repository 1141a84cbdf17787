"""Exports tiny random timm and torchvision networks, and writes down what those libraries see on one picture.

Runs in the exporters' environment: `python export_with_timm.py PICTURE FOLDER`.
"""

import json
import sys
import warnings
from pathlib import Path

import torch
from loading_torchvision import load_torchvision
from PIL import Image

load_torchvision()
import timm  # noqa: E402
import torchvision  # noqa: E402
from timm.data import create_transform, resolve_model_data_config  # noqa: E402
from timm.models import save_for_hf  # noqa: E402

NAMES = ["cat", "dog", "remote control", "sofa"]


def main(picture: str, folder: Path) -> None:
    warnings.simplefilter("ignore")
    image = Image.open(picture).convert("RGB")
    for name, crop in {"timm-resnet": 0.95, "timm-mobilenet": 0.875}.items():
        torch.manual_seed(7)
        architecture = {"timm-resnet": "resnet10t", "timm-mobilenet": "mobilenetv3_small_050"}[name]
        told = {"input_size": (3, 96, 96), "crop_pct": crop, "interpolation": "bicubic", "license": "apache-2.0"}
        network = timm.create_model(architecture, num_classes=len(NAMES), pretrained_cfg_overlay=told)
        target = folder / name
        save_for_hf(network, target, model_config={"label_names": NAMES})
        for weights in target.glob("*model.*"):
            weights.unlink()
        transform = create_transform(**resolve_model_data_config(network), is_training=False)
        export(network, transform(image)[None], target, expected={"model": "."})
    torch.manual_seed(7)
    network = torchvision.models.resnet18(num_classes=len(NAMES))
    transform = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.transforms()
    told = {"labels": NAMES, "task": "classify"}
    export(
        network, transform(image)[None], folder / "torchvision-resnet", expected={"model": "model.onnx", "told": told}
    )
    torchvision_detector(image, folder / "torchvision-ssd")


def export(network: torch.nn.Module, pixels: torch.Tensor, folder: Path, *, expected: dict) -> None:  # type: ignore[type-arg]
    folder.mkdir(exist_ok=True)
    make_opinionated(network, pixels)
    with torch.no_grad():
        chances = network(pixels).softmax(-1)[0]
    names = {"input_names": ["input"], "output_names": ["output"]}
    axes = {"input": {0: "batch"}, "output": {0: "batch"}}
    torch.onnx.export(
        network, (pixels,), str(folder / "model.onnx"), **names, dynamic_axes=axes, opset_version=17, dynamo=False
    )
    order = chances.argsort(descending=True).tolist()
    said = {
        "picture": "picture.png",
        **expected,
        "classes": [[NAMES[number], float(chances[number])] for number in order],
    }
    (folder / "expected.json").write_text(json.dumps(said))


def torchvision_detector(image: Image.Image, folder: Path) -> None:
    """An SSDLite: one picture without a batch side, boxes in its own pixels, classes counted from one."""
    torch.manual_seed(7)
    network = torchvision.models.detection.ssdlite320_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=len(NAMES) + 1, detections_per_img=40, score_thresh=0.9
    )
    network.eval()
    side = 320
    pixels = torchvision.transforms.functional.to_tensor(image.resize((side, side), Image.Resampling.BILINEAR))
    for sequence in network.head.classification_head.module_list:
        spread(network, sequence[-1], pixels)
    with torch.no_grad():
        found = network([pixels])[0]
    folder.mkdir()
    torch.onnx.export(
        network,
        ([pixels],),
        str(folder / "model.onnx"),
        input_names=["image"],
        output_names=["boxes", "scores", "labels"],
        opset_version=17,
        dynamo=False,
    )
    scale = torch.tensor([image.width / side, image.height / side] * 2)
    rows = zip(found["labels"], found["scores"], (found["boxes"] * scale).tolist(), strict=True)
    said = {
        "model": "model.onnx",
        "picture": "picture.png",
        "told": {"labels": NAMES},
        "asked": {"confidence": 0.9},
        "detections": [[NAMES[int(number) - 1], float(score), box] for number, score, box in rows],
    }
    (folder / "expected.json").write_text(json.dumps(said))


def spread(network: torch.nn.Module, layer: torch.nn.Conv2d, pixels: torch.Tensor) -> None:
    """New weights for a last layer, such that its answers to this picture spread by three."""
    answers: list[torch.Tensor] = []
    torch.nn.init.normal_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    hook = layer.register_forward_hook(lambda _, __, output: answers.append(output))
    with torch.no_grad():
        network([pixels])
    hook.remove()
    layer.weight.data *= 3 / answers[0].std().item()


def make_opinionated(network: torch.nn.Module, pixels: torch.Tensor) -> None:
    """The norms learn the picture's own statistics, the last layer gets larger weights: clear and differing answers."""
    several = torch.cat([pixels, pixels.flip(2), pixels.flip(3), -pixels])
    network.train()
    with torch.no_grad():
        for _ in range(5):
            network(several)
    network.eval()
    last = [layer for layer in network.modules() if isinstance(layer, torch.nn.Linear)][-1]
    torch.nn.init.normal_(last.weight, std=0.2)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
