"""Screwdrivers, offset screwdrivers and the hand drill brace: the tools that turn about their own length."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from training.toolbox.outlines.shapes import (
    Dice,
    Outline,
    Part,
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


def slotted_screwdriver(dice: Dice) -> Outline:
    return screwdriver(dice, cross=False)


def phillips_screwdriver(dice: Dice) -> Outline:
    return screwdriver(dice, cross=True)


def screwdriver(dice: Dice, *, cross: bool) -> Outline:
    u = dice.uniform
    stubby = dice.random() < 0.12
    grip = u(0.45, 0.62) if stubby else u(0.26, 0.48)
    radius = u(0.09, 0.15) if stubby else u(0.035, 0.085)
    shaft = radius * u(0.2, 0.42)
    start = -0.5 + grip
    tip = min(u(0.05, 0.11), (0.5 - start) * 0.45)
    parts = [Part("metal", box(start - 0.05, -shaft, 0.5 - tip, shaft))]
    parts += cross_tip(dice, 0.5 - tip, tip, shaft) if cross else flat_tip(dice, 0.5 - tip, tip, shaft)
    if dice.random() < 0.3:
        collar = u(0.015, 0.05)
        parts.append(Part("metal", profile([(start - 0.01, radius * 0.7), (start + collar, shaft * u(1.2, 1.8))])))
    if dice.random() < 0.15:
        parts.append(Part("metal", disc(start + 0.03, 0, shaft * 2.2, corners=6)))
    return parts + handle(dice, grip, radius)


def flat_tip(dice: Dice, start: float, length: float, shaft: float) -> Outline:
    if dice.random() < 0.12:  # seen edge on: a chisel
        return [Part("metal", array([(start, -shaft), (0.5, -shaft * 0.3), (0.5, shaft * 0.3), (start, shaft)]))]
    wide = max(shaft * dice.uniform(1.15, 2.6), 0.012)
    end = wide * dice.uniform(0.75, 1.0)
    knee = start + length * dice.uniform(0.2, 0.55)
    blade = [(start, shaft), (knee, wide), (start + length, end)]
    parts = [Part("metal", profile(blade))]
    if dice.random() < 0.7:
        parts.append(Part("facet", profile([(knee, wide * 0.75), (start + length, end)])))
    if dice.random() < 0.4:
        parts += grooves([array([(knee, -wide * 0.9), (knee, wide * 0.9)])], 0.004)
    return parts


def cross_tip(dice: Dice, start: float, length: float, shaft: float) -> Outline:
    point = shaft * dice.uniform(0.1, 0.4)
    if dice.random() < 0.3:
        shaft *= dice.uniform(1.1, 1.35)
    neck = start + length * dice.uniform(0.1, 0.45)
    tip = start + length
    parts = [Part("metal", profile([(start, shaft), (neck, shaft), (tip - length * 0.06, point), (tip, point * 0.6)]))]
    side = dice.uniform(0.3, 0.6)
    flute = array([(neck - length * 0.15, shaft * side), (neck, shaft * 0.15), (tip, 0), (tip - 0.004, point)])
    look = dice.integers(3)
    if look == 0:
        parts += [Part("dark", flute), Part("dark", flute * (1, -1))]
    elif look == 1:
        parts += grooves([array([(neck - length * 0.1, y * shaft), (tip, y * point)]) for y in (-0.45, 0.45)], 0.006)
        parts.append(Part("facet", profile([(neck, shaft * 0.2), (tip, point * 0.3)])))
    else:
        parts += [
            Part("dark", profile([(neck - length * 0.2, shaft * 0.05), (neck, shaft * 0.35), (tip, point * 0.3)]))
        ]
    return parts


def handle(dice: Dice, grip: float, radius: float) -> Outline:
    u = dice.uniform
    left, right = -0.5, -0.5 + grip
    family = dice.integers(8)
    if family == 0:  # fluted cylinder
        body = profile([(left, radius * 0.6), (left + 0.02, radius), (right - 0.04, radius), (right, radius * 0.5)])
        return [Part("handle", body), *grooves(long_lines(left + 0.03, right - 0.06, radius * 0.6, 3), radius * 0.16)]
    if family == 1:  # turned wood
        stations = [(left, radius * 0.3), (left + grip * 0.1, radius * 0.9), (left + grip * 0.45, radius)]
        stations += [(left + grip * 0.8, radius * u(0.5, 0.8)), (right - 0.02, radius * 0.65), (right, radius * 0.5)]
        return [
            Part("handle", profile(stations, smooth=True)),
            Part("metal", profile([(right - 0.03, radius * 0.5), (right, radius * 0.42)])),
        ]
    if family == 2:  # soft grip of two colours
        waist = u(0.55, 0.8)
        stations = [(left, radius * 0.55), (left + grip * 0.12, radius * 0.95), (left + grip * 0.5, radius)]
        stations += [(left + grip * 0.75, radius * waist), (left + grip * 0.9, radius * 0.9), (right, radius * 0.6)]
        body = profile(stations, smooth=True)
        inner = [
            (left + grip * 0.15, radius * 0.45),
            (left + grip * 0.5, radius * 0.6),
            (left + grip * 0.72, radius * waist * 0.5),
        ]
        return [Part("handle", body), Part("accent", profile(inner, smooth=True))]
    if family == 3:  # T handle
        bar = box(left, -radius * u(2, 3.2), left + radius * 1.1, radius * u(2, 3.2), corner=radius * 0.5)
        return [Part("handle", bar), Part("handle", profile([(left + radius, radius * 0.6), (right, radius * 0.4)]))]
    if family == 4:  # ball
        ball = disc(left + radius * 1.5, 0, radius * 1.5)
        neck = profile(
            [(left + radius * 1.5, radius), (left + grip * 0.6, radius * 0.7), (right, radius * 0.45)], smooth=True
        )
        return [Part("handle", ball), Part("handle", neck)]
    if family == 5:  # hexagonal bar
        body = profile(
            [(left, radius * 0.8), (left + 0.015, radius), (right - 0.05, radius * 0.9), (right, radius * 0.45)]
        )
        lines = [array([(left, y), (right - 0.03, y)]) for y in (-radius * 0.4, radius * 0.4)]
        return [Part("handle", body), *grooves(lines, 0.006)]
    barrel: Outline = [Part("handle", box(left, -radius, right, radius, corner=radius * u(0.2, 0.9)))]
    if family == 6:
        cap = grip * u(0.1, 0.3)
        barrel.append(Part("accent", box(left, -radius * 1.02, left + cap, radius * 1.02, corner=radius * 0.4)))
        barrel += grooves(cross_lines(left + cap + 0.03, right - 0.03, radius, int(dice.integers(0, 6))), 0.008)
        return barrel
    swell = [
        (left, radius * 0.8),
        (left + grip * 0.3, radius * 1.1),
        (right - 0.03, radius * u(0.6, 1.0)),
        (right, radius * u(0.9, 1.2)),
    ]
    return [
        Part("handle", profile(swell, smooth=True)),
        *grooves(cross_lines(right - 0.08, right - 0.03, radius * 0.7, 2), 0.007),
    ]


def offset_screwdriver(dice: Dice) -> Outline:
    u = dice.uniform
    thick = u(0.035, 0.09)
    arm = u(0.13, 0.3)
    other_way = dice.random() < 0.72  # a Z; otherwise a C
    lean = u(-0.15, 0.15)
    bend = u(0.0, 0.06)
    left_y, right_y = -arm, arm * (u(0.8, 1.2) if other_way else -u(0.8, 1.2))
    line = [(-0.5 - lean * 0.3, left_y), (-0.5, left_y * 0.3)]
    line += [(-0.5 + bend, 0.0), (0.5 - bend, 0.0)] if bend > 0.015 else [(-0.5, 0.0), (0.5, 0.0)]
    line += [(0.5, right_y * 0.3), (0.5 + lean * 0.3, right_y)]
    body: Outline = []
    flat_bar = dice.random() < 0.35
    width = [thick * 0.8, thick, thick, thick * 0.8] if dice.random() < 0.5 else [thick]
    body.append(
        Part("metal", mitred(array(line), thick))
        if bend <= 0.015
        else Part("metal", strip(curve(line, steps=6), width))
    )
    for x, y, slope in ((line[0][0], left_y, -1.0), (line[-1][0], right_y, float(np.sign(right_y)))):
        body += offset_tip(dice, x, y, slope, thick)
    if flat_bar:
        body += grooves([array([(-0.3, 0.0), (0.3, 0.0)])], thick * 0.3)
    elif dice.random() < 0.35:
        half = u(0.12, 0.3)
        body.append(Part("handle", box(-half, -thick * u(0.6, 1.1), half, thick * u(0.6, 1.1), corner=thick * 0.4)))
        body += grooves(cross_lines(-half * 0.7, half * 0.7, thick * 0.5, int(dice.integers(0, 7))), 0.01)
    return body


def mitred(line: np.ndarray, width: float) -> np.ndarray:
    """A bar bent at sharp corners keeps its width there."""
    steps = [np.linspace(a, b, 10, endpoint=False) for a, b in pairwise(line)]
    return strip(np.vstack((*steps, line[-1:])), width)


def offset_tip(dice: Dice, x: float, y: float, slope: float, thick: float) -> Outline:
    length = dice.uniform(0.05, 0.11)
    if dice.random() < 0.5:
        wide = thick * dice.uniform(0.8, 1.5)
        end = thick * dice.uniform(0.25, 1.3)
        shape = [(x - thick * 0.4, y), (x - wide / 2, y + slope * length * 0.4), (x - end / 2, y + slope * length)]
        shape += [(x + end / 2, y + slope * length), (x + wide / 2, y + slope * length * 0.4), (x + thick * 0.4, y)]
        return [Part("metal", array(shape)), Part("facet", array(shape[1:5]))]
    shape = [(x - thick * 0.5, y), (x - thick * 0.45, y + slope * length * 0.3), (x - thick * 0.08, y + slope * length)]
    shape += [
        (x + thick * 0.08, y + slope * length),
        (x + thick * 0.45, y + slope * length * 0.3),
        (x + thick * 0.5, y),
    ]
    line = array([(x, y + slope * length * 0.1), (x, y + slope * length)])
    return [Part("metal", array(shape)), *grooves([line], thick * 0.15)]


def hand_drill_brace(dice: Dice) -> Outline:
    if dice.random() < 0.13:
        return geared_drill(dice)
    u = dice.uniform
    rod = u(0.022, 0.045)
    throw = u(0.16, 0.36)
    left, right = u(-0.26, -0.16), u(0.1, 0.24)
    slant = u(0.0, 0.09)
    sweep = [(-0.42, 0.0), (left, 0.0), (left + slant, throw), (right - slant, throw), (right, 0.0), (0.32, 0.0)]
    if dice.random() < 0.5:
        mid = (left + right) / 2
        round_sweep = [(-0.42, 0.0), (left, 0.0), (left + slant, throw * 0.6), (mid - 0.06, throw), (mid + 0.06, throw)]
        crank = strip(curve([*round_sweep, (right - slant, throw * 0.6), (right, 0.0), (0.32, 0.0)]), rod)
    else:
        crank = mitred(array(sweep), rod)
    parts = [Part("metal", crank)]
    grip = u(0.05, 0.12)
    middle = (left + right) / 2
    swell = rod * u(1.0, 2.0)
    bulge = profile([(middle - grip, swell * 0.7), (middle, swell), (middle + grip, swell * 0.7)], smooth=True)
    parts.append(Part("handle", bulge + np.array((0.0, throw))))
    knob = u(0.06, 0.14)
    if dice.random() < 0.55:
        top = [(-0.5, knob * 0.5), (-0.47, knob), (-0.42, knob * 0.8), (-0.38, rod * 1.2), (-0.3, rod * 1.2)]
    else:
        top = [(-0.5, knob * 0.2), (-0.485, knob * 0.8), (-0.44, knob), (-0.4, knob * 0.4), (-0.36, rod)]
    parts.append(Part("handle", profile(top, smooth=True)))
    parts.append(Part("metal", profile([(-0.38, rod * 1.1), (-0.34, rod * 1.3), (-0.28, rod * 0.9)])))
    chuck = u(0.028, 0.055)
    parts.append(
        Part(
            "metal",
            profile([(right + 0.02, rod), (right + 0.05, chuck), (0.4, chuck), (0.45, chuck * 0.5), (0.46, 0.01)]),
        )
    )
    parts += grooves(cross_lines(right + 0.07, 0.39, chuck, int(dice.integers(0, 6))), 0.007)
    if dice.random() < 0.55:
        parts.append(Part("metal", profile([(0.45, 0.012), (0.45 + u(0.05, 0.2), u(0.006, 0.012))])))
    if dice.random() < 0.4:
        parts.append(Part("accent", disc(right + 0.04, 0.0, chuck * 1.15, corners=10)))
    return parts


def geared_drill(dice: Dice) -> Outline:
    """The egg beater: a wheel with a crank on a straight frame."""
    u = dice.uniform
    rod, wheel = u(0.025, 0.04), u(0.11, 0.17)
    parts = [
        Part("metal", box(-0.25, -rod, 0.3, rod)),
        Part("handle", profile([(-0.5, 0.03), (-0.45, 0.06), (-0.3, 0.045), (-0.22, 0.03)], smooth=True)),
    ]
    parts += [Part("metal", star(0.05, 0.0, wheel, teeth=28, depth=0.08)), Part("dark", disc(0.05, 0.0, wheel * 0.8))]
    for angle in np.linspace(0, 2 * np.pi, int(dice.integers(4, 7)), endpoint=False) + u(0, 1):
        parts.append(
            Part(
                "metal",
                strip(
                    array([(0.05, 0), (0.05 + wheel * 0.85 * np.cos(angle), wheel * 0.85 * np.sin(angle))]), rod * 0.8
                ),
            )
        )
    angle = u(-2.2, 2.2)
    reach = wheel * u(1.1, 1.7)
    end = (0.05 + reach * np.cos(angle), reach * np.sin(angle))
    parts += [Part("metal", strip(array([(0.05, 0), end]), rod)), Part("handle", disc(end[0], end[1], u(0.04, 0.06)))]
    parts += [
        Part("metal", profile([(0.28, 0.03), (0.4, 0.035), (0.44, 0.015)])),
        Part("metal", profile([(0.43, 0.01), (0.5, 0.007)])),
    ]
    return [*parts, Part("accent", disc(0.05, 0.0, 0.03))]
