"""Everything with two arms and a pivot: pliers, safety-wire pliers, side cutters and shears."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.toolbox.outlines.shapes import (
    Dice,
    Outline,
    Part,
    Points,
    array,
    box,
    cross_lines,
    curve,
    disc,
    grooves,
    moved,
    profile,
    strip,
    turned,
    upside_down,
)


@dataclass(frozen=True)
class Arm:
    """One half of a closed tool with its pivot at the origin: its jaw lies above the x axis, its handle below."""

    jaw: Outline
    handle: Outline


def joined(arm: Arm, opening: float, *, boss: Outline, other: Arm | None = None) -> Outline:
    """Two mirrored arms, opened by an angle about the pivot."""
    one = turned(arm.handle + arm.jaw, opening / 2)
    second = other or arm
    two = turned(upside_down(second.handle + second.jaw), -opening / 2)
    return two + one + boss


def pivot(dice: Dice, radius: float) -> Outline:
    parts = [Part("metal", disc(0, 0, radius))]
    rivet = radius * dice.uniform(0.3, 0.65)
    parts.append(Part("accent" if dice.random() < 0.5 else "dark", disc(0, 0, rivet)))
    if dice.random() < 0.3:
        angle = dice.uniform(0, np.pi)
        tip = np.array([np.cos(angle), np.sin(angle)]) * rivet * 0.8
        parts += grooves([np.stack((-tip, tip))], rivet * 0.25)
    return parts


def bowed(dice: Dice, length: float, *, spread: float, bow: float, root: float) -> Points:
    """The middle line of a handle, from the pivot back; `bow` pushes its middle outwards."""
    line = [(root * 0.4, root * 0.3), (-root * 0.7, -root * 0.45), (-length * 0.3, -spread * 0.55 - bow)]
    line += [(-length * 0.65, -spread * 0.85 - bow * dice.uniform(0.5, 1.0)), (-length, -spread)]
    return curve(line, steps=6)


def gripped(dice: Dice, line: Points, thick: float, *, bare: float) -> Outline:
    """A metal arm, mostly with a sleeve over its far part."""
    parts = [Part("metal", strip(line, [thick * 1.2, thick, thick * 0.9], round_end=True))]
    if dice.random() < bare:
        return parts
    first = int(len(line) * dice.uniform(0.2, 0.45))
    sleeve = thick * dice.uniform(1.15, 1.7)
    family = dice.integers(4)
    widths = (
        [sleeve],
        [sleeve, sleeve * 1.2, sleeve * 0.9],
        [sleeve * 1.35, sleeve * 0.95, sleeve, sleeve * 1.15],
        [sleeve * 0.8, sleeve * 1.1],
    )[family]
    parts.append(Part("handle", strip(line[first:], widths, round_end=True)))
    if dice.random() < 0.3:
        parts.append(Part("accent", strip(line[first + 2 : -2], sleeve * 0.45, round_end=True)))
    elif dice.random() < 0.4:
        near = line[first : first + 2]
        parts.append(Part("accent", strip(near, sleeve * 1.5)))
    return parts


def jaw_of(outer: list[tuple[float, float]], *, gap: float, smooth: bool = True) -> Points:
    upper = curve(outer, steps=5) if smooth else array(outer)
    return np.vstack((upper, [(upper[-1][0], gap), (upper[0][0], gap)]))


def pliers(dice: Dice) -> Outline:
    u = dice.uniform
    family = dice.choice(4, p=[0.4, 0.25, 0.2, 0.15])
    length = u(0.55, 0.72)
    reach = 1 - length
    root = u(0.05, 0.085)
    thick = u(0.035, 0.06)
    spread, bow = u(0.07, 0.19), u(-0.01, 0.06)
    opening = u(0.0, 0.06) if dice.random() < 0.5 else u(0.06, 0.45)
    jaw: Outline = []
    if family == 0:  # combination
        tip = u(0.028, 0.05)
        shape = [
            (-root * 0.6, root * 0.7),
            (root * 0.5, root),
            (reach * 0.5, root * u(0.8, 0.98)),
            (reach * 0.95, tip * 1.1),
            (reach, tip * 0.75),
        ]
        jaw = [Part("metal", jaw_of(shape, gap=0.0))]
        if dice.random() < 0.7:
            jaw.append(
                Part(
                    "hole" if dice.random() < 0.5 else "dark", disc(reach * 0.48, 0, reach * u(0.1, 0.18), squash=0.45)
                )
            )
        jaw += teeth(dice, reach * 0.65, reach * 0.97, tip * 0.5)
    elif family == 1:  # needle nose
        tip = u(0.008, 0.016)
        reach = u(0.33, 0.5)
        shape = [(-root * 0.6, root * 0.7), (root * 0.5, root * 0.9), (reach * 0.35, root * u(0.5, 0.75)), (reach, tip)]
        jaw = [Part("metal", jaw_of(shape, gap=0.0))]
        jaw += teeth(dice, reach * 0.55, reach * 0.95, tip * 0.8)
        if dice.random() < 0.2:
            jaw = bent(jaw, reach * 0.6, u(-0.3, 0.3))
    elif family == 2:  # slip joint: a round hollow between thick jaws
        tip = u(0.03, 0.05)
        shape = [(-root * 0.6, root * 0.7), (root, root * 1.05), (reach * 0.6, root * u(1.0, 1.25)), (reach, tip)]
        jaw = [
            Part("metal", jaw_of(shape, gap=0.0)),
            Part("hole", disc(reach * 0.42, 0, reach * u(0.18, 0.26), squash=0.5)),
        ]
        jaw += teeth(dice, reach * 0.65, reach * 0.97, tip * 0.5)
    else:  # water pump
        tip = u(0.03, 0.045)
        reach = u(0.22, 0.3)
        shape = [(-root * 0.6, root * 0.8), (root, root * 1.1), (reach * 0.6, root), (reach, tip)]
        jaw = [Part("metal", jaw_of(shape, gap=u(0.0, 0.02))), *teeth(dice, reach * 0.4, reach * 0.97, tip * 0.5)]
        jaw = turned(jaw, 0.0)
        arm = Arm(jaw, gripped(dice, bowed(dice, 0.78, spread=spread * 0.8, bow=bow, root=root), thick, bare=0.1))
        parts = joined(arm, opening, boss=pivot(dice, root * 0.7))
        return heads_turned(parts, u(0.35, 0.75))
    arm = Arm(jaw, gripped(dice, bowed(dice, length, spread=spread, bow=bow, root=root), thick, bare=0.15))
    return joined(arm, opening, boss=pivot(dice, root * u(0.75, 1.05)))


def heads_turned(parts: Outline, angle: float) -> Outline:
    """Everything in front of the pivot looks aside, as the jaws of water pump pliers do."""
    c, s = np.cos(angle), np.sin(angle)
    spin = np.array([[c, s], [-s, c]])
    out = []
    for part in parts:
        points = part.points.copy()
        front = points[:, 0] > 0.02
        points[front] = points[front] @ spin
        out.append(Part(part.role, points, part.width))
    return out


def bent(parts: Outline, knee: float, angle: float) -> Outline:
    out = []
    for part in parts:
        points = part.points.copy()
        past = np.maximum(points[:, 0] - knee, 0)
        points[:, 1] += past * angle
        out.append(Part(part.role, points, part.width))
    return out


def teeth(dice: Dice, start: float, stop: float, height: float) -> Outline:
    count = int(dice.integers(0, 9))
    return grooves([array([(x, 0.0), (x, height)]) for x in np.linspace(start, stop, count)], 0.005)


def side_cutters(dice: Dice) -> Outline:
    u = dice.uniform
    length = u(0.74, 0.86)
    reach = 1 - length
    root = u(0.07, 0.115)
    thick = u(0.04, 0.07)
    family = dice.integers(3)
    if family == 0:  # a rounded beak
        outer = [
            (-root * 0.6, root * 0.6),
            (root * 0.2, root),
            (reach * 0.55, root * u(0.75, 1.0)),
            (reach * 0.9, root * 0.4),
            (reach, root * 0.06),
        ]
        shape = jaw_of(outer, gap=0.0)
    elif family == 1:  # a wedge
        shape = jaw_of(
            [(-root * 0.6, root * 0.6), (root * 0.3, root * 1.05), (reach, root * u(0.05, 0.3))], gap=0.0, smooth=False
        )
    else:  # flush cutters of electronics: small and slim
        reach = u(0.16, 0.24)
        outer = [(-root * 0.5, root * 0.5), (root * 0.3, root * 0.85), (reach * 0.6, root * 0.6), (reach, root * 0.12)]
        shape = jaw_of(outer, gap=0.0)
    jaw = [Part("metal", shape)]
    edge = u(0.15, 0.4)
    bevel = [(reach * 0.2, 0.0), (reach * 0.35, root * edge), (reach * 0.97, root * 0.05), (reach, 0.0)]
    jaw.append(Part("facet", array(bevel)))
    if dice.random() < 0.6:
        jaw += grooves([array([(reach * 0.15, 0.001), (reach, 0.001)])], 0.006)
    if dice.random() < 0.45:
        jaw.append(Part("hole" if dice.random() < 0.6 else "dark", disc(reach * 0.22, 0, reach * 0.12, squash=0.6)))
    opening = u(0.0, 0.08) if dice.random() < 0.4 else u(0.08, 0.55)
    line = bowed(dice, length, spread=u(0.08, 0.22), bow=u(0.0, 0.09), root=root)
    return joined(Arm(jaw, gripped(dice, line, thick, bare=0.08)), opening, boss=pivot(dice, root * u(0.6, 0.95)))


def safety_wire_pliers(dice: Dice) -> Outline:
    u = dice.uniform
    length = u(0.64, 0.76)
    reach = (1 - length) * u(0.85, 1.0)
    root, thick = u(0.045, 0.07), u(0.028, 0.045)
    tip = u(0.022, 0.04)
    outer = [(-root * 0.6, root * 0.7), (root * 0.4, root), (reach * 0.4, root * u(0.85, 1.05)), (reach, tip)]
    jaw = [
        Part("metal", jaw_of(outer, gap=0.0, smooth=dice.random() < 0.6)),
        *teeth(dice, reach * 0.55, reach * 0.97, tip),
    ]
    if dice.random() < 0.5:
        jaw.append(Part("hole" if dice.random() < 0.5 else "dark", disc(reach * 0.3, 0, reach * 0.12, squash=0.6)))
    back = length * u(0.8, 0.95)
    spread, bow = u(0.05, 0.11), u(0.02, 0.09)
    arm = Arm(jaw, gripped(dice, bowed(dice, back, spread=spread, bow=bow, root=root), thick, bare=0.72))
    opening = u(0.0, 0.04) if dice.random() < 0.55 else u(0.04, 0.3)
    parts = [*twist_rod(dice, length, thick), *joined(arm, opening, boss=pivot(dice, root * u(0.8, 1.1)))]
    if dice.random() < 0.7:
        parts += latch(dice, back, spread + bow, thick)
    return parts


def twist_rod(dice: Dice, length: float, thick: float) -> Outline:
    """The spiral rod between the handles, and the knob behind them: what makes the pliers twist."""
    u = dice.uniform
    rod = thick * u(0.28, 0.5)
    knob, depth = u(0.02, 0.045), u(0.04, 0.11)
    parts = [Part("metal", box(-length, -rod, 0.0, rod))]
    count = int(dice.integers(0, 14))
    twists = [array([(x, -rod), (x + 0.015, rod)]) for x in np.linspace(-length * 0.85, -length * 0.2, count)]
    parts += grooves(twists, 0.006)
    family = dice.integers(3)
    if family == 0:
        parts.append(Part("metal", box(-length, -knob, -length + depth, knob, corner=knob * u(0.1, 0.8))))
    elif family == 1:
        parts.append(Part("metal", disc(-length, 0.0, knob * 1.2)))
    else:
        stations = [
            (-length - 0.02, knob * 0.5),
            (-length, knob),
            (-length + depth * 0.7, knob * 0.8),
            (-length + depth, rod),
        ]
        parts.append(Part("metal", profile(stations, smooth=True)))
    parts += moved(
        grooves(cross_lines(-length + 0.01, -length + depth * 0.8, knob * 0.9, int(dice.integers(0, 6))), 0.005),
        0.0,
        0.0,
    )
    if dice.random() < 0.5:
        collar = -length * u(0.35, 0.6)
        parts.append(Part("metal", box(collar, -rod * 2.2, collar + u(0.03, 0.09), rod * 2.2, corner=0.008)))
    return parts


def latch(dice: Dice, back: float, half: float, thick: float) -> Outline:
    u = dice.uniform
    x = -back * u(0.45, 0.75)
    if dice.random() < 0.5:
        return [
            Part(
                "metal",
                strip(curve([(x, -half), (x + 0.03, 0.0), (x - 0.02, half * 0.9)]), thick * 0.5, round_end=True),
            )
        ]
    return [
        Part("metal", box(x, -half * 0.8, x + u(0.02, 0.05), half * 0.8, corner=0.01)),
        Part("dark", disc(x + 0.015, 0.0, thick * 0.3)),
    ]


def shears(dice: Dice) -> Outline:
    family = dice.choice(4, p=[0.33, 0.25, 0.27, 0.15])
    opening = dice.uniform(0.02, 0.12) if dice.random() < 0.35 else dice.uniform(0.12, 0.75)
    if family == 0:
        return scissors(dice, opening)
    if family == 1:
        return tin_snips(dice, opening)
    if family == 2:
        return aviation_snips(dice, opening)
    return scissors(dice, opening, heavy=True)


def blade(dice: Dice, reach: float, root: float, *, slim: float) -> Outline:
    u = dice.uniform
    belly = root * slim
    outer = [
        (-root * 0.8, root * 0.5),
        (root * 0.4, belly),
        (reach * 0.5, belly * u(0.75, 0.95)),
        (reach * 0.9, belly * u(0.2, 0.5)),
        (reach, 0.004),
    ]
    parts = [Part("metal", jaw_of(outer, gap=-root * u(0.0, 0.25)))]
    if dice.random() < 0.7:
        low = -root * 0.1
        parts.append(
            Part(
                "facet",
                array([(root * 0.5, low), (root * 0.6, belly * 0.3), (reach * 0.85, belly * 0.15), (reach, 0.0)]),
            )
        )
    return parts


def scissors(dice: Dice, opening: float, *, heavy: bool = False) -> Outline:
    u = dice.uniform
    reach = u(0.3, 0.42) if heavy else u(0.42, 0.58)
    root = u(0.035, 0.055) * (1.35 if heavy else 1.0)
    length = 1 - reach
    arms: list[Arm] = []
    same = dice.random() < 0.55
    for _ in range(2):
        ring = length * (u(0.2, 0.3) if not heavy else u(0.22, 0.33))
        long = ring * u(1.0, 1.7) if not same else ring * 1.25
        if same and arms:
            arms.append(arms[0])
            break
        thick = ring * u(0.28, 0.5)
        centre = (-length + long, -ring * u(0.75, 1.05))
        shank = curve(
            [
                (root, root * 0.3),
                (-root, -root * 0.5),
                (-length * 0.35, -ring * 0.35),
                (centre[0] + long * 0.75, centre[1] + ring * 0.25),
            ],
            steps=5,
        )
        loop = disc(centre[0], centre[1], long, squash=ring / long)
        finger = disc(centre[0], centre[1], long - thick, squash=max(ring - thick, 0.012) / (long - thick))
        grip: Outline = [Part("metal", strip(shank, [root * 1.5, root * 1.1, root]))]
        grip += [Part("handle", loop), Part("hole", finger)]
        arms.append(Arm(blade(dice, reach, root, slim=u(0.9, 1.5)), grip))
    parts_two = turned(upside_down(arms[1].handle), -opening / 2)
    parts_one = turned(arms[0].handle, opening / 2)
    blades = turned(upside_down(arms[1].jaw), -opening / 2) + turned(arms[0].jaw, opening / 2)
    return parts_two + parts_one + blades + pivot(dice, root * u(0.45, 0.8))


def tin_snips(dice: Dice, opening: float) -> Outline:
    u = dice.uniform
    reach, root = u(0.24, 0.36), u(0.055, 0.085)
    length = 1 - reach
    line = bowed(dice, length, spread=u(0.06, 0.16), bow=u(0.02, 0.08), root=root)
    thick = u(0.035, 0.055)
    grip = gripped(dice, line, thick, bare=0.4)
    if dice.random() < 0.6:  # the ends curl inwards
        x, y = line[-1]
        curl = u(0.03, 0.07)
        grip.append(
            Part(
                grip[-1].role if grip[-1].role == "handle" else "metal",
                strip(
                    curve([(x, y), (x - curl * 0.7, y + curl * 0.2), (x - curl * 0.6, y + curl), (x, y + curl)]),
                    thick * 0.9,
                    round_end=True,
                ),
            )
        )
    return joined(
        Arm(blade(dice, reach, root, slim=u(0.85, 1.1)), grip), opening * 0.7, boss=pivot(dice, root * u(0.5, 0.8))
    )


def aviation_snips(dice: Dice, opening: float) -> Outline:
    u = dice.uniform
    reach, root = u(0.17, 0.26), u(0.04, 0.06)
    length = 1 - reach
    line = bowed(dice, length, spread=u(0.1, 0.2), bow=u(0.01, 0.06), root=root * 1.5)
    grip = gripped(dice, line, u(0.04, 0.055), bare=0.04)
    plate = profile([(-root * 3.2, root * 0.7), (-root * 2, root * 1.5), (-root * 0.5, root * 1.4), (root, root * 0.9)])
    boss: Outline = [Part("metal", plate), Part("dark", disc(0, 0, root * 0.35))]
    for y in (-root * 0.7, root * 0.7):
        boss.append(Part("dark", disc(-root * 1.9, y, root * 0.28)))
    if dice.random() < 0.5:
        boss.append(Part("metal", strip(curve([(-root * 3, -root), (-root * 4.4, 0.0), (-root * 4, root)]), 0.015)))
    return joined(Arm(blade(dice, reach, root, slim=u(0.9, 1.3)), grip), opening * 0.6, boss=boss)
