"""Turns drawn scenes into batches: turned, mirrored, zoomed, put together by four, coloured anew."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from training.toolbox.learning import Answers
from training.toolbox.outlines.shapes import Dice
from training.toolbox.scene import Picture
from training.toolbox.scene_cache import INPUT, Boxes, Shard, read_shard

PAD = 114
SMALLEST_PX = 10


class Feeder:
    """All scenes that are drawn by now; the drawing may go on beside the training."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known: set[Path] = set()
        self.shards: list[Shard] = []
        self.look_again()

    def look_again(self) -> None:
        for path in sorted(self.folder.glob("shard-*.npy")):
            if path not in self.known:
                self.known.add(path)
                self.shards.append(read_shard(path))

    def __len__(self) -> int:
        return sum(len(shard.pictures) for shard in self.shards)

    def batch(self, dice: Dice, *, size: int, side: int, mosaic: float) -> tuple[torch.Tensor, Answers]:
        made = [self.example(dice, side=side, mosaic=mosaic) for _ in range(size)]
        pictures = torch.from_numpy(np.stack([picture for picture, _ in made])).permute(0, 3, 1, 2)
        return pictures, padded([boxes for _, boxes in made])

    def example(self, dice: Dice, *, side: int, mosaic: float) -> tuple[Picture, Boxes]:
        if dice.random() < mosaic:
            picture, boxes = self.four(dice, side=side)
        else:
            picture, boxes = self.one(dice)
            zoom = dice.uniform(0.85, 1.6) if dice.random() < 0.65 else 1.0
            picture, boxes = placed(picture, boxes, dice, side=side, zoom=zoom * side / INPUT)
        return coloured(picture, dice), boxes

    def one(self, dice: Dice) -> tuple[Picture, Boxes]:
        shard = self.shards[dice.integers(len(self.shards))]
        number = dice.integers(len(shard.pictures))
        return turned(shard.pictures[number], shard.boxes[number], int(dice.integers(8)))

    def four(self, dice: Dice, *, side: int) -> tuple[Picture, Boxes]:
        """Four scenes meet in one point, each shrunk: many small tools, cut at the seams."""
        canvas = np.full((side, side, 3), PAD, np.uint8)
        x, y = dice.uniform(0.3, 0.7, 2) * side
        every = []
        for left, top, right, bottom in ((0, 0, x, y), (x, 0, side, y), (0, y, x, side), (x, y, side, side)):
            window = np.s_[int(top) : int(bottom), int(left) : int(right)]
            rows, columns = canvas[window].shape[:2]
            picture, boxes = self.one(dice)
            zoom = dice.uniform(0.95, 1.35) * max(rows, columns) / INPUT
            picture, boxes = placed(picture, boxes, dice, side=max(rows, columns), zoom=zoom)
            canvas[window] = picture[:rows, :columns]
            boxes = kept(boxes, columns=columns, rows=rows)
            every.append(boxes + np.array([0, int(left), int(top), int(left), int(top)], np.float32))
        return canvas, np.concatenate(every)


def turned(picture: Picture, boxes: Boxes, way: int) -> tuple[Picture, Boxes]:
    """One of the eight ways to lay a square."""
    boxes = boxes.copy()
    if way & 1:
        picture = picture[:, ::-1]
        boxes[:, [1, 3]] = INPUT - boxes[:, [3, 1]]
    if way & 2:
        picture = picture[::-1]
        boxes[:, [2, 4]] = INPUT - boxes[:, [4, 2]]
    if way & 4:
        picture = picture.transpose(1, 0, 2)
        boxes = boxes[:, [0, 2, 1, 4, 3]]
    return picture, boxes


def placed(picture: Picture, boxes: Boxes, dice: Dice, *, side: int, zoom: float) -> tuple[Picture, Boxes]:
    """Zoomed and shifted into a square: what falls outside is cut off."""
    room = side - INPUT * zoom
    dx, dy = dice.uniform(min(room, 0), max(room, 0), 2)
    if abs(zoom - 1) < 1e-6:
        dx = dy = 0.0
    matrix = np.array([[zoom, 0, dx], [0, zoom, dy]], np.float32)
    how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    if zoom < 0.8:  # warpAffine skips pixels when it shrinks
        picture = cv2.resize(np.ascontiguousarray(picture), None, fx=zoom, fy=zoom, interpolation=how)
        matrix[0, 0] = matrix[1, 1] = 1.0
    fill = (PAD, PAD, PAD)
    out = cv2.warpAffine(np.ascontiguousarray(picture), matrix, (side, side), flags=cv2.INTER_LINEAR, borderValue=fill)
    boxes = boxes.copy()
    boxes[:, 1:] = boxes[:, 1:] * zoom + np.array([dx, dy, dx, dy], np.float32)
    return out, kept(boxes, columns=side, rows=side)


def kept(boxes: Boxes, *, columns: int, rows: int) -> Boxes:
    """Cut at the frame; a tool of which less than half is left is no longer asked for."""
    before = (boxes[:, 3] - boxes[:, 1]) * (boxes[:, 4] - boxes[:, 2])
    cut = boxes.copy()
    cut[:, [1, 3]] = cut[:, [1, 3]].clip(0, columns)
    cut[:, [2, 4]] = cut[:, [2, 4]].clip(0, rows)
    wide, high = cut[:, 3] - cut[:, 1], cut[:, 4] - cut[:, 2]
    return cut[(wide * high > 0.5 * before) & (np.maximum(wide, high) > SMALLEST_PX)]


def coloured(picture: Picture, dice: Dice) -> Picture:
    if dice.random() < 0.5:
        gain = dice.uniform(0.75, 1.25) * dice.uniform(0.9, 1.1, 3)
        table = np.clip(np.arange(256)[:, None] * gain + dice.uniform(-15, 15), 0, 255).astype(np.uint8)
        picture = cv2.LUT(picture, table[None])
    if dice.random() < 0.15:
        picture = picture[..., dice.permutation(3)]
    if dice.random() < 0.1:
        picture = np.repeat(cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)[..., None], 3, 2)
    if dice.random() < 0.05:
        picture = 255 - picture
    return np.ascontiguousarray(picture)


def padded(every: list[Boxes]) -> Answers:
    most = max(1, *(len(boxes) for boxes in every))
    table: npt.NDArray[np.float32] = np.zeros((len(every), most, 5), np.float32)
    real = np.zeros((len(every), most), bool)
    for number, boxes in enumerate(every):
        table[number, : len(boxes)] = boxes
        real[number, : len(boxes)] = True
    return Answers(torch.from_numpy(table[..., 0]).long(), torch.from_numpy(table[..., 1:]), torch.from_numpy(real))
