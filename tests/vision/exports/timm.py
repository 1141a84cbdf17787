"""Folders as timm writes them for a hub: config.json with `pretrained_cfg`, the graph beside it."""

from pathlib import Path
from typing import Any

import numpy as np

from tests.vision.exports.graphs import answering
from tests.vision.exports.huggingface import write


def resnet(folder: Path, *, names: list[str] | None = None, **said: Any) -> Path:
    model = answering(
        {"output": np.array([[0.0, 5.0, 0.0]], np.float32)},
        name="input",
        picture=("batch", 3, "height", "width"),
        shapes={"output": ("batch", 3)},
    )
    config: dict[str, Any] = {
        "architecture": "resnet18",
        "num_classes": 3,
        "num_features": 512,
        "pretrained_cfg": {
            "tag": "a1_in1k",
            "custom_load": False,
            "input_size": [3, 224, 224],
            "fixed_input_size": False,
            "interpolation": "bicubic",
            "crop_pct": 0.95,
            "crop_mode": "center",
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
            "num_classes": 3,
            "pool_size": [7, 7],
            "first_conv": "conv1",
            "classifier": "fc",
            "license": "apache-2.0",
            **said,
        },
    }
    if names:
        config["label_names"] = names
    return write(folder, model, config, None)
