"""Things that lie about in a workshop and are none of the eleven tools."""

from __future__ import annotations

import numpy as np

from training.toolbox.outlines.shapes import (
    Dice,
    Outline,
    Part,
    arc,
    array,
    box,
    cross_lines,
    curve,
    disc,
    grooves,
    long_lines,
    profile,
    star,
    strip,
)


def hammer(dice: Dice) -> Outline:
    u = dice.uniform
    head, half = u(0.1, 0.2), u(0.03, 0.06)
    parts = [
        Part("handle", strip(curve([(-0.5, 0), (-0.1, 0), (0.4, 0)]), [half * 1.3, half, half * 0.8], round_end=True))
    ]
    body = [(0.36, -head), (0.46, -head), (0.46, head * 0.5), (0.42, head * u(0.9, 1.5)), (0.37, head * 0.5)]
    return [*parts, Part("metal", array(body)), Part("metal", box(0.34, -head * 1.1, 0.48, -head * 0.75))]


def cup(dice: Dice) -> Outline:
    u = dice.uniform
    ear = strip(arc(0.36, 0, u(0.1, 0.16), -1.7, 1.7), 0.06)
    return [
        Part("handle", ear),
        Part("handle", disc(0, 0, 0.4)),
        Part("accent", disc(0, 0, 0.36)),
        Part("dark", disc(0.01, 0.01, u(0.28, 0.33))),
    ]


def tape(dice: Dice) -> Outline:
    hole = dice.uniform(0.2, 0.36)
    return [Part("handle", disc(0, 0, 0.5)), Part("accent", disc(0, 0, hole + 0.04)), Part("hole", disc(0, 0, hole))]


def nut(dice: Dice) -> Outline:
    return [Part("metal", disc(0, 0, 0.5, corners=6)), Part("hole", disc(0, 0, dice.uniform(0.22, 0.32)))]


def washer(dice: Dice) -> Outline:
    return [Part("metal", disc(0, 0, 0.5)), Part("hole", disc(0, 0, dice.uniform(0.15, 0.35)))]


def bolt(dice: Dice) -> Outline:
    u = dice.uniform
    r, head = u(0.05, 0.12), u(0.1, 0.22)
    shank = profile([(-0.5 + head, r), (0.47, r), (0.5, r * 0.7)])
    lid = box(-0.5, -r * u(1.6, 2.2), -0.5 + head, r * u(1.6, 2.2), corner=r * 0.2)
    return [
        Part("metal", shank),
        Part("metal", lid),
        *grooves(cross_lines(-0.1, 0.48, r, int(dice.integers(6, 18))), 0.01),
    ]


def pen(dice: Dice) -> Outline:
    u = dice.uniform
    r = u(0.022, 0.045)
    body = [
        Part("handle", box(-0.5, -r, 0.36, r, corner=r * 0.4)),
        Part(("metal", "accent", "dark")[dice.integers(3)], profile([(0.36, r), (0.47, r * 0.3), (0.5, 0.004)])),
    ]
    if dice.random() < 0.6:
        body.append(Part("accent", box(-0.5, -r, u(-0.4, 0.05), r, corner=r * 0.3)))
    if dice.random() < 0.5:
        body.append(Part("metal", box(-0.45, -r * 0.3, -0.15, r * 0.3)))
    return body


def ruler(dice: Dice) -> Outline:
    half = dice.uniform(0.03, 0.09)
    ticks = [array([(x, -half), (x, -half * dice.uniform(0.2, 0.6))]) for x in np.linspace(-0.47, 0.47, 30)]
    return [Part(("metal", "handle", "accent")[dice.integers(3)], box(-0.5, -half, 0.5, half)), *grooves(ticks, 0.005)]


def hand(dice: Dice) -> Outline:
    u = dice.uniform
    parts = [
        Part("accent", box(-0.5, -0.12, -0.1, 0.12, corner=0.04)),
        Part("accent", box(-0.2, -0.19, 0.12, 0.19, corner=0.09)),
    ]
    for number, y in enumerate((-0.145, -0.05, 0.05, 0.145)):
        reach = (0.36, 0.46, 0.48, 0.4)[number] * u(0.8, 1.04)
        line = curve([(0.05, y), (0.2, y * 1.2), (reach, y * u(0.9, 1.6))])
        parts.append(Part("accent", strip(line, [0.095, 0.09, 0.075], round_end=True)))
    thumb = curve([(-0.1, 0.13), (0.02, 0.26), (0.14, u(0.24, 0.36))])
    return [*parts, Part("accent", strip(thumb, [0.12, 0.1, 0.08], round_end=True))]


