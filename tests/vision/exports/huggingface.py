"""Folders as Hugging Face's exporters write them: model.onnx, config.json, preprocessor_config.json."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from tests.vision.exports.graphs import Shape, answering, save

NAMES = {"0": "cat", "1": "dog", "2": "remote"}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}


def write(
    folder: Path, model: onnx.ModelProto, config: dict[str, Any], processor: dict[str, Any] | None, *, below: str = "."
) -> Path:
    save(model, folder / below / "model.onnx")
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    if processor is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(processor, indent=2))
    return folder


def vit(folder: Path, *, names: dict[str, str] | None = None, processor: bool = True, below: str = ".") -> Path:
    names = names or NAMES
    scores = np.zeros((1, len(names)), np.float32)
    scores[0, 1] = 5
    model = answering(
        {"logits": scores},
        name="pixel_values",
        picture=("batch_size", "num_channels", "height", "width"),
        shapes={"logits": ("batch_size", len(names))},
    )
    return write(
        folder,
        model,
        {"architectures": ["ViTForImageClassification"], "model_type": "vit", "id2label": names},
        vit_processor() if processor else None,
        below=below,
    )


def vit_processor() -> dict[str, Any]:
    return {
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_processor_type": "ViTImageProcessor",
        "image_std": [0.5, 0.5, 0.5],
        "resample": 2,
        "rescale_factor": 1 / 255,
        "size": {"height": 224, "width": 224},
    }


def resnet(folder: Path) -> Path:
    model = answering(
        {"logits": np.array([[0.0, 5.0, 0.0]], np.float32)},
        name="pixel_values",
        picture=("batch_size", 3, 224, 224),
        shapes={"logits": ("batch_size", 3)},
    )
    processor = {
        "crop_pct": 0.875,
        "do_normalize": True,
        "do_resize": True,
        **IMAGENET,
        "feature_extractor_type": "ConvNextFeatureExtractor",
        "resample": 3,
        "size": 224,
    }
    config = {"architectures": ["ResNetForImageClassification"], "model_type": "resnet", "id2label": NAMES}
    return write(folder, model, config, processor)


def mobilenet(folder: Path) -> Path:
    model = answering(
        {"logits": np.array([[0.0, 5.0, 0.0]], np.float32)}, name="pixel_values", picture=("batch_size", 3, 224, 224)
    )
    processor = {
        "crop_size": {"height": 224, "width": 224},
        "do_center_crop": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_processor_type": "MobileNetV2ImageProcessor",
        "image_std": [0.5, 0.5, 0.5],
        "resample": 2,
        "rescale_factor": 1 / 255,
        "size": {"shortest_edge": 256},
    }
    config = {"architectures": ["MobileNetV2ForImageClassification"], "model_type": "mobilenet_v2", "id2label": NAMES}
    return write(folder, model, config, processor)


def detector(
    folder: Path, *, architecture: str, model_type: str, sigmoid: bool, picture: Shape, **processor: Any
) -> Path:
    """DETR's family: logits for each query (with “no object” behind, where a softmax is shared) and boxes 0…1."""
    queries, columns = 10, len(NAMES) + (0 if sigmoid else 1)
    scores = np.full((1, queries, columns), -8, np.float32)
    if not sigmoid:
        scores[:, :, -1] = 8
    scores[0, 0] = -8
    scores[0, 0, 2] = 4
    boxes = np.full((1, queries, 4), 0.1, np.float32)
    boxes[0, 0] = (0.5, 0.5, 0.25, 0.5)
    model = answering(
        {"logits": scores, "pred_boxes": boxes},
        name="pixel_values",
        picture=picture,
        shapes={"logits": ("batch_size", "queries", columns), "pred_boxes": ("batch_size", "queries", 4)},
    )
    config = {"architectures": [architecture], "model_type": model_type, "id2label": NAMES}
    described = {"do_resize": True, "do_rescale": True, "rescale_factor": 1 / 255, "resample": 2, **processor}
    return write(folder, model, config, described)


def detr(folder: Path) -> Path:
    return detector(
        folder,
        architecture="DetrForObjectDetection",
        model_type="detr",
        sigmoid=False,
        picture=("batch_size", 3, "height", "width"),
        do_normalize=True,
        **IMAGENET,
        image_processor_type="DetrImageProcessor",
        size={"shortest_edge": 80, "longest_edge": 133},
    )


def yolos(folder: Path) -> Path:
    return detector(
        folder,
        architecture="YolosForObjectDetection",
        model_type="yolos",
        sigmoid=False,
        picture=("batch_size", 3, "height", "width"),
        do_normalize=True,
        **IMAGENET,
        image_processor_type="YolosImageProcessor",
        size={"shortest_edge": 80, "longest_edge": 133},
    )


def rt_detr(folder: Path) -> Path:
    return detector(
        folder,
        architecture="RTDetrForObjectDetection",
        model_type="rt_detr",
        sigmoid=True,
        picture=("batch_size", 3, 64, 64),
        do_normalize=False,
        **IMAGENET,
        image_processor_type="RTDetrImageProcessor",
        size={"height": 64, "width": 64},
    )


def segformer(folder: Path) -> Path:
    """Maps a quarter of the frame in size: the dog on the left half, the remote on the right."""
    maps = np.zeros((1, 3, 16, 16), np.float32)
    maps[0, 1, :, :8] = 5
    maps[0, 2, :, 8:] = 5
    model = answering(
        {"logits": maps},
        name="pixel_values",
        picture=("batch_size", 3, 64, 64),
        shapes={"logits": ("batch_size", 3, 16, 16)},
    )
    config = {"architectures": ["SegformerForSemanticSegmentation"], "model_type": "segformer", "id2label": NAMES}
    processor = {
        "do_normalize": True,
        "do_reduce_labels": True,
        "do_rescale": True,
        "do_resize": True,
        **IMAGENET,
        "image_processor_type": "SegformerImageProcessor",
        "resample": 2,
        "rescale_factor": 1 / 255,
        "size": {"height": 64, "width": 64},
    }
    return write(folder, model, config, processor)
