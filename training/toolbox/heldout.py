"""Draws the held-out scenes: other outlines and other styles than the training pictures, to measure generalisation."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from training.toolbox import heldout_drivers, heldout_jaws, heldout_plates
from training.toolbox.heldout_clutter import DISTRACTORS, SMALL
from training.toolbox.heldout_finish import STYLES, Canvas, Look, Mask, choose_look, paint, stencil
from training.toolbox.heldout_grounds import GROUNDS, lay_ground, photograph
from training.toolbox.heldout_strokes import Part, Points
from training.toolbox.scene import LABELS, Box, Kind, Scene

Rng = np.random.Generator

# In the order of LABELS.
TOOLS: tuple[Callable[[Rng], list[Part]], ...] = (
    heldout_drivers.slotted_screwdriver,
    heldout_drivers.phillips_screwdriver,
    heldout_drivers.offset_screwdriver,
    heldout_drivers.hand_drill_brace,
    heldout_jaws.safety_wire_pliers,
    heldout_jaws.pliers,
    heldout_jaws.shears,
    heldout_plates.adjustable_wrench,
    heldout_plates.can_opener,
    heldout_plates.combination_wrench,
    heldout_jaws.side_cutters,
)
# Less than this share of a thing left in sight, and it is laid elsewhere.
LEAST_VISIBLE = 0.65
_ATTEMPTS = 14
_NOT_A_TOOL = -1


@dataclass(frozen=True)
class Thing:
    """One thing at its place in the picture; `label` is negative for what is no tool."""

    label: int
    parts: list[Part]
    size_px: float
    axis: tuple[float, float]


@dataclass
class Table:
    """Which thing is on top at every fourth pixel, and how much of each was there before it was covered."""

    owner: npt.NDArray[np.int16]
    full: list[int]


def draw_scene(seed: int, *, width: int = 640, height: int = 640, kind: Kind = "tools") -> Scene:
    # A stream of its own, so that the same seed elsewhere draws unrelated numbers.
    rng = np.random.default_rng([0x4E1D, seed])
    style = str(rng.choice(list(STYLES)))
    ground = str(rng.choice(list(GROUNDS)))
    canvas = lay_ground(rng, ground, width=width, height=height, pale=style == "silhouette")
    # Black things on top of each other cannot be told apart, so silhouettes lie apart.
    touching = rng.random() < 0.45 and style != "silhouette"
    things = _lay_out(rng, (width, height), kind, touching=touching)
    light = _light(rng)
    if ground == "foam":
        _cut_out(canvas, [thing for thing in things if thing.label != _NOT_A_TOOL], rng)
    owner = np.full((height, width), -1, np.int16)
    for index, thing in enumerate(things):
        chosen = (
            style if rng.random() < 0.85 or style == "silhouette" else str(rng.choice(["soft", "catalogue", "worn"]))
        )
        look = replace(choose_look(rng, chosen, light=light, size_px=thing.size_px), axis=thing.axis)
        _put_down(canvas, owner, thing, index=index, look=look, rng=rng)
    return Scene(photograph(canvas, rng), _visible_boxes(owner, things))


def main(arguments: Sequence[str]) -> None:
    if len(arguments) != 1:
        raise SystemExit("Say where the contact sheet goes: python -m training.toolbox.heldout OUT.jpg")
    scenes = [draw_scene(seed) for seed in range(20)]
    scenes += [draw_scene(seed, kind="distractors") for seed in range(20, 23)] + [draw_scene(23, kind="empty")]
    tiles = [_annotated(scene) for scene in scenes]
    rows = [np.concatenate(tiles[start : start + 6], axis=1) for start in range(0, len(tiles), 6)]
    sheet = np.concatenate(rows, axis=0)
    if not cv2.imwrite(str(Path(arguments[0])), sheet[:, :, ::-1]):
        raise SystemExit(f"The contact sheet could not be written to {arguments[0]}.")


def _lay_out(rng: Rng, frame: tuple[int, int], kind: Kind, *, touching: bool) -> list[Thing]:
    """Chooses what lies where; nothing is covered by more than `LEAST_VISIBLE` allows."""
    width, height = frame
    if kind == "empty":
        return []
    labels = [_NOT_A_TOOL] * int(rng.integers(1, 6))
    if kind == "tools":
        labels = [int(label) for label in rng.integers(len(TOOLS), size=int(rng.integers(1, 9)))]
        labels += [_NOT_A_TOOL] * int(rng.choice([0, 0, 0, 1, 2]))
        # The first thing always finds a place, so it is the tool that a scene of tools must have.
        labels[1:] = rng.permutation(labels[1:]).tolist()
    largest = 0.6 if len(labels) <= 4 else 0.42
    table = Table(np.full((height // 4, width // 4), -1, np.int16), [])
    things: list[Thing] = []
    lens = _lens(rng, width, height)
    for label in labels:
        for _ in range(_ATTEMPTS):
            thing = _place(rng, label, share=rng.uniform(0.15, largest), frame=frame, lens=lens)
            if _fits(table, thing, touching=touching):
                things.append(thing)
                break
    return things


def _place(rng: Rng, label: int, *, share: float, frame: tuple[int, int], lens: Points) -> Thing:
    """Draws one thing at a random turn, mirrored or not, mostly whole but sometimes over the edge of the picture."""
    width, height = frame
    if label == _NOT_A_TOOL:
        make = DISTRACTORS[int(rng.integers(len(DISTRACTORS)))]
        parts, share = make(rng), max(share * SMALL.get(make, 1.0), 0.05)
    else:
        parts = TOOLS[label](rng)
    points = _outline(parts)
    low, high = points.min(axis=0), points.max(axis=0)
    size_px = share * min(width, height)
    angle = rng.uniform(0, 2 * np.pi)
    axis = (float(np.cos(angle)), float(np.sin(angle)))
    matrix = np.array([[axis[0], -axis[1]], [axis[1], axis[0]]]) @ np.diag(
        [1, rng.choice([-1, 1]) * rng.uniform(0.88, 1.06)]
    )
    matrix *= size_px / float((high - low).max())
    reach = np.abs((points - (low + high) / 2) @ matrix.T).max(axis=0)
    over = 1.0 if rng.random() < 0.85 else 0.6
    room = np.maximum(np.array(frame) - 2 * reach * over - 8, 2)
    spot = (np.array(frame) - room) / 2 + rng.random(2) * room

    def moved(outlines: tuple[Points, ...]) -> tuple[Points, ...]:
        return tuple(_through(lens, (outline - (low + high) / 2) @ matrix.T + spot) for outline in outlines)

    placed = [replace(part, fills=moved(part.fills), cuts=moved(part.cuts), lines=moved(part.lines)) for part in parts]
    return Thing(label, placed, size_px, axis)


def _fits(table: Table, thing: Thing, *, touching: bool) -> bool:
    """Puts the thing onto the coarse table if everything, itself included, then stays visible enough."""
    coarse = [replace(p, fills=tuple(f / 4 for f in p.fills), cuts=tuple(c / 4 for c in p.cuts)) for p in thing.parts]
    cut = stencil(coarse, table.owner.shape)
    if cut is None:
        return False
    (x, y), mask = cut
    covered = mask > 90
    window = table.owner[y : y + mask.shape[0], x : x + mask.shape[1]]
    under = window[covered]
    if not touching and (under >= 0).any():
        return False
    counts = np.bincount(table.owner[table.owner >= 0], minlength=len(table.full))
    hidden = np.bincount(under[under >= 0], minlength=len(table.full))
    if any(counts[i] - hidden[i] < LEAST_VISIBLE * full for i, full in enumerate(table.full)):
        return False
    window[covered] = len(table.full)
    table.full.append(int(covered.sum()))
    return True


def _put_down(canvas: Canvas, owner: npt.NDArray[np.int16], thing: Thing, *, index: int, look: Look, rng: Rng) -> None:
    cut = stencil(thing.parts, canvas.shape)
    if cut is None:
        return
    (x, y), mask = cut
    _cast_shadow(canvas, mask, corner=(x, y), look=look, height_px=thing.size_px * rng.uniform(0.01, 0.05), rng=rng)
    paint(canvas, thing.parts, look, rng=rng)
    owner[y : y + mask.shape[0], x : x + mask.shape[1]][mask > 127] = index


def _cast_shadow(
    canvas: Canvas, mask: Mask, *, corner: tuple[int, int], look: Look, height_px: float, rng: Rng
) -> None:
    """Dark and close below the thing where the light is hard, wide and faint where it is soft."""
    across, down = (round(-look.light[i] * height_px * 1.6) for i in range(2))
    soft = max(1.0, height_px * rng.uniform(0.3, 0.9))
    pad = int(soft * 2) + max(abs(across), abs(down)) + 2
    left, top = max(corner[0] - pad, 0), max(corner[1] - pad, 0)
    right, bottom = (
        min(corner[0] + mask.shape[1] + pad, canvas.shape[1]),
        min(corner[1] + mask.shape[0] + pad, canvas.shape[0]),
    )
    shadow = np.zeros((bottom - top, right - left), np.float32)
    shadow[corner[1] - top :, corner[0] - left :][: mask.shape[0], : mask.shape[1]] = mask
    shift = np.array([[1, 0, across], [0, 1, down]], np.float32)
    shadow = cv2.warpAffine(shadow, shift, (shadow.shape[1], shadow.shape[0]))
    shadow = cv2.GaussianBlur(shadow, (0, 0), soft)
    canvas[top:bottom, left:right] *= 1 - shadow[:, :, None] * np.float32(rng.uniform(0.25, 0.65) / 255)


def _cut_out(canvas: Canvas, tools: Sequence[Thing], rng: Rng) -> None:
    """Foam is cut around each tool, down to a layer of another colour."""
    layer = np.asarray(
        rng.choice([(214, 178, 40), (190, 52, 44), (22, 22, 24), (200, 204, 206), (48, 120, 190)]), np.float32
    )
    margin = int(rng.integers(3, 9))
    round_knife = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1, 2 * margin + 1))
    for thing in tools:
        cut = stencil(thing.parts, canvas.shape)
        if cut is None:
            continue
        (x, y), mask = cut
        pad = margin + 2
        left, top = min(x, pad), min(y, pad)
        hole: Mask = cv2.dilate(cv2.copyMakeBorder(mask, top, pad, left, pad, cv2.BORDER_CONSTANT), round_knife)
        window = canvas[y - top :, x - left :][: hole.shape[0], : hole.shape[1]]
        hole = hole[: window.shape[0], : window.shape[1]]
        window[hole > 127] = layer
        window[cv2.morphologyEx(hole, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) > 127] *= 0.5


def _visible_boxes(owner: npt.NDArray[np.int16], things: Sequence[Thing]) -> list[Box]:
    boxes = []
    for index, thing in enumerate(things):
        seen = owner == index
        columns, rows = np.flatnonzero(seen.any(axis=0)), np.flatnonzero(seen.any(axis=1))
        if thing.label == _NOT_A_TOOL or not columns.size:
            continue
        x, y = float(columns[0]), float(rows[0])
        boxes.append(Box(thing.label, x, y, float(columns[-1]) + 1 - x, float(rows[-1]) + 1 - y))
    return boxes


def _light(rng: Rng) -> tuple[float, float, float]:
    angle, steep = rng.uniform(0, 2 * np.pi), rng.uniform(0.55, 0.8)
    flat = float(np.sqrt(1 - steep * steep))
    return float(np.cos(angle)) * flat, float(np.sin(angle)) * flat, float(steep)


def _lens(rng: Rng, width: int, height: int) -> Points:
    """A mild perspective that keeps the picture's middle where it is."""
    tilt = rng.uniform(-0.16, 0.16, size=2) / (width, height)
    centre = np.array([[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1]])
    back = np.array([[1, 0, width / 2], [0, 1, height / 2], [0, 0, 1]])
    return np.asarray(back @ np.array([[1, 0, 0], [0, 1, 0], [tilt[0], tilt[1], 1]]) @ centre)


def _through(lens: Points, points: Points) -> Points:
    flat = np.column_stack([points, np.ones(len(points))]) @ lens.T
    return np.asarray(flat[:, :2] / flat[:, 2:])


def _outline(parts: Sequence[Part]) -> Points:
    return np.concatenate([fill for part in parts for fill in part.fills])


def _annotated(scene: Scene) -> npt.NDArray[np.uint8]:
    tile = scene.picture.copy()
    for box in scene.boxes:
        corner = (int(box.x), int(box.y))
        cv2.rectangle(tile, corner, (int(box.x + box.width), int(box.y + box.height)), (255, 40, 200), 2)
        cv2.putText(
            tile,
            LABELS[box.label],
            (corner[0], corner[1] + 14),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.5,
            (255, 40, 200),
            1,
            cv2.LINE_AA,
        )
    return np.asarray(cv2.resize(tile, (480, 480), interpolation=cv2.INTER_AREA), dtype=np.uint8)


if __name__ == "__main__":
    main(sys.argv[1:])
