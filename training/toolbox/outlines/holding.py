"""Wrenches and can openers: one piece of steel whose end tells what it is."""

from __future__ import annotations

import numpy as np

from training.toolbox.outlines.shapes import (
    Dice,
    Outline,
    Part,
    Points,
    arc,
    array,
    box,
    cross_lines,
    curve,
    disc,
    grooves,
    moved,
    profile,
    star,
    strip,
    turned,
)


def combination_wrench(dice: Dice) -> Outline:
    u = dice.uniform
    head, ring = u(0.075, 0.13), u(0.06, 0.11)
    bar = min(head, ring) * u(0.45, 0.95)
    left, right = -0.5 + head, 0.5 - ring
    parts = [
        Part(
            "metal",
            strip(curve([(left, 0), (-0.2, 0), (0.2, 0), (right, 0)]), [bar * 1.5, bar, bar * 0.9, bar, bar * 1.4]),
        )
    ]
    parts += moved(turned([Part("metal", fork(dice, head))], np.pi + u(-0.3, 0.3)), left, 0.0)
    parts.append(Part("metal", disc(right, 0.0, ring, squash=u(0.92, 1.0))))
    bore = ring * u(0.52, 0.72)
    if dice.random() < 0.3:
        parts.append(Part("facet", disc(right, 0.0, (ring + bore) / 2)))
    if dice.random() < 0.5:
        parts.append(Part("hole", star(right, 0.0, bore, teeth=12, depth=0.12, turn=u(0, 1))))
    else:
        parts.append(Part("hole", disc(right, 0.0, bore, corners=int(dice.choice([6, 26])), turn=u(0, 1))))
    look = dice.integers(4)
    half = abs(left) * u(0.35, 0.8)
    if look == 0:
        parts.append(Part("facet", box(-half, -bar * 0.25, half, bar * 0.25, corner=bar * 0.2)))
    elif look == 1:
        parts += grooves(stamped(dice, -half * 0.6, half * 0.6, bar * 0.2), 0.005)
    elif look == 2:
        parts += grooves([array([(-half, y), (half, y)]) for y in (-bar * 0.3, bar * 0.3)], 0.005)
    return parts


def stamped(dice: Dice, left: float, right: float, half: float) -> list[Points]:
    """Marks that look like a size or a maker's name from afar."""
    lines = []
    for x in np.linspace(left, right, int(dice.integers(4, 10))):
        lines.append(array([(x, -half), (x + dice.uniform(-0.01, 0.01), half)]))
    return lines


def fork(dice: Dice, radius: float) -> Points:
    """The open end: a round head with a slot towards +x."""
    slot = radius * dice.uniform(0.42, 0.62)
    depth = radius * dice.uniform(-0.25, 0.25)
    angle = np.arcsin(slot / radius)
    widen = angle + dice.uniform(0.0, 0.25)
    outer = arc(0, 0, radius, widen, 2 * np.pi - widen, steps=26)
    flat = [(radius * 0.98, -slot), (depth, -slot), (depth - slot * 0.4, 0.0), (depth, slot), (radius * 0.98, slot)]
    if dice.random() < 0.4:
        flat = [(radius * 1.05, -slot), (depth, -slot), (depth, slot), (radius * 1.05, slot)]
    return np.vstack((outer, flat))


def adjustable_wrench(dice: Dice) -> Outline:
    u = dice.uniform
    head = u(0.085, 0.125)
    bar = head * u(0.5, 0.85)
    neck = 0.5 - head * 1.9
    grip = strip(
        curve([(-0.5 + bar * 0.5, 0), (-0.2, 0), (0.1, 0), (neck + head * 0.5, 0)]),
        [bar * u(0.9, 1.3), bar, bar * 0.85, bar * 1.3],
        round_end=True,
    )
    parts = [Part("metal", grip)]
    parts += adjustable_grip(dice, neck, bar)
    return parts + moved(turned(adjustable_head(dice, head), u(0.1, 0.5)), neck + head * 0.7, 0.0)


def adjustable_grip(dice: Dice, neck: float, bar: float) -> Outline:
    u = dice.uniform
    parts: Outline = []
    look = dice.integers(4)
    if look == 0:
        stop = neck - u(0.1, 0.25)
        parts.append(
            Part(
                "handle",
                strip(
                    curve([(-0.5 + bar * 0.6, 0), (-0.3, 0), (stop, 0)]),
                    [bar * 1.3, bar * 1.15, bar * 1.2],
                    round_end=True,
                ),
            )
        )
    elif look == 1:
        parts.append(Part("facet", box(-0.36, -bar * 0.27, neck - 0.08, bar * 0.27, corner=bar * 0.25)))
    elif look == 2:
        parts += grooves(stamped(dice, -0.25, 0.05, bar * 0.2), 0.006)
    if dice.random() < 0.7:
        parts.append(Part("hole", disc(-0.5 + bar * 0.62, 0.0, bar * u(0.2, 0.33), squash=u(0.7, 1.0))))
    return parts