def key(dice: Dice) -> Outline:
    u = dice.uniform
    r, half = u(0.15, 0.22), u(0.025, 0.045)
    parts = [
        Part("metal", box(-0.2, -half, 0.5, half)),
        Part("metal", disc(-0.5 + r, 0, r, squash=u(0.7, 1.0))),
        Part("hole", disc(-0.5 + r * 0.7, 0, r * u(0.2, 0.45))),
    ]
    for x in np.linspace(0.22, 0.46, int(dice.integers(2, 5))):
        parts.append(Part("metal", box(x, 0, x + 0.035, half + u(0.02, 0.07))))
    return parts


def coin(dice: Dice) -> Outline:
    return [
        Part("metal", disc(0, 0, 0.5)),
        Part("facet", disc(0, 0, 0.42)),
        *grooves([arc(0, 0, 0.2, 0, dice.uniform(2, 6))], 0.04),
    ]


def phone(dice: Dice) -> Outline:
    half = dice.uniform(0.22, 0.28)
    return [
        Part("handle", box(-0.5, -half, 0.5, half, corner=0.06)),
        Part("dark", box(-0.46, -half + 0.03, 0.46, half - 0.03, corner=0.04)),
    ]


def spoon(dice: Dice) -> Outline:
    r = dice.uniform(0.09, 0.14)
    return [
        Part("metal", strip(curve([(-0.5, 0), (0, 0), (0.3, 0)]), [0.06, 0.03, 0.035], round_end=True)),
        Part("metal", disc(0.35, 0, r * 1.4, squash=0.7)),
        Part("facet", disc(0.35, 0, r * 1.1, squash=0.65)),
    ]


def kitchen_fork(dice: Dice) -> Outline:
    parts = [Part("metal", strip(curve([(-0.5, 0), (0, 0), (0.3, 0)]), [0.06, 0.03, 0.09], round_end=True))]
    for y in np.linspace(-0.05, 0.05, int(dice.integers(3, 5))):
        parts.append(Part("metal", strip(array([(0.28, y), (0.5, y)]), [0.025, 0.015])))
    return parts


def knife(dice: Dice) -> Outline:
    u = dice.uniform
    half = u(0.03, 0.06)
    edge = [(-0.1, -half), (0.5 - u(0.05, 0.2), -half), (0.5, half * 0.6), (0.48, half), (-0.1, half)]
    return [Part("metal", array(edge)), Part("handle", box(-0.5, -half * 1.1, -0.08, half * 1.1, corner=half * 0.6))]


def brush(dice: Dice) -> Outline:
    u = dice.uniform
    half = u(0.08, 0.16)
    stem = profile([(-0.5, 0.02), (-0.35, 0.04), (-0.05, 0.03), (0.08, half * 0.9)], smooth=True)
    return [
        Part("handle", stem),
        Part("metal", box(0.06, -half, 0.22, half)),
        Part("accent", box(0.2, -half, 0.5, half)),
        *grooves(long_lines(0.24, 0.5, half * 0.9, 9), 0.008),
    ]


def hex_key(dice: Dice) -> Outline:
    u = dice.uniform
    line = curve([(-0.5, u(0.2, 0.4)), (-0.5, 0.06), (-0.47, 0.01), (-0.4, 0), (0.5, 0)], steps=6)
    return [Part("metal", strip(line, u(0.03, 0.07)))]


def cable(dice: Dice) -> Outline:
    steps = dice.uniform(-0.35, 0.35, (int(dice.integers(4, 8)), 2))
    steps[:, 0] = np.linspace(-0.5, 0.5, len(steps))
    return [Part("handle", strip(curve(steps, steps=10), dice.uniform(0.012, 0.035), round_end=True))]


def bottle(dice: Dice) -> Outline:
    u = dice.uniform
    r = u(0.12, 0.18)
    body = profile([(-0.5, r), (0.1, r), (0.25, r * 0.5), (0.32, r * 0.35), (0.42, r * 0.35)])
    return [
        Part("handle", body),
        Part("accent", box(0.4, -r * 0.42, 0.5, r * 0.42)),
        Part("accent", box(-0.4, -r * 0.95, u(-0.2, 0.05), r * 0.95)),
    ]


def battery(dice: Dice) -> Outline:
    r = dice.uniform(0.11, 0.2)
    return [
        Part("handle", box(-0.5, -r, 0.46, r, corner=0.02)),
        Part("accent", box(0.2, -r, 0.46, r)),
        Part("metal", box(0.46, -r * 0.35, 0.5, r * 0.35)),
    ]


def carton(dice: Dice) -> Outline:
    half = dice.uniform(0.2, 0.5)
    return [
        Part(("handle", "accent")[dice.integers(2)], box(-0.5, -half, 0.5, half, corner=0.02)),
        *grooves(cross_lines(0.0, 0.02, half, 1), 0.05),
    ]


