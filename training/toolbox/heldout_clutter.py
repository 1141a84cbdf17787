"""What lies about in the held-out pictures without being one of the eleven tools."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.toolbox.heldout_strokes import Part, arc, box, fillet, ribbon, strokes, turn, turned

Rng = np.random.Generator


def _mug(rng: Rng) -> list[Part]:
    wide, high = rng.uniform(0.28, 0.36), rng.uniform(0.35, 0.5)
    if rng.random() < 0.5:  # from above
        ear = Part((ribbon([(0.3, 0.1), (0.5, 0.07), (0.5, -0.07), (0.3, -0.1)], [0.06, 0.06]),), "grip")
        return [ear, Part((arc((0, 0), 0.36),), "grip"), Part((arc((0, 0), 0.31),), "accent", relief=0.2)]
    ear = Part(
        (
            ribbon(
                [(wide, high * 0.6), (wide + 0.2, high * 0.4), (wide + 0.15, -high * 0.4), (wide * 0.9, -high * 0.5)],
                [0.07] * 3,
            ),
        ),
        "grip",
    )
    rim = Part((arc((0, 0), 1) * (wide, 0.07) + (0, high),), "accent", relief=0.3)
    return [
        ear,
        Part((fillet([(-wide, high), (-wide * 0.9, -high), (wide * 0.9, -high), (wide, high)], 0.06),), "grip"),
        rim,
    ]


def _tape_roll(rng: Rng) -> list[Part]:
    core = rng.uniform(0.2, 0.32)
    rings = tuple(arc((0, 0), radius) for radius in np.linspace(core + 0.05, 0.45, 4))
    card = Part((arc((0, 0), core + 0.025),), "wood", relief=0.3, cuts=(arc((0, 0), core),))
    return [Part((arc((0, 0), 0.5),), "grip", relief=0.2, cuts=(arc((0, 0), core),), lines=rings), card]


def _pen(rng: Rng) -> list[Part]:
    half = rng.uniform(0.025, 0.04)
    barrel = Part((turned([(-0.42, half), (0.35, half), (0.47, half * 0.35), (0.5, 0.004)]),), "grip")
    if rng.random() < 0.5:
        cap = Part((turned([(-0.5, half * 0.8), (-0.49, half * 1.1), (-0.12, half * 1.1)]),), "accent")
        return [barrel, cap, Part((box(-0.48, half * 0.9, -0.2, half * 1.5, radius=0.01),), "bright")]
    wood = Part((turned([(0.35, half), (0.47, half * 0.35), (0.5, 0.0)]),), "wood")
    return [barrel, wood, Part((turned([(-0.5, half), (-0.43, half)]),), "accent")]


def _nut(rng: Rng) -> list[Part]:
    hole = arc((0, 0), rng.uniform(0.22, 0.3))
    if rng.random() < 0.4:
        return [Part((arc((0, 0), 0.5),), "steel", relief=0.2, cuts=(hole,))]
    return [Part((arc((0, 0), 0.5, count=6),), "steel", relief=0.5, cuts=(hole,))]


def _bolt(rng: Rng) -> list[Part]:
    half, stop = rng.uniform(0.06, 0.1), rng.uniform(0.35, 0.5)
    thread = strokes(*([(x, -half), (x + 0.02, half)] for x in np.arange(-0.05, stop - 0.04, 0.045)))
    return [
        Part((turned([(-0.3, half), (stop - 0.03, half), (stop, half * 0.8)]),), "steel", lines=thread),
        Part(
            (box(-0.46, -half * 2, -0.28, half * 2, radius=0.02),),
            "steel",
            relief=0.6,
            lines=strokes([(-0.46, -half * 0.9), (-0.28, -half * 0.9)]),
        ),
    ]


def _hammer(rng: Rng) -> list[Part]:
    half = rng.uniform(0.03, 0.042)
    stick = Part((turned([(-0.55, half), (-0.5, half * 1.3), (-0.2, half), (0.38, half * 0.8)], smooth=True),), "wood")
    if rng.random() < 0.5:
        face = fillet(
            [
                (0.3, -0.2),
                (0.46, -0.2),
                (0.44, -0.1),
                (0.46, 0.05),
                (0.44, 0.2),
                (0.36, 0.28),
                (0.33, 0.1),
                (0.32, -0.1),
            ],
            0.02,
        )
    else:
        face = box(0.3, -0.2, 0.45, 0.2, radius=0.02)
    return [stick, Part((face,), "black" if rng.random() < 0.5 else "steel", relief=0.5)]


def _ruler(rng: Rng) -> list[Part]:
    half = rng.uniform(0.04, 0.06)
    ticks = [[(x, half), (x, half * (0.1 if i % 5 == 0 else 0.55))] for i, x in enumerate(np.linspace(-0.48, 0.48, 26))]
    return [
        Part((box(-0.5, -half, 0.5, half),), rng.choice(["steel", "accent", "wood"]), relief=0.1, lines=strokes(*ticks))
    ]


def _keys(rng: Rng) -> list[Part]:
    ring = Part((arc((0, 0), 0.13),), "bright", cuts=(arc((0, 0), 0.1),))
    notches = [(0.3 + 0.05 * i, -0.035 - 0.03 * rng.random()) for i in range(7)]
    edge = [(0.28, 0.04), (0.66, 0.04), (0.7, 0.0), (0.66, -0.035), *notches[::-1]]
    bow = Part((arc((0.18, 0), 0.12), np.array(edge)), "steel", relief=0.3, cuts=(arc((0.11, 0), 0.03),))
    angles = rng.uniform(-50, 50, size=int(rng.integers(1, 4)))
    return [ring, *(part for angle in angles for part in turn([bow], float(angle)))]


def _battery(rng: Rng) -> list[Part]:
    half = rng.uniform(0.12, 0.17)
    return [
        Part((box(0.4, -half * 0.35, 0.5, half * 0.35),), "bright"),
        Part((box(-0.45, -half, 0.42, half, radius=0.02),), "black"),
        Part((box(0.12, -half, 0.42, half, radius=0.02),), "accent"),
    ]


def _spool(rng: Rng) -> list[Part]:
    wire = strokes(*([(x, -0.26), (x + 0.02, 0.26)] for x in np.linspace(-0.22, 0.2, 9)))
    return [
        Part((box(-0.26, -0.27, 0.26, 0.27),), "bright", lines=wire),
        Part((box(-0.34, -0.42, -0.24, 0.42, radius=0.03), box(0.24, -0.42, 0.34, 0.42, radius=0.03)), "grip"),
    ]


def _brush(rng: Rng) -> list[Part]:
    wide = rng.uniform(0.1, 0.16)
    hairs = strokes(*([(0.25, y * 0.9), (0.48, y)] for y in np.linspace(-wide, wide, 8)))
    return [
        Part((turned([(-0.5, 0.025), (-0.4, 0.045), (-0.1, 0.03), (0.05, wide)], smooth=True),), "wood"),
        Part((box(0.22, -wide * 0.95, 0.5, wide * 0.95, radius=0.02),), "accent", relief=0.2, lines=hairs),
        Part((box(0.03, -wide, 0.25, wide),), "bright", relief=0.3),
    ]


Maker = Callable[[Rng], list[Part]]

DISTRACTORS: tuple[Maker, ...] = (
    _mug, _tape_roll, _pen, _nut, _bolt, _hammer, _ruler, _keys, _battery, _spool, _brush,
)  # fmt: skip
# Share of the usual length, so that a nut does not lie there as large as a hammer.
SMALL: dict[Maker, float] = {
    _nut: 0.35,
    _bolt: 0.55,
    _keys: 0.6,
    _battery: 0.5,
    _mug: 0.8,
    _tape_roll: 0.8,
    _spool: 0.6,
}
