"""Trains the detector on the drawn scenes: fixed seeds, a log line every so many steps, a checkpoint to go on from."""

from __future__ import annotations

import argparse
import copy
import math
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

import cv2
import numpy as np
import torch
import torch.distributed as together
from torch import Tensor, nn

from training.toolbox.continuing import load_exported
from training.toolbox.detector import Detector, load_imagenet
from training.toolbox.feeding import Feeder
from training.toolbox.learning import Answers, cost

WARM_STEPS = 150
LOG_EVERY = 20
MOSAIC = 0.12
PICTURES_FOR_NORMS = 64
# The frame grows over the training, an equal part of it for each side: a step at 224 costs a third of one at 416.
SIDES = (224, 256, 288, 352, 416)
FROZEN_BLOCKS = 8  # up to 80 channels: edges and textures are the same on drawings, and half the time is saved


@dataclass(frozen=True)
class Plan:
    scenes: Path
    out: Path
    imagenet: Path | None
    exported: Path | None
    steps: int
    batch: int
    rate: float
    seed: int
    threads: int
    frozen: int
    sides: tuple[int, ...]


def train(plan: Plan) -> None:
    rank, ranks = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if ranks > 1:
        together.init_process_group("gloo")
    torch.manual_seed(plan.seed)
    torch.set_num_threads(plan.threads)
    cv2.setNumThreads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    feeder = Feeder(plan.scenes)
    network = begun(plan, feeder)
    network.to(device, memory_format=torch.channels_last)
    average = copy.deepcopy(network).eval()
    for part in (network.backbone.stem, *network.backbone.blocks[: plan.frozen]):  # before the optimizer is made
        part.requires_grad_(False)
    optimizer = torch.optim.AdamW(groups(network, plan.rate), betas=(0.9, 0.99))
    first = resume(plan.out / "checkpoint.pt", network, average, optimizer)
    network.backbone.freeze(plan.frozen)
    batches = ahead(feeder, plan, first=first, rank=rank)
    began, seen, sums = time.monotonic(), 0, dict[str, float]()
    for step in range(first, plan.steps):
        for group in optimizer.param_groups:
            group["lr"] = group["full"] * rate_at(step, plan.steps)
        pictures, answers = batches.get()
        pictures = pictures.to(device).float().div_(255).contiguous(memory_format=torch.channels_last)
        answers = Answers(answers.labels.to(device), answers.boxes.to(device), answers.real.to(device))
        with torch.autocast(device.type, torch.bfloat16):
            raw = network(pictures)
        loss, parts = cost(raw, answers)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if ranks > 1:
            agree(network, ranks)
        nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimizer.step()
        follow(average, network, kept_share(step, plan.steps))
        seen += len(pictures) * ranks
        for key, value in parts.items():
            sums[key] = sums.get(key, 0.0) + value
        if (step + 1) % LOG_EVERY == 0 and rank == 0:
            words = [f"{key} {value / LOG_EVERY:.4f}" for key, value in sums.items()]
            words += [f"{seen / (time.monotonic() - began):.1f} pictures/s", f"{len(feeder)} scenes"]
            print(f"step {step + 1} of {plan.steps}", *words, flush=True)
            sums.clear()
        if rank == 0 and ((step + 1) % 100 == 0 or step + 1 == plan.steps):
            save(plan.out / "checkpoint.pt", network, average, optimizer, step + 1)


def begun(plan: Plan, feeder: Feeder) -> Detector:
    """The network before its first step: a backbone that knows ImageNet, or a whole detector that was exported."""
    network = Detector()
    if plan.imagenet is not None:
        load_imagenet(network.backbone, plan.imagenet)
    if plan.exported is not None:
        dice = np.random.default_rng(plan.seed)
        pictures, _ = feeder.batch(dice, size=PICTURES_FOR_NORMS, side=plan.sides[-1], mosaic=0.0)
        new = load_exported(network, plan.exported, pictures.float() / 255)
        print(f"from {plan.exported.name}; layers that it does not know: {', '.join(new) or 'none'}", flush=True)
    return network


def agree(network: nn.Module, ranks: int) -> None:
    """One barrier a step: two processes stay fast where two threads would wait for each other in every layer."""
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    together.all_reduce(flat)
    flat /= ranks
    for gradient, piece in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(piece.view_as(gradient))


def groups(network: Detector, rate: float) -> list[dict[str, Any]]:
    """The pretrained weights move half as fast; norms and biases do not decay."""
    sorted_: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            sorted_.setdefault((name.startswith("backbone"), parameter.ndim > 1), []).append(parameter)
    return [
        {"params": parameters, "full": rate * (0.5 if pretrained else 1.0), "weight_decay": 0.03 if decays else 0.0}
        for (pretrained, decays), parameters in sorted_.items()
    ]


def rate_at(step: int, steps: int) -> float:
    warm = min(1.0, (step + 1) / min(WARM_STEPS, steps / 20))
    return warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def kept_share(step: int, steps: int) -> float:
    """The averaged weights look back over a twentieth of the plan, however short it is, and over less at its start."""
    return 1 - max(min(20 / steps, 0.5), 1 / (step + 2))


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, keep: float) -> None:
    for kept, now in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if kept.dtype.is_floating_point:
            kept.lerp_(now, 1 - keep)
        else:
            kept.copy_(now)


def ahead(feeder: Feeder, plan: Plan, *, first: int, rank: int) -> Queue[tuple[Tensor, Answers]]:
    """One thread makes batches beside the training; each step has its own seed, so a resumed run sees the same."""
    queue: Queue[tuple[Tensor, Answers]] = Queue(maxsize=4)

    def make() -> None:
        for step in range(first, plan.steps):
            if step % 200 == 0:
                feeder.look_again()
            side = plan.sides[step * len(plan.sides) // plan.steps]
            last = side == plan.sides[-1]
            dice = np.random.default_rng((plan.seed, step, rank))
            queue.put(feeder.batch(dice, size=plan.batch, side=side, mosaic=0.0 if last else MOSAIC))

    threading.Thread(target=make, daemon=True).start()
    return queue


def resume(path: Path, network: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    if not path.exists():
        return 0
    kept = torch.load(path, map_location="cpu", weights_only=True)
    network.load_state_dict(kept["network"])
    average.load_state_dict(kept["average"])
    rates = [group["full"] for group in optimizer.param_groups]
    optimizer.load_state_dict(kept["optimizer"])
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["full"] = rate  # the plan may have changed since
    return int(kept["step"])


def save(path: Path, network: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    torch.save(
        {
            "network": network.state_dict(),
            "average": average.state_dict(),
            "optimizer": optimizer.state_dict(),
            "step": step,
        },
        unfinished,
    )
    unfinished.rename(path)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("scenes", type=Path, help="folder of shards that scene_cache drew")
    options.add_argument("out", type=Path)
    start = options.add_mutually_exclusive_group(required=True)
    start.add_argument("--imagenet", type=Path, help="begin with EfficientNet-Lite0's weights (.pth)")
    start.add_argument("--from", type=Path, dest="exported", help="begin with a detector exported before (.onnx)")
    options.add_argument("--steps", type=int, default=12000)
    options.add_argument("--batch", type=int, default=8)
    options.add_argument("--rate", type=float, default=8e-4)
    options.add_argument("--seed", type=int, default=4)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--frozen", type=int, default=FROZEN_BLOCKS)
    options.add_argument("--sides", type=int, nargs="+", default=SIDES)
    asked = vars(options.parse_args())
    train(Plan(**{**asked, "sides": tuple(asked["sides"])}))


if __name__ == "__main__":
    main()
