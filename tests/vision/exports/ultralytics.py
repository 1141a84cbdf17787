"""Graphs as Ultralytics' exporters write them: names, shapes, and metadata as Python literals."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from tests.vision.exports.graphs import answering

NAMES = {0: "wrench", 1: "pliers", 2: "hammer"}
SIZE = 64
ANCHORS = 84  # 8² + 4² + 2² cells of a 64-pixel picture
MASKS = 32

# One wrench in the middle of the frame: centre x and y, width, height in frame pixels.
CENTRE = (32.0, 32.0, 20.0, 10.0)


def said(task: str | None, *, names: Mapping[int, str] = NAMES, size: int = SIZE, **more: Any) -> dict[str, Any]:
    """Metadata as version 8.4 writes it; YOLOv5's own exporter (task None) writes only stride and names."""
    if task is None:
        return {"stride": 32, "names": dict(names)}
    return {
        "description": "Ultralytics YOLO11n model trained on coco.yaml",
        "author": "Ultralytics",
        "date": "2026-11-02T10:00:00+00:00",
        "version": "8.4.190",
        "license": "AGPL-3.0 License (https://ultralytics.com/license)",
        "docs": "https://docs.ultralytics.com",
        "stride": 32,
        "task": task,
        "head": "Detect",
        "batch": 1,
        "imgsz": [size, size],
        "names": dict(names),
        "args": {"batch": 1, "half": False, "dynamic": False, "simplify": True, "opset": None, "nms": False},
        "channels": 3,
        "end2end": False,
        **more,
    }


def detector(*, dtype: str = "float32", dynamic: bool = False, **more: Any) -> onnx.ModelProto:
    """v8, 11 and 26 with a raw head: [1, 4 + classes, anchors]."""
    answer = _raw_columns(classes=len(NAMES))
    shapes = {"output0": ("batch", answer.shape[1], "anchors")} if dynamic else None
    side: Any = ("batch", 3, "height", "width") if dynamic else (1, 3, SIZE, SIZE)
    return answering({"output0": answer}, picture=side, shapes=shapes, dtype=dtype, metadata=said("detect", **more))


def detector_v5() -> onnx.ModelProto:
    """YOLOv5's own exporter: [1, anchors, 5 + classes], the fifth number how sure it is of any thing."""
    raw = _raw_columns(classes=len(NAMES))[0].T
    answer = np.concatenate([raw[:, :4], (raw[:, 4:5] > 0).astype(np.float32), raw[:, 4:]], axis=1)[None]
    return answering({"output0": answer}, picture=(1, 3, SIZE, SIZE), metadata=said(None))


def end_to_end(*, nms: bool = False) -> onnx.ModelProto:
    """YOLO26, or any other exported with nms=True: [1, 300, x1 y1 x2 y2 score class]."""
    rows = np.zeros((1, 300, 6), np.float32)
    rows[0, 0] = (22, 27, 42, 37, 0.9, 0)
    arguments = {"batch": 1, "half": False, "dynamic": False, "nms": nms}
    return answering(
        {"output0": rows},
        picture=(1, 3, SIZE, SIZE),
        metadata=said("detect", end2end=not nms, args=arguments),
    )


def segmenter(*, v5: bool = False) -> onnx.ModelProto:
    """Boxes with 32 mask coefficients behind the classes, and prototypes a quarter of the frame in size."""
    raw = _raw_columns(classes=len(NAMES), more=MASKS)
    raw[0, 4 + len(NAMES), 0] = 5.0
    if v5:
        rows = raw[0].T
        raw = np.concatenate([rows[:, :4], (rows[:, 4:5] > 0).astype(np.float32), rows[:, 4:]], axis=1)[None]
    return answering(
        {"output0": raw, "output1": _prototypes()}, picture=(1, 3, SIZE, SIZE), metadata=said(None if v5 else "segment")
    )


def end_to_end_segmenter() -> onnx.ModelProto:
    rows = np.zeros((1, 300, 6 + MASKS), np.float32)
    rows[0, 0, :7] = (22, 27, 42, 37, 0.9, 0, 5.0)
    return answering(
        {"output0": rows, "output1": _prototypes()},
        picture=(1, 3, SIZE, SIZE),
        metadata=said("segment", end2end=True),
    )


def classifier(*, v5: bool = False) -> onnx.ModelProto:
    """From v8 on it ends in a softmax; YOLOv5's gives raw scores."""
    scores = np.array([[4.0, 1.0, 0.0]], np.float32)
    return answering(
        {"output0": scores},
        picture=(1, 3, SIZE, SIZE),
        last="Identity" if v5 else "Softmax",
        metadata=said(None if v5 else "classify"),
    )


def _raw_columns(*, classes: int, more: int = 0) -> NDArray[np.float32]:
    columns = np.zeros((1, 4 + classes + more, ANCHORS), np.float32)
    columns[0, :4, 0] = CENTRE
    columns[0, 4, 0] = 0.9
    return columns


def _prototypes() -> NDArray[np.float32]:
    """The first prototype is positive on the left half of the frame."""
    maps = np.zeros((1, MASKS, SIZE // 4, SIZE // 4), np.float32)
    maps[0, 0] = -1
    maps[0, 0, :, : SIZE // 8] = 1
    return maps
