"""What the detector is told: which anchors answer for which tool (task-aligned), and what a wrong answer costs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training.toolbox.detector import BINS, Raw, corners
from training.toolbox.scene import LABELS

ANCHORS_PER_TOOL = 10
SCORE_POWER, OVERLAP_POWER = 0.5, 6.0
# Boxes are right long before names are: what other detectors of this kind use (7.5, 0.5, 1.5) leaves names behind.
BOX_WEIGHT, SCORE_WEIGHT, DISTANCE_WEIGHT = 2.5, 1.0, 0.5


@dataclass(frozen=True)
class Answers:
    """Per picture padded to the same number of tools; `real` tells tools from padding."""

    labels: Tensor  # [n, t]
    boxes: Tensor  # [n, t, 4] left, top, right, bottom
    real: Tensor  # [n, t] bool


@dataclass(frozen=True)
class Targets:
    scores: Tensor  # [n, anchors, labels]
    boxes: Tensor  # [n, anchors, 4]
    chosen: Tensor  # [n, anchors] bool


def cost(raw: Raw, answers: Answers) -> tuple[Tensor, dict[str, float]]:
    logits = raw.logits.float()
    predicted = corners(raw)
    with torch.no_grad():
        targets = assigned(logits.sigmoid(), predicted, raw.centres, answers)
    total = targets.scores.sum().clamp(min=1.0)
    score = functional.binary_cross_entropy_with_logits(logits, targets.scores, reduction="sum") / total
    if targets.chosen.any():
        weight = targets.scores.sum(-1)[targets.chosen]
        box = ((1 - overlap(predicted[targets.chosen], targets.boxes[targets.chosen])) * weight).sum() / total
        distance = (distance_cost(raw, targets) * weight).sum() / total
    else:
        box = distance = predicted.sum() * 0
    loss = BOX_WEIGHT * box + SCORE_WEIGHT * score + DISTANCE_WEIGHT * distance
    return loss, {"box": float(box.detach()), "score": float(score.detach()), "distance": float(distance.detach())}


def distance_cost(raw: Raw, targets: Targets) -> Tensor:
    """The two bins beside the true distance share its probability."""
    strides = raw.strides.expand(raw.distances.shape[0], -1, -1)
    centres = raw.centres.expand(raw.distances.shape[0], -1, -1)
    true = torch.cat((centres - targets.boxes[..., :2], targets.boxes[..., 2:] - centres), -1) / strides
    true = true[targets.chosen].clamp(0, BINS - 1.01)
    logits = raw.distances.float()[targets.chosen].view(-1, BINS)
    left = true.reshape(-1).long()
    above = true.reshape(-1) - left
    shared = functional.cross_entropy(logits, left, reduction="none") * (1 - above)
    shared = shared + functional.cross_entropy(logits, left + 1, reduction="none") * above
    return shared.view(-1, 4).mean(-1)


def assigned(scores: Tensor, predicted: Tensor, centres: Tensor, answers: Answers) -> Targets:
    """Each tool takes the ten anchors inside it that already do best at both naming and framing it."""
    tools = answers.labels.shape[1]
    boxes = answers.boxes
    offsets = torch.cat((centres[None, None] - boxes[..., None, :2], boxes[..., None, 2:] - centres[None, None]), -1)
    inside = (offsets.amin(-1) > 0) & answers.real[..., None]  # [n, t, anchors]
    naming = scores.transpose(1, 2).gather(1, answers.labels[..., None].expand(-1, -1, scores.shape[1]))
    framing = overlap(boxes[:, :, None], predicted[:, None]).clamp(0) * inside
    merit = naming**SCORE_POWER * framing**OVERLAP_POWER * inside
    best = merit.topk(ANCHORS_PER_TOOL, dim=-1)
    taken = torch.zeros_like(merit).scatter_(-1, best.indices, 1.0).bool() & inside & (merit > 0)
    contested = taken.sum(1) > 1  # [n, anchors]: the better framed tool keeps the anchor
    winner = functional.one_hot((framing * taken).argmax(1), tools).transpose(1, 2).bool()
    taken = torch.where(contested[:, None], taken & winner, taken)
    owner = taken.float().argmax(1)  # [n, anchors]
    chosen = taken.any(1)
    merit = merit * taken
    peak = merit.amax(-1, keepdim=True).clamp(min=1e-9)
    strength = (merit / peak * (framing * taken).amax(-1, keepdim=True)).amax(1)
    labels = answers.labels.gather(1, owner)
    target = functional.one_hot(labels, len(LABELS)).float() * (strength * chosen)[..., None]
    where = boxes.gather(1, owner[..., None].expand(-1, -1, 4))
    return Targets(target, where, chosen)


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """Complete IoU: overlap, less the distance of the centres and the difference of the proportions."""
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    size_a, size_b = (a[..., 2:] - a[..., :2]).clamp(min=1e-3), (b[..., 2:] - b[..., :2]).clamp(min=1e-3)
    iou = shared / (size_a.prod(-1) + size_b.prod(-1) - shared + 1e-7)
    hull = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    apart = ((a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) ** 2).sum(-1) / 4 / ((hull**2).sum(-1) + 1e-7)
    slant = 0.4053 * (torch.atan(size_a[..., 0] / size_a[..., 1]) - torch.atan(size_b[..., 0] / size_b[..., 1])) ** 2
    with torch.no_grad():
        share = slant / (1 - iou + slant + 1e-7)
    return iou - apart - share * slant
