"""Judges the shipped detector on scenes it never saw, chooses its thresholds, and writes its page.

python -m training.toolbox.evaluate
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime

from training.toolbox import drawing, heldout
from training.toolbox.judging import (
    NMS_IOU,
    Eye,
    Seen,
    average_precision,
    best_thresholds,
    counted,
    false_alarms,
)
from training.toolbox.page import Judged, page, pictured
from training.toolbox.scene import LABELS, Kind, Numbers, Scene

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "src" / "retinue" / "vision" / "builtin" / "toolbox"
PAGE = ROOT / "docs" / "models" / "toolbox.md"
FIRST_VALIDATION_SEED = 500_000
FIRST_TEST_SEED = 0

DESCRIPTION = (
    "Finds the 11 tools of a hand toolkit. Trained on drawn pictures, no photographs: "
    "replace it with a model trained on yours."
)

Renderer = Callable[..., Scene]


def looked(eye: Eye, draw: Renderer, kind: Kind, *, first: int, count: int) -> list[Seen]:
    seen = []
    for seed in range(first, first + count):
        scene = draw(seed, kind=kind)
        seen.append(Seen(scene, eye.look(scene.picture)))
    return seen


def judged(eye: Eye, draw: Renderer, thresholds: Numbers, *, name: str, scenes: int) -> tuple[Judged, list[Seen]]:
    tools = looked(eye, draw, "tools", first=FIRST_TEST_SEED, count=scenes)
    strangers = looked(eye, draw, "distractors", first=FIRST_TEST_SEED, count=scenes // 2)
    empty = looked(eye, draw, "empty", first=FIRST_TEST_SEED, count=scenes // 4)
    half, all_overlaps, per_label = average_precision(tools)
    nameless = average_precision([one.nameless() for one in tools])[0]
    return (
        Judged(
            name=name,
            scenes=len(tools),
            half=half,
            all_overlaps=all_overlaps,
            nameless=nameless,
            per_label=per_label,
            counts=counted(tools, thresholds),
            alarms_strangers=false_alarms(strangers, thresholds),
            alarms_empty=false_alarms(empty, thresholds),
            strangers=len(strangers),
            empty=len(empty),
        ),
        tools,
    )


def latency_ms(weights: Path, *, name: str, shape: tuple[int, ...], rounds: int = 40) -> float:
    """Processor time of one picture on one core: unlike wall time it stays the same on a busy machine."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
    numbers = np.random.default_rng(0).random(shape, dtype=np.float32)
    took = []
    for _ in range(rounds):
        began = time.process_time()
        session.run(None, {name: numbers})
        took.append((time.process_time() - began) * 1000)
    return float(np.median(took))


def classifier_latency_ms() -> float | None:
    """EfficientNet-Lite0 at 224 in the same run; None where Retinue itself is not installed beside this."""
    try:
        from retinue.vision.builtin import efficientnet_lite0
    except ImportError:
        return None
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        recipe = efficientnet_lite0.recipe()
        if recipe is None:
            return None
        package = recipe.write(Path(folder))
        assert package.weights is not None
        return latency_ms(package.weights, name=package.manifest.inputs[0], shape=(1, 3, 224, 224))


def manifest(weights: Path, thresholds: Numbers, quality: str, side: int) -> dict[str, Any]:
    return {
        "name": "toolbox",
        "task": "detect",
        "labels": list(LABELS),
        "weights": weights.name,
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "inputs": ["images"],
        "frame": {"mode": "letterbox", "width": side, "height": side, "library": "opencv", "antialias": False},
        "numbers": {},
        "head": "yolo-raw",
        "head_parameters": {"outputs": ["output0"], "iou": NMS_IOU, "agnostic": True},
        "thresholds": {label: round(float(value), 2) for label, value in zip(LABELS, thresholds, strict=True)},
        "source": "trained by the Retinue project (training/toolbox), from EfficientNet-Lite0's ImageNet weights",
        "licence": "Apache-2.0",
        "description": DESCRIPTION,
        "quality": quality,
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--weights", type=Path, default=SHIPPED / "toolbox.onnx")
    options.add_argument("--scenes", type=int, default=300)
    options.add_argument("--page", type=Path, default=PAGE)
    asked = options.parse_args()
    cv2.setNumThreads(1)
    began = time.monotonic()
    eye = Eye(asked.weights)
    validation = looked(eye, drawing.draw_scene, "tools", first=FIRST_VALIDATION_SEED, count=asked.scenes)
    # As many as scenes with tools: chosen on fewer, thresholds let twice as much through elsewhere.
    nothing = looked(eye, drawing.draw_scene, "distractors", first=FIRST_VALIDATION_SEED, count=asked.scenes)
    nothing += looked(eye, drawing.draw_scene, "empty", first=FIRST_VALIDATION_SEED, count=asked.scenes // 4)
    thresholds = best_thresholds(validation, nothing)
    seeds, own = judged(eye, drawing.draw_scene, thresholds, name="held-out seeds", scenes=asked.scenes)
    styles, other = judged(eye, heldout.draw_scene, thresholds, name="held-out styles", scenes=asked.scenes)
    took_ms = latency_ms(asked.weights, name="images", shape=(1, 3, eye.side, eye.side))
    quality = (
        f"mAP@0.5 {seeds.half:.2f} on drawn scenes with new seeds, {styles.half:.2f} on scenes drawn by another "
        f"renderer with other outlines; no photographs were used"
    )
    told = manifest(asked.weights, thresholds, quality, eye.side)
    asked.weights.with_suffix(".json").write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    asked.page.parent.mkdir(parents=True, exist_ok=True)
    pictured(asked.page.with_suffix(""), own=own, other=other, thresholds=thresholds)
    text = page(
        [seeds, styles],
        thresholds,
        took_ms=took_ms,
        classifier_ms=classifier_latency_ms(),
        megabytes=asked.weights.stat().st_size / 1e6,
        seconds=time.monotonic() - began,
    )
    asked.page.write_text(text, "utf-8")
    print(quality)
    for one in (seeds, styles):
        print(f"{one.name}: mAP@0.5 {one.half:.3f}, mAP@0.5:0.95 {one.all_overlaps:.3f}", end=", ")
        print(f"false alarms with other things {one.alarms_strangers:.3f}, on empty ground {one.alarms_empty:.3f}")
    print(f"{took_ms:.1f} ms on one core")


if __name__ == "__main__":
    main()