def adjustable_head(dice: Dice, size: float) -> Outline:
    """A fixed jaw above, a sliding jaw below, a knurled screw behind it; the mouth looks to +x."""
    u = dice.uniform
    gap = size * u(0.05, 0.95)
    reach = size * u(1.05, 1.45)
    mouth = size * u(0.2, 0.5)
    fixed = [
        (-size, -size * 0.75),
        (-size * 0.9, size * 0.6),
        (-size * 0.2, size * 1.1),
        (reach * 0.6, size * u(0.85, 1.1)),
        (reach, size * u(0.55, 0.8)),
        (reach * 1.02, mouth),
    ]
    fixed += [(size * 0.05, mouth), (size * 0.05, mouth - gap), (size * 0.1, -size * 0.75), (-size * 0.3, -size * 0.95)]
    low = mouth - gap
    thick = size * u(0.4, 0.6)
    slide = [
        (-size * 0.35, low),
        (reach * 0.97, low),
        (reach * 0.9, low - thick * 0.75),
        (reach * 0.4, low - thick * 1.2),
        (-size * 0.35, low - thick * 1.1),
    ]
    parts = [
        Part("metal", array(fixed) if dice.random() < 0.5 else softened(array(fixed))),
        Part("metal", array(slide)),
    ]
    screw = size * u(0.2, 0.3)
    top = low - thick * 0.6
    window = box(-size * 0.45 - screw, top - screw, -size * 0.45 + screw, top + screw, corner=screw * 0.3)
    parts.append(Part("dark", window))
    parts.append(
        Part(
            "accent" if dice.random() < 0.3 else "metal",
            box(-size * 0.45 - screw * 0.85, top - screw * 0.7, -size * 0.45 + screw * 0.85, top + screw * 0.7),
        )
    )
    turns = np.linspace(-screw * 0.6, screw * 0.6, int(dice.integers(3, 6)))
    parts += grooves(
        [
            array([(-size * 0.45 + x, top - screw * 0.7), (-size * 0.45 + x + screw * 0.15, top + screw * 0.7)])
            for x in turns
        ],
        0.006,
    )
    return parts


def softened(points: Points) -> Points:
    """Chaikin's corner cutting, once."""
    ahead = np.roll(points, -1, axis=0)
    return np.stack((points * 0.82 + ahead * 0.18, points * 0.18 + ahead * 0.82), 1).reshape(-1, 2)


def can_opener(dice: Dice) -> Outline:
    family = dice.choice(4, p=[0.28, 0.3, 0.28, 0.14])
    return (church_key, butterfly, claw, folding)[family](dice)


def church_key(dice: Dice) -> Outline:
    """A flat bar with a triangular piercing point; often a bottle opener at the other end."""
    u = dice.uniform
    half = u(0.055, 0.1)
    point = u(0.14, 0.26)
    shoulder = 0.5 - point
    body = [
        (-0.5 + half * 0.3, -half * 0.8),
        (-0.42, -half),
        (shoulder - 0.15, -half * u(0.75, 1.0)),
        (shoulder, -half * u(1.0, 1.3)),
    ]
    upper = array([*body, (0.5, -0.008)])
    shape = np.vstack((upper, upper[::-1] * (1, -1)))
    parts = [Part("metal", shape)]
    if dice.random() < 0.55:
        parts.append(Part("metal", disc(-0.5 + half * 1.15, 0.0, half * 1.25)))
        mouth = half * u(0.55, 0.8)
        parts.append(Part("hole", disc(-0.5 + half * 1.1, 0.0, mouth, squash=u(0.7, 1.0))))
        if dice.random() < 0.5:
            parts.append(Part("metal", box(-0.5 + half * 1.1, -half * 0.2, -0.5 + half * 2.0, half * 0.2)))
    else:
        parts.append(Part("hole", disc(-0.5 + half * 0.9, 0.0, half * u(0.2, 0.4))))
    if dice.random() < 0.5:
        parts.append(Part("facet", array([(shoulder, -half * 0.6), (0.49, 0.0), (shoulder, half * 0.6)])))
    if dice.random() < 0.35:
        parts.append(Part("handle", box(-0.25, -half * 1.05, shoulder - 0.12, half * 1.05, corner=half * 0.4)))
    elif dice.random() < 0.5:
        parts += grooves([array([(-0.25, 0.0), (shoulder - 0.1, 0.0)])], half * 0.5)
    return parts


