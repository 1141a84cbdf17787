"""Exports tiny random Hugging Face networks, and writes down what transformers sees on one picture.

Runs in the exporters' environment: `python export_with_transformers.py PICTURE FOLDER`.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
import transformers
from PIL import Image

CONFIDENCE = 0.3
NAMES = {0: "cat", 1: "dog", 2: "remote control", 3: "sofa"}
LABELS = {"id2label": NAMES, "label2id": {name: number for number, name in NAMES.items()}}
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 37}


def main(picture: str, folder: Path) -> None:
    warnings.simplefilter("ignore")
    image = Image.open(picture).convert("RGB")
    for name, make in MODELS.items():
        torch.manual_seed(7)
        network, processor, outputs, dynamic = make()
        make_opinionated(network)
        target = folder / name
        network.save_pretrained(target)
        (target / "model.safetensors").unlink()
        processor.save_pretrained(target)
        pixels = processor(images=image, return_tensors="pt")["pixel_values"]
        network.eval()
        with torch.no_grad():
            seen = network(pixel_values=pixels)
        torch.onnx.export(
            Bare(network, outputs),
            (pixels,),
            str(target / "model.onnx"),
            input_names=["pixel_values"],
            output_names=list(outputs),
            dynamic_axes={"pixel_values": dynamic, **{output: {0: "batch_size"} for output in outputs}},
            opset_version=17,
            dynamo=False,
        )
        expected = {
            "model": ".",
            "picture": Path(picture).name,
            "asked": {"confidence": CONFIDENCE},
            **told(seen, processor, image, target),
        }
        (target / "expected.json").write_text(json.dumps(expected))


class Bare(torch.nn.Module):
    """Just the outputs that are exported, in their order."""

    def __init__(self, network: torch.nn.Module, outputs: tuple[str, ...]) -> None:
        super().__init__()
        self.network, self.outputs = network, outputs

    def forward(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        answer = self.network(pixel_values=pixel_values)
        return tuple(answer[output] for output in self.outputs)


def vit():  # type: ignore[no-untyped-def]
    config = transformers.ViTConfig(**SMALL, image_size=64, patch_size=16, **LABELS)
    processor = transformers.ViTImageProcessor(size={"height": 64, "width": 64})
    return transformers.ViTForImageClassification(config), processor, ("logits",), {0: "batch_size"}


def resnet():  # type: ignore[no-untyped-def]
    config = transformers.ResNetConfig(
        embedding_size=16, hidden_sizes=[16, 24, 32, 40], depths=[1, 1, 1, 1], layer_type="basic", **LABELS
    )
    processor = transformers.ConvNextImageProcessor(size={"shortest_edge": 96}, crop_pct=0.875)
    return transformers.ResNetForImageClassification(config), processor, ("logits",), {0: "batch_size"}


def mobilenet():  # type: ignore[no-untyped-def]
    config = transformers.MobileNetV2Config(depth_multiplier=0.35, image_size=96, **LABELS)
    processor = transformers.MobileNetV2ImageProcessor(
        size={"shortest_edge": 110}, crop_size={"height": 96, "width": 96}
    )
    return transformers.MobileNetV2ForImageClassification(config), processor, ("logits",), {0: "batch_size"}


def yolos():  # type: ignore[no-untyped-def]
    config = transformers.YolosConfig(**SMALL, image_size=[96, 144], num_detection_tokens=12, **LABELS)
    processor = transformers.YolosImageProcessor(size={"shortest_edge": 96, "longest_edge": 160})
    flexible = {0: "batch_size", 2: "height", 3: "width"}
    return transformers.YolosForObjectDetection(config), processor, ("logits", "pred_boxes"), flexible


def segformer():  # type: ignore[no-untyped-def]
    config = transformers.SegformerConfig(
        hidden_sizes=[8, 16, 24, 32],
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=32,
        **LABELS,
    )
    processor = transformers.SegformerImageProcessor(size={"height": 128, "width": 128})
    return transformers.SegformerForSemanticSegmentation(config), processor, ("logits",), {0: "batch_size"}


MODELS = {"vit": vit, "resnet": resnet, "mobilenet": mobilenet, "yolos": yolos, "segformer": segformer}


def make_opinionated(network: torch.nn.Module) -> None:
    """Fresh networks answer everything with much the same: larger weights make their answers differ."""
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=1.2 / np.sqrt(parameter[0].numel()))


def told(seen, processor, image: Image.Image, folder: Path) -> dict:  # type: ignore[no-untyped-def, type-arg]
    size = [(image.height, image.width)]
    if "pred_boxes" in seen:
        found = processor.post_process_object_detection(seen, threshold=CONFIDENCE, target_sizes=size)[0]
        rows = zip(found["labels"], found["scores"], found["boxes"].tolist(), strict=True)
        return {"detections": [[NAMES[int(number)], float(score), box] for number, score, box in rows]}
    if seen.logits.ndim == 4:
        classes = processor.post_process_semantic_segmentation(seen, target_sizes=size)[0].numpy().astype(np.uint8)
        np.savez_compressed(folder / "classes.npz", classes=classes)
        return {"semantic": [NAMES[number] for number in np.unique(classes)]}
    chances = seen.logits.softmax(-1)[0]
    order = chances.argsort(descending=True).tolist()
    return {"classes": [[NAMES[number], float(chances[number])] for number in order]}


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
