"""Exports tiny random YOLO networks with Ultralytics itself, and writes down what Ultralytics sees on one picture.

Runs in the exporters' environment: `python export_with_ultralytics.py PICTURE FOLDER`.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from loading_torchvision import load_torchvision
from PIL import Image

load_torchvision()
from ultralytics import YOLO  # noqa: E402

SIZE = 160
CONFIDENCE = 0.5
MODELS = {
    "yolov8n": ("detect", {}),
    "yolo11n-dynamic": ("detect", {"dynamic": True}),
    "yolo11n-nms": ("detect", {"nms": True, "conf": CONFIDENCE}),
    "yolo26n": ("detect", {}),
    "yolo26n-end2end": ("detect", {"nms": False}),
    "yolo11n-seg": ("segment", {}),
    "yolo26n-seg-end2end": ("segment", {"nms": False}),
    "yolo11n-cls": ("classify", {}),
}


def main(picture: str, folder: Path) -> None:
    for name, (task, options) in MODELS.items():
        torch.manual_seed(7)
        architecture = "-".join(part for part in name.split("-") if part not in ("dynamic", "nms", "end2end"))
        network = YOLO(f"{architecture}.yaml", task=task)
        make_opinionated(network, picture)
        network.model.names = {number: f'thing {number}, "{number}"' for number in range(len(network.model.names))}
        network.model.pt_path = str(folder / f"{name}.pt")
        exported = Path(network.export(format="onnx", imgsz=SIZE, simplify=False, opset=17, **options))
        target = folder / name / f"{name}.onnx"
        target.parent.mkdir()
        exported.rename(target)
        asked = {"confidence": CONFIDENCE, "iou": 0.7, "max_detections": 300}
        looked_at = Path(picture).with_name("even.png") if task == "segment" else Path(picture)
        seen = YOLO(target, task=task).predict(
            looked_at, imgsz=SIZE, conf=CONFIDENCE, iou=0.7, max_det=300, retina_masks=True, rect=False, verbose=False
        )[0]
        expected = {"model": target.name, "picture": looked_at.name, "asked": asked, **told(seen)}
        if seen.masks is not None:
            np.savez_compressed(target.parent / "masks.npz", masks=seen.masks.data.numpy().astype(bool))
        (target.parent / "expected.json").write_text(json.dumps(expected))


def make_opinionated(network: YOLO, picture: str) -> None:
    """A fresh network says nothing of anything. Its norms learn the picture's own statistics, and the last layer is
    scaled until about one anchor in a hundred speaks up."""
    pixels = torch.from_numpy(np.array(Image.open(picture).resize((SIZE, SIZE)))).permute(2, 0, 1)[None] / 255
    several = torch.cat([pixels, pixels.flip(2), pixels.flip(3), 1 - pixels])
    network.model.train()
    with torch.no_grad():
        for _ in range(5):
            network.model(several)
    network.model.eval()
    head = network.model.model[-1]
    for name in ("cv3", "one2one_cv3"):
        for layer in last_layers(head, name):
            told = spread(network, layer, pixels).amax(dim=1).flatten()
            layer.bias.data.fill_(-float(told.kthvalue(int(0.9 * told.numel())).values))
    for name in ("cv4", "one2one_cv4", *(("cv2",) if getattr(head, "reg_max", 1) > 1 else ())):
        for layer in last_layers(head, name):
            spread(network, layer, pixels)
    if hasattr(head, "linear"):
        torch.nn.init.normal_(head.linear.weight, std=0.3)


def last_layers(head: torch.nn.Module, name: str) -> list[torch.nn.Conv2d]:
    return [sequence[-1] for sequence in getattr(head, name, None) or []]


def spread(network: YOLO, layer: torch.nn.Conv2d, pixels: torch.Tensor) -> torch.Tensor:
    """New weights for a last layer, such that its answers to this picture spread by one and a half."""
    answers: list[torch.Tensor] = []
    torch.nn.init.normal_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    hook = layer.register_forward_hook(lambda _, __, output: answers.append(output))
    with torch.no_grad():
        network.model(pixels)
    hook.remove()
    factor = 1.5 / answers[0].std().item()
    layer.weight.data *= factor
    return answers[0] * factor


def told(seen) -> dict:  # type: ignore[no-untyped-def, type-arg]
    if seen.probs is not None:
        best = seen.probs.top5
        return {"classes": [[seen.names[number], float(seen.probs.data[number])] for number in best]}
    return {
        "detections": [
            [seen.names[int(number)], float(score), box]
            for number, score, box in zip(seen.boxes.cls, seen.boxes.conf, seen.boxes.xyxy.tolist(), strict=True)
        ]
    }


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
