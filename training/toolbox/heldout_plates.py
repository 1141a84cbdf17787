"""What flat forged and pressed tools look like in the held-out pictures: the two wrenches and the can openers."""

from __future__ import annotations

import numpy as np

from training.toolbox.heldout_strokes import Part, Points, arc, bend, box, fillet, flip, ribbon, strokes, turn, turned

Rng = np.random.Generator


def combination_wrench(rng: Rng) -> list[Part]:
    half = rng.uniform(0.36, 0.44)
    ring, fork = rng.uniform(0.085, 0.105), rng.uniform(0.1, 0.125)
    shank = rng.uniform(0.028, 0.04)
    waist = [
        (-half + ring * 0.5, shank * 1.1),
        (-half + ring * 1.6, shank * 0.85),
        (half - fork * 1.6, shank),
        (half - fork * 0.6, shank * 1.7),
    ]
    shape = Part(
        (turned(waist, smooth=True), arc((-half, 0), ring), _fork(fork, rng) + np.array([half, 0])),
        "steel",
        relief=rng.uniform(0.25, 0.6),
        cuts=(_nut_hole(ring * rng.uniform(0.6, 0.68), rng) - np.array([half, 0]),),
    )
    if rng.random() < 0.55:
        panel = box(-half + ring * 1.9, -shank * 0.5, half - fork * 1.9, shank * 0.5, radius=shank * 0.5)
        return [shape, Part((panel,), "panel", relief=0.3)]
    return [shape]


def adjustable_wrench(rng: Rng) -> list[Part]:
    gap = rng.uniform(0.02, 0.1)
    fixed = [(-0.1, 0.04), (-0.02, 0.11), (0.09, 0.14), (0.21, 0.12), (0.25, 0.08), (0.24, 0.045), (0.09, 0.045)]
    fixed += [(0.075, -0.055), (0.1, -0.075), (0.06, -0.135), (-0.03, -0.12), (-0.1, -0.045)]
    body = Part((fillet(fixed, 0.035),), "steel", relief=0.35)
    low = 0.045 - gap
    slider = [
        (0.075, low),
        (0.235, low),
        (0.25, low - 0.035),
        (0.2, low - 0.085),
        (0.11, low - 0.1),
        (0.07, low - 0.075),
    ]
    jaw = Part((fillet(slider, 0.02),), "steel", relief=0.35)
    window = Part((box(-0.035, -0.085, 0.045, -0.02, radius=0.015),), "gap", relief=0.2)
    worm = Part(
        (box(-0.025, -0.078, 0.035, -0.028, radius=0.008),),
        "bright",
        lines=strokes(*([(x, -0.078), (x + 0.008, -0.028)] for x in (-0.015, 0.0, 0.015))),
    )
    head = turn([jaw, body, window, worm], rng.uniform(12, 25))
    slim, end, reach = rng.uniform(0.032, 0.042), rng.uniform(0.048, 0.064), rng.uniform(0.6, 0.76)
    profile = [
        (-reach, end * 0.7),
        (-reach + 0.03, end),
        (-reach * 0.5, (slim + end) / 2),
        (-0.12, slim),
        (-0.04, slim * 1.3),
    ]
    hole = arc((-reach + 0.06, 0), end * 0.45)
    handle = Part((turned(profile, smooth=True),), "steel", relief=0.4, cuts=(hole,))
    if rng.random() < 0.45:
        sheath = [
            (-reach - 0.01, end * 0.85),
            (-reach + 0.04, end * 1.15),
            (-reach * 0.4, slim * 1.35),
            (-reach * 0.35, slim * 1.1),
        ]
        return [handle, Part((turned(sheath, smooth=True),), "grip", cuts=(hole,)), *head]
    panel = turned([(-reach + 0.14, end * 0.5), (-0.16, slim * 0.5)])
    return [handle, Part((fillet(panel, 0.02),), "panel", relief=0.3), *head]


def can_opener(rng: Rng) -> list[Part]:
    make = int(rng.integers(3))
    if make == 0:
        return _butterfly_opener(rng)
    return _piercing_opener(rng) if make == 1 else _lever_opener(rng)


def _butterfly_opener(rng: Rng) -> list[Part]:
    """Two handles side by side, a toothed wheel at the head and a winged key across it."""
    spread, reach = rng.uniform(0.05, 0.075), rng.uniform(0.6, 0.75)
    thick = rng.uniform(0.055, 0.08)
    path = [(0.0, -0.02), (-0.12, -spread * 0.9), (-reach * 0.6, -spread * 1.1), (-reach, -spread * 1.2)]
    bar = Part((ribbon(path, [0.05, thick * 0.7, thick * 0.7]),), "steel", relief=0.4)
    half = [bar]
    if rng.random() < 0.65:
        half.append(Part((ribbon(path, [thick, thick, thick * 1.1], start=0.38),), "grip"))
    cheek = fillet([(-0.1, -0.07), (-0.1, 0.07), (0.03, 0.085), (0.12, 0.05), (0.13, -0.03), (0.05, -0.08)], 0.03)
    head = Part((cheek,), "steel", relief=0.3)
    wheel = Part((_cog((0.07, 0.055), 0.058, 16),), "bright", relief=0.4, lines=(arc((0.07, 0.055), 0.025),))
    wing, deep = rng.uniform(0.14, 0.18), rng.uniform(0.045, 0.06)
    lobe = [
        (0, -0.022),
        (wing * 0.4, -deep * 0.75),
        (wing * 0.85, -deep),
        (wing, 0),
        (wing * 0.85, deep),
        (wing * 0.4, deep * 0.75),
        (0, 0.022),
    ]
    other = [(-x, y) for x, y in lobe]
    eye = arc((wing * 0.68, 0), deep * 0.4)
    key = Part(
        (fillet(lobe, 0.04), fillet(other, 0.04), arc((0, 0), 0.034)), "bright", relief=0.5, cuts=(eye, eye * (-1, 1))
    )
    return [*flip(half), *half, wheel, head, *turn([key], rng.uniform(20, 160)), Part((arc((0, 0), 0.022),), "rivet")]