def label(dice: Dice) -> Outline:
    u = dice.uniform
    half = u(0.1, 0.4)
    lines = [
        array([(-0.42, y), (u(0.0, 0.42), y)]) for y in np.linspace(-half * 0.7, half * 0.7, int(dice.integers(2, 7)))
    ]
    return [Part("accent", box(-0.5, -half, 0.5, half)), *grooves(lines, half * 0.08)]


def gear(dice: Dice) -> Outline:
    teeth = int(dice.integers(9, 24))
    return [
        Part("metal", star(0, 0, 0.5, teeth=teeth, depth=0.18)),
        Part("facet", disc(0, 0, 0.3)),
        Part("hole", disc(0, 0, dice.uniform(0.08, 0.2))),
    ]


def chisel(dice: Dice) -> Outline:
    """Close to a slotted screwdriver on purpose: its blade is wide over its whole length."""
    u = dice.uniform
    half = u(0.045, 0.08)
    return [
        Part("metal", box(-0.1, -half, 0.5, half)),
        Part("facet", box(0.4, -half, 0.5, half)),
        Part("handle", profile([(-0.5, 0.05), (-0.3, 0.06), (-0.1, 0.035)], smooth=True)),
    ]


def file(dice: Dice) -> Outline:
    half = dice.uniform(0.03, 0.055)
    lines = [array([(x, -half), (x + half, half)]) for x in np.linspace(-0.15, 0.43, 22)]
    return [
        Part("metal", box(-0.2, -half, 0.5, half)),
        *grooves(lines, 0.005),
        Part("handle", profile([(-0.5, 0.035), (-0.35, 0.05), (-0.18, 0.03)], smooth=True)),
    ]


def saw(dice: Dice) -> Outline:
    half = dice.uniform(0.1, 0.16)
    teeth = [(x, half + (0.02 if n % 2 else 0.0)) for n, x in enumerate(np.linspace(0.5, -0.2, 31))]
    blade = array([(-0.2, -half), (0.5, -half * 0.3), *teeth])
    return [
        Part("metal", blade),
        Part("handle", box(-0.5, -half, -0.15, half * 1.1, corner=0.08)),
        Part("hole", box(-0.42, -half * 0.4, -0.25, half * 0.5, corner=0.05)),
    ]


def glasses(dice: Dice) -> Outline:
    r = dice.uniform(0.17, 0.22)
    parts: Outline = [Part("handle", strip(curve([(-0.1, 0), (0, -0.03), (0.1, 0)]), 0.04))]
    for x in (-0.27, 0.27):
        parts += [Part("handle", disc(x, 0, r)), Part("hole", disc(x, 0, r * 0.82))]
    return parts


def socket(dice: Dice) -> Outline:
    r = dice.uniform(0.2, 0.35)
    return [
        Part("metal", profile([(-0.5, r), (0.05, r), (0.12, r * 0.8), (0.5, r * 0.8)])),
        *grooves(cross_lines(-0.42, -0.3, r, 2), 0.02),
    ]


def blob(dice: Dice) -> Outline:
    count = int(dice.integers(4, 10))
    angle = np.sort(dice.uniform(0, 2 * np.pi, count))
    reach = dice.uniform(0.15, 0.5, count)
    shape = np.stack((reach * np.cos(angle), reach * np.sin(angle)), 1)
    if dice.random() < 0.5:
        shape = curve(np.vstack((shape, shape[:1])))
    return [Part(("metal", "handle", "accent", "dark")[dice.integers(4)], shape)]


def rod(dice: Dice) -> Outline:
    half = dice.uniform(0.01, 0.05)
    return [
        Part(
            ("metal", "handle", "dark")[dice.integers(3)], box(-0.5, -half, 0.5, half, corner=half * dice.uniform(0, 1))
        )
    ]


def measure(dice: Dice) -> Outline:
    u = dice.uniform
    case = box(-0.3, -0.28, 0.2, 0.28, corner=u(0.04, 0.2))
    return [
        Part("metal", box(0.15, 0.18, 0.5, 0.24)),
        Part("handle", case),
        Part("accent", disc(-0.05, 0, u(0.12, 0.2))),
        Part("metal", box(0.48, 0.16, 0.5, 0.28)),
    ]


STRANGERS = (
    hammer, cup, tape, nut, washer, bolt, pen, ruler, hand, key, coin, phone, spoon, kitchen_fork, knife, brush,
    hex_key, cable, bottle, battery, carton, label, gear, chisel, file, saw, glasses, socket, blob, blob, rod, measure,
)  # fmt: skip
