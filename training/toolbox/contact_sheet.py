"""Prints a sheet of scenes, or of every tool in every style, to be looked at."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from training.toolbox.drawing import draw_scene
from training.toolbox.materials import STYLES, choose_look, painted
from training.toolbox.outlines import TOOLS
from training.toolbox.outlines.shapes import Part, normalised, turned, warped
from training.toolbox.scene import LABELS, Kind, Picture, Scene


def marked(scene: Scene) -> Picture:
    picture = scene.picture.copy()
    for box in scene.boxes:
        corner = (int(box.x), int(box.y))
        cv2.rectangle(picture, corner, (int(box.x + box.width), int(box.y + box.height)), (255, 40, 40), 1)
        cv2.putText(
            picture, LABELS[box.label], (corner[0], corner[1] + 12), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 40, 40), 1
        )
    return picture


def scenes(first: int, count: int, *, columns: int) -> Picture:
    tiles = []
    for seed in range(first, first + count):
        kind: Kind = "distractors" if seed % 8 == 7 else "tools"
        tiles.append(cv2.resize(marked(draw_scene(seed, kind=kind)), (400, 400), interpolation=cv2.INTER_AREA))
    return tiled(tiles, columns=columns)


def specimens(first: int, *, columns: int) -> Picture:
    tiles = []
    for label, draw in enumerate(TOOLS):
        for number in range(columns):
            dice = np.random.default_rng((first, label, number))
            parts = turned(normalised(warped(draw(dice), dice)), 0.3)
            placed = [Part(part.role, part.points * 200 + (110, 80), part.width * 200) for part in parts]
            layer = painted(placed, choose_look(dice, style=STYLES[number % len(STYLES)]), dice)
            tile = np.full((160, 220, 3), 245, np.uint8)
            canvas = np.full((600, 600, 3), 245, np.uint8)
            rows, cols = layer.alpha.shape
            top, left = layer.top + 200, layer.left + 200
            view = canvas[top : top + rows, left : left + cols]
            weight = layer.alpha[..., None] / 255
            view[:] = (view * (1 - weight) + layer.colour * weight).astype(np.uint8)
            tile[:] = canvas[200:360, 200:420]
            tiles.append(tile)
    return tiled(tiles, columns=columns)


def tiled(tiles: list[Picture], *, columns: int) -> Picture:
    return np.vstack([np.hstack(tiles[row : row + columns]) for row in range(0, len(tiles), columns)])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("out", type=Path)
    options.add_argument("--first", type=int, default=0)
    options.add_argument("--count", type=int, default=16)
    options.add_argument("--specimens", action="store_true")
    asked = options.parse_args()
    sheet = (
        specimens(asked.first, columns=len(STYLES)) if asked.specimens else scenes(asked.first, asked.count, columns=4)
    )
    cv2.imwrite(str(asked.out), sheet[..., ::-1])


if __name__ == "__main__":
    main()
