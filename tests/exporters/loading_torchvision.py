"""Makes `import torchvision` work beside a CPU build of torch, for which PyPI's torchvision has no compiled operators.

Runs in the exporters' environment. Only `nms` is missed there by the tools we test; torch alone can do its sums.
"""

import sys

import torch


def load_torchvision() -> None:
    try:
        import torchvision
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.impl("nms", _nms, "CPU")
        KEPT.append(library)
        import torchvision
        import torchvision.ops.boxes

        torchvision.ops.boxes._assert_has_ops = _has_what_it_needs


def _has_what_it_needs() -> None:  # scripted by torch, hence a function with a body of its own
    return


KEPT: list[object] = []  # a library that nobody holds takes its operators with it


def _nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    order = scores.argsort(descending=True, stable=True).tolist()
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept: list[int] = []
    for one in order:
        low = torch.maximum(boxes[kept, :2], boxes[one, :2])
        high = torch.minimum(boxes[kept, 2:], boxes[one, 2:])
        shared = (high - low).clamp(min=0).prod(dim=1)
        if not (shared / (areas[kept] + areas[one] - shared) > iou_threshold).any():
            kept.append(one)
    return torch.tensor(kept, dtype=torch.int64)
