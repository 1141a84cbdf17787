"""Draws scenes ahead of the training and keeps them in shards, fitted to the network's frame."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from training.toolbox.drawing import draw_scene
from training.toolbox.scene import Kind, Picture

INPUT = 416
SHARD = 256
FIRST_TRAINING_SEED = 1_000_000  # validation draws 500,000 and on, the test 0 and on: they never meet

Boxes = npt.NDArray[np.float32]  # label, left, top, right, bottom in input pixels


@dataclass(frozen=True)
class Shard:
    pictures: npt.NDArray[np.uint8]
    boxes: list[Boxes]


def kind_of(seed: int) -> Kind:
    """Nine scenes in ten have tools; the rest teach what is none."""
    if seed % 12 == 11:
        return "distractors"
    return "empty" if seed % 48 == 6 else "tools"


def fitted(seed: int) -> tuple[Picture, Boxes]:
    """Drawn at some camera's size, then shrunk as the server will shrink it."""
    side = int(np.random.default_rng((seed, 7)).choice([416, 448, 512, 640], p=[0.3, 0.3, 0.2, 0.2]))
    scene = draw_scene(seed, width=side, height=side, kind=kind_of(seed))
    scale = INPUT / side
    picture = scene.picture
    if side != INPUT:
        how = cv2.INTER_AREA if seed % 2 else cv2.INTER_LINEAR
        picture = cv2.resize(picture, (INPUT, INPUT), interpolation=how)
    rows = [(b.label, b.x * scale, b.y * scale, (b.x + b.width) * scale, (b.y + b.height) * scale) for b in scene.boxes]
    return picture, np.array(rows, np.float32).reshape(-1, 5)


def write_shard(folder: Path, number: int) -> None:
    target = folder / f"shard-{number:04d}.npy"
    if target.exists():
        return
    drawn = [fitted(FIRST_TRAINING_SEED + number * SHARD + offset) for offset in range(SHARD)]
    lengths = np.array([len(boxes) for _, boxes in drawn])
    np.savez(target.with_suffix(".npz"), boxes=np.concatenate([boxes for _, boxes in drawn]), lengths=lengths)
    unfinished = target.with_suffix(".part")
    with unfinished.open("wb") as out:
        np.save(out, np.stack([picture for picture, _ in drawn]))
    unfinished.rename(target)  # the pictures come last: whoever sees them finds the boxes too


def read_shard(pictures: Path) -> Shard:
    """The pictures stay on disk, mapped: two processes share one copy of them in memory."""
    with np.load(pictures.with_suffix(".npz")) as kept:
        boxes = np.split(kept["boxes"], np.cumsum(kept["lengths"])[:-1])
    return Shard(np.load(pictures, mmap_mode="r"), boxes)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--shards", type=int, default=48)
    options.add_argument("--first", type=int, default=0)
    asked = options.parse_args()
    cv2.setNumThreads(1)
    asked.folder.mkdir(parents=True, exist_ok=True)
    for number in range(asked.first, asked.first + asked.shards):
        write_shard(asked.folder, number)
        print(f"shard {number} is drawn", flush=True)


if __name__ == "__main__":
    main()