def butterfly(dice: Dice) -> Outline:
    """Two handles, a toothed wheel, and a key across them to turn it."""
    u = dice.uniform
    half, spread = u(0.028, 0.05), u(0.035, 0.09)
    neck = u(0.18, 0.28)
    parts: Outline = []
    for side in (-1, 1):
        line = curve(
            [
                (0.36, side * half * 0.6),
                (neck, side * half * 1.1),
                (-0.1, side * (spread + half * 0.4)),
                (-0.5, side * (spread + half * u(0.0, 0.8))),
            ]
        )
        parts.append(Part("metal", strip(line, [half * 1.6, half * 1.4, half * 1.2], round_end=True)))
        if dice.random() < 0.8:
            first = int(len(line) * u(0.35, 0.5))
            parts.append(
                Part("handle", strip(line[first:], [half * 1.7, half * u(1.8, 2.4), half * 1.9], round_end=True))
            )
    parts.append(Part("metal", box(neck, -half * 1.7, 0.44, half * 1.7, corner=half * 0.8)))
    wheel = u(0.04, 0.065)
    parts += [
        Part("metal", star(0.4, half * u(0.2, 1.2), wheel, teeth=16, depth=0.18)),
        Part("dark", disc(0.4, half * 0.5, wheel * 0.3)),
    ]
    key, thick = u(0.1, 0.19), u(0.025, 0.05)
    centre = u(0.28, 0.36)
    tilt = u(-0.6, 0.6) if dice.random() < 0.7 else u(-1.6, 1.6)
    wing = profile(
        [(-key, thick * 0.5), (-key * 0.6, thick), (0.0, thick * 0.45), (key * 0.6, thick), (key, thick * 0.5)],
        smooth=True,
    )
    wings: Outline = [Part("handle" if dice.random() < 0.45 else "metal", wing), Part("dark", disc(0, 0, thick * 0.3))]
    if dice.random() < 0.3:
        wings += [Part("hole", disc(side * key * 0.65, 0, thick * 0.45)) for side in (-1, 1)]
    return parts + moved(turned(wings, np.pi / 2 + tilt), centre, 0.0)


def claw(dice: Dice) -> Outline:
    """The old lever opener: a stout handle and a hooked blade."""
    u = dice.uniform
    grip, radius = u(0.45, 0.65), u(0.045, 0.075)
    stop = -0.5 + grip
    stations = [
        (-0.5, radius * 0.6),
        (-0.46, radius),
        (-0.5 + grip * 0.5, radius * u(0.8, 1.1)),
        (stop - 0.03, radius * u(0.6, 0.9)),
        (stop, radius * 0.6),
    ]
    shank = radius * u(0.5, 0.9)
    drop = u(0.1, 0.2)
    spear = [
        (stop - 0.04, -shank),
        (0.3, -shank * 1.1),
        (0.42, -shank * 0.9),
        (0.5, shank * 0.4),
        (0.46, shank * 0.8),
        (0.36, shank * 0.6),
        (stop - 0.04, shank),
    ]
    hook_x = u(0.1, 0.26)
    hook = curve(
        [(hook_x - 0.05, 0.0), (hook_x - 0.02, drop * 0.6), (hook_x + 0.08, drop), (hook_x + 0.13, drop * 0.75)],
        steps=5,
    )
    parts = [Part("metal", array(spear)), Part("metal", strip(hook, [shank * 1.6, shank * 1.5, shank, 0.012]))]
    if dice.random() < 0.5:
        parts.append(Part("dark", disc(hook_x - 0.03, 0.0, shank * 0.4)))
    parts.append(Part("handle", profile(stations, smooth=True)))
    if dice.random() < 0.4:
        parts += grooves(
            cross_lines(-0.5 + grip * 0.2, -0.5 + grip * 0.7, radius * 0.8, int(dice.integers(2, 6))), 0.008
        )
    if dice.random() < 0.3:
        parts.append(Part("hole", disc(-0.45, 0.0, radius * 0.3)))
    return parts


def folding(dice: Dice) -> Outline:
    """The soldier's opener: a small plate with a hinged, hooked blade."""
    u = dice.uniform
    half = u(0.1, 0.17)
    plate = box(-0.5, -half, 0.45, half, corner=half * u(0.2, 0.9))
    notch = disc(u(0.1, 0.25), -half, half * 0.35)
    blade = curve([(0.2, half * 0.2), (0.28, half * 1.2), (0.12, half * u(1.9, 2.6)), (-0.02, half * 1.9)], steps=6)
    parts = [
        Part("metal", strip(blade, [half * 1.3, half * 1.3, half * 0.9, 0.02])),
        Part("metal", plate),
        Part("hole", notch),
    ]
    parts += [Part("hole", disc(-0.42, 0.0, half * 0.3)), Part("dark", disc(0.24, 0.0, half * 0.25))]
    parts += grooves(
        [array([(-0.3, y), (0.15, y)]) for y in np.linspace(-half * 0.5, half * 0.5, int(dice.integers(1, 4)))], 0.012
    )
    return parts
