"""Answers as COCO has them: a dictionary that pycocotools reads, from any predictions."""

from collections.abc import Iterable
from typing import Any

from retinue.client.predicting import Detection, Mask, Prediction


def as_coco(predictions: Iterable[Prediction]) -> dict[str, Any]:
    """Detections and masks with their scores; ids count from one. A whole job's are `job.coco()`."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    labels: dict[int, str] = {}
    for number, one in enumerate(predictions, start=1):
        images.append({"id": number, "file_name": one.filename, "prediction_id": one.prediction_id})
        for thing in one.things:
            labels[thing.class_id] = thing.label
            annotations.append(_annotation(thing, number=len(annotations) + 1, image=number))
    categories = [{"id": class_id + 1, "name": label} for class_id, label in sorted(labels.items())]
    return {"images": images, "annotations": annotations, "categories": categories}


def _annotation(thing: Detection, *, number: int, image: int) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": number,
        "image_id": image,
        "category_id": thing.class_id + 1,
        "bbox": [*thing.box],
        "area": round(thing.box[2] * thing.box[3], 2),
        "iscrowd": 0,
        "score": thing.score,
    }
    if isinstance(thing, Mask):
        told["segmentation"] = {"size": [*thing.rle.size], "counts": thing.rle.counts}
    return told