def _piercing_opener(rng: Rng) -> list[Part]:
    """One pressed strip: a hooked triangular point at one end, a bottle opener's eye at the other."""
    half = rng.uniform(0.055, 0.075)
    eye_wide = half * rng.uniform(1.25, 1.5)
    strip = [
        (0.5, 0.0),
        (0.36, half * 1.05),
        (0.29, half * 1.25),
        (0.2, half),
        (-0.3, half),
        (-0.36, eye_wide),
        (-0.46, eye_wide),
    ]
    strip += [(-0.5, eye_wide * 0.6)]
    outline = strip + [(x, -y) for x, y in strip[:0:-1]]
    eye = [(-0.47, 0), (-0.44, eye_wide * 0.6), (-0.36, eye_wide * 0.62), (-0.34, 0.022), (-0.3, 0.022)]
    cut = eye + [(x, -y) for x, y in eye[:0:-1]]
    body = Part((fillet(outline, 0.018),), "steel", relief=0.2, cuts=(fillet(cut, 0.015),))
    beak = Part(
        (fillet([(0.49, 0), (0.36, half * 0.85), (0.31, 0), (0.36, -half * 0.85)], 0.008),), "bright", relief=0.3
    )
    notch = Part((arc((0.27, 0), half * 0.35),), "gap", relief=0.3)
    if rng.random() < 0.5:
        sleeve = Part((box(-0.26, -half * 1.1, 0.17, half * 1.1, radius=0.03),), "grip", relief=0.4)
        return [body, beak, notch, sleeve]
    ribs = Part((box(-0.25, -half * 0.45, 0.17, half * 0.45, radius=half * 0.4),), "panel", relief=0.4)
    return [body, beak, notch, ribs]


def _lever_opener(rng: Rng) -> list[Part]:
    """The old kind: a wooden handle, a curved cutting claw below the bar and a spike in front."""
    stout = rng.uniform(0.05, 0.07)
    handle = Part(
        (
            turned(
                [
                    (-0.5, stout * 0.5),
                    (-0.48, stout * 0.95),
                    (-0.4, stout * 1.05),
                    (-0.2, stout * 0.8),
                    (-0.06, stout * 0.85),
                    (-0.03, stout * 0.6),
                ],
                smooth=True,
            ),
        ),
        "wood",
    )
    ring = Part((box(-0.07, -stout * 0.8, -0.02, stout * 0.8),), "bright")
    bar = Part(
        (
            fillet(
                [
                    (-0.05, 0.03),
                    (0.3, 0.035),
                    (0.42, 0.02),
                    (0.5, -0.07),
                    (0.44, -0.04),
                    (0.36, -0.035),
                    (-0.05, -0.03),
                ],
                0.015,
            ),
        ),
        "steel",
        relief=0.4,
    )
    claw = [
        (0.12, 0.07),
        (0.17, 0.07),
        (0.3, 0.02),
        (0.33, -0.06),
        (0.29, -0.15),
        (0.16, -0.2),
        (0.24, -0.12),
        (0.24, -0.05),
        (0.19, 0.0),
        (0.1, 0.02),
    ]
    blade = Part((fillet(claw, 0.03),), "bright", relief=0.3)
    deep = rng.uniform(0.8, 1.2)
    return bend([handle, ring, bar, blade, Part((arc((0.2, 0.02), 0.022),), "rivet")], np.diag([1.0, deep]))


def _fork(radius: float, rng: Rng) -> Points:
    """The open end: a disc with a jaw cut into it, turned by the usual fifteen degrees."""
    mouth = radius * rng.uniform(0.48, 0.6)
    lip = float(np.degrees(np.arcsin(mouth / radius)))
    rim = arc((0, 0), radius, lip + 6, 354 - lip) * (1.12, 1.0)
    throat = [
        (radius * 0.95, -mouth),
        (-radius * 0.2, -mouth),
        (-radius * 0.5, -mouth * 0.5),
        (-radius * 0.5, mouth * 0.5),
        (-radius * 0.2, mouth),
        (radius * 0.95, mouth),
    ]
    lean = np.radians(rng.choice([-15, 15]))
    matrix = np.array([[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]])
    return np.asarray(np.concatenate([rim, throat]) @ matrix.T)


def _nut_hole(radius: float, rng: Rng) -> Points:
    if rng.random() < 0.3:
        return arc((0, 0), radius * 1.05, count=6)
    return _cog((0, 0), radius, 12)


def _cog(centre: tuple[float, float], radius: float, teeth: int) -> Points:
    rim = arc((0, 0), radius, count=teeth * 2)
    rim[::2] *= 0.85
    return np.asarray(rim + np.asarray(centre))
