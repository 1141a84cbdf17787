"""What tools with two crossing halves look like in the held-out pictures: pliers, cutters, snips and shears."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.toolbox.heldout_strokes import Part, Points, arc, box, fillet, flip, ribbon, strokes, turn, turned

Rng = np.random.Generator


def pliers(rng: Rng) -> list[Part]:
    make = rng.choice(["combination", "combination", "long nose", "slip joint"])
    long, wide = rng.uniform(0.27, 0.34), rng.uniform(0.085, 0.105)
    if make == "combination":
        pocket = [(long * 0.62, 0.004), (long * 0.5, 0.024), (long * 0.32, 0.024), (long * 0.22, 0.004)]
        nose = [(long, 0.003), (long, 0.042), (long * 0.8, 0.058), (0.07, wide)]
        teeth = _teeth(long * 0.66, long * 0.97, 7)
    elif make == "long nose":
        long *= 1.45
        pocket = [(long * 0.3, 0.003)]
        nose = [(long, 0.003), (long, 0.016), (long * 0.5, 0.045), (0.09, wide * 0.85)]
        teeth = _teeth(long * 0.55, long * 0.97, 9)
    else:
        pocket = [(long * 0.66, 0.003), (long * 0.5, 0.035), (long * 0.3, 0.035), (long * 0.2, 0.006)]
        nose = [(long, 0.003), (long * 0.97, 0.035), (long * 0.7, 0.07), (0.1, wide * 1.1)]
        teeth = _teeth(long * 0.7, long * 0.95, 5) + _teeth(long * 0.3, long * 0.5, 4)
    cheek = [*nose, (-0.02, wide), (-0.09, 0.05), (-0.1, -0.05), (-0.02, -0.075), (0.04, -0.04), *pocket[::-1]]
    jaw = Part((fillet(cheek, 0.018),), "steel", relief=0.35, lines=teeth)
    bow, reach = rng.uniform(0.07, 0.13), rng.uniform(0.6, 0.74)
    path = [(-0.05, -0.03), (-0.17, -0.055), (-reach * 0.6, -bow), (-reach, -bow * rng.uniform(0.75, 1.1))]
    bare = make == "slip joint" and rng.random() < 0.7
    handle = _bare_handle(path, rng) if bare else _gripped_handle(path, rng, thick=rng.uniform(0.055, 0.08))
    rivet = [_rivet(rng.uniform(0.026, 0.042))]
    if make == "slip joint":
        rivet.insert(0, Part((box(-0.05, -0.022, 0.06, 0.022, radius=0.02),), "gap", relief=0.2))
    return _crossed([*handle, jaw], open_degrees=rng.uniform(2, 22)) + rivet


def side_cutters(rng: Rng) -> list[Part]:
    long, wide = rng.uniform(0.16, 0.21), rng.uniform(0.095, 0.125)
    slim = rng.random() < 0.35
    if slim:
        wide *= 0.85
    cheek = [(long, 0.001), (long, 0.012), (long * 0.72, wide * 0.7), (long * 0.35, wide), (-0.03, wide * 0.95)]
    cheek += [(-0.09, 0.045), (-0.1, -0.04), (-0.03, -0.075), (0.03, -0.045), (0.035, 0.001)]
    ground = [(long, 0.001), (long * 0.97, 0.012), (long * 0.66, wide * 0.42), (0.055, wide * 0.3), (0.035, 0.001)]
    jaw = [
        Part((fillet(cheek, 0.022),), "black" if rng.random() < 0.25 else "steel", relief=0.4),
        Part((fillet(ground, 0.006),), "bright", relief=0.2),
    ]
    bow, reach = rng.uniform(0.085, 0.14), rng.uniform(0.5, 0.62)
    path = [(-0.05, -0.03), (-0.15, -0.06), (-reach * 0.6, -bow), (-reach, -bow * rng.uniform(0.8, 1.15))]
    handle = _gripped_handle(path, rng, thick=0.05 if slim else rng.uniform(0.065, 0.085))
    spring = [Part((ribbon([(-0.12, 0.05), (-0.2, 0.0), (-0.12, -0.05)], [0.014, 0.014]),), "bright")] if slim else []
    return spring + _crossed([*handle, *jaw], open_degrees=rng.uniform(3, 24)) + [_rivet(rng.uniform(0.03, 0.042))]


def safety_wire_pliers(rng: Rng) -> list[Part]:
    """Long steel handles with a twisted spindle between them, a knob behind and a locking collar."""
    long, wide = rng.uniform(0.14, 0.19), rng.uniform(0.06, 0.078)
    cheek = [
        (long, 0.002),
        (long, 0.022),
        (long * 0.75, 0.04),
        (0.05, wide),
        (-0.05, wide),
        (-0.1, 0.03),
        (-0.1, -0.03),
    ]
    cheek += [(-0.02, -wide * 0.7), (0.02, -0.02), (0.02, 0.002)]
    jaw = Part((fillet(cheek, 0.012),), "steel", relief=0.4, lines=_teeth(long * 0.5, long * 0.95, 6))
    bow, reach = rng.uniform(0.075, 0.115), rng.uniform(0.58, 0.68)
    path = [
        (-0.06, -0.025),
        (-0.16, -bow * 0.85),
        (-reach * 0.55, -bow),
        (-reach * 0.9, -bow * 0.75),
        (-reach, -bow * 0.45),
    ]
    thick = rng.uniform(0.032, 0.045)
    handle = [Part((ribbon(path, [thick * 0.9, thick, thick, thick * 0.8]),), "steel")]
    if rng.random() < 0.4:
        handle.append(Part((ribbon(path, [thick * 1.4] * 2, start=0.35, stop=0.85),), "grip"))
    knob_start, knob = reach + rng.uniform(0.04, 0.1), rng.uniform(0.026, 0.036)
    rod = turned([(-knob_start, 0.014), (-0.14, 0.014)])
    twist = strokes(*([(-x, -0.014), (-x + 0.03, 0.014)] for x in np.arange(0.18, knob_start, 0.035)))
    shape = [
        (-knob_start - 0.12, knob * 0.8),
        (-knob_start - 0.1, knob),
        (-knob_start - 0.01, knob),
        (-knob_start, 0.012),
    ]
    ridges = strokes(*([(-knob_start - x, -knob), (-knob_start - x, knob)] for x in (0.03, 0.055, 0.08)))
    spindle = [
        Part((rod,), "bright", lines=twist),
        Part((turned(shape),), "black" if rng.random() < 0.5 else "steel", lines=ridges),
    ]
    drum = Part(
        (box(-0.24, -0.03, -0.15, 0.03, radius=0.012),), "steel", lines=strokes([(-0.21, -0.03), (-0.21, 0.03)])
    )
    at = -reach * rng.uniform(0.62, 0.8)
    collar = Part((box(at - 0.025, -bow * 0.6, at + 0.025, bow * 0.6, radius=0.012),), "black", relief=0.4)
    halves = _crossed([*handle, jaw], open_degrees=rng.uniform(0, 7))
    return [*spindle, drum, collar, *halves, _rivet(0.026)]


def shears(rng: Rng) -> list[Part]:
    make = int(rng.integers(3))
    if make == 0:
        return _aviation_snips(rng)
    return _tinner_snips(rng) if make == 1 else _ring_shears(rng)


def _aviation_snips(rng: Rng) -> list[Part]:
    """Short blades, a compound joint behind them, and thick coloured grips bowed apart."""
    long = rng.uniform(0.25, 0.33)
    blade = _blade(long, wide=rng.uniform(0.075, 0.095), lines=_teeth(0.07, long * 0.85, 16, deep=0.009))
    link = Part(
        (fillet([(-0.02, 0.035), (-0.02, -0.06), (-0.17, -0.085), (-0.2, -0.04), (-0.1, 0.02)], 0.025),),
        "panel",
        relief=0.4,
    )
    pin = Part((arc((-0.15, -0.055), 0.018),), "bright")
    bow = rng.uniform(0.11, 0.15)
    path = [(-0.13, -0.045), (-0.22, -0.085), (-0.42, -bow), (-0.64, -bow * 1.05), (-0.72, -bow * 0.8)]
    grip = Part((ribbon(path, [0.05, 0.075, 0.07, 0.065, 0.075], start=0.08),), "grip")
    stop = Part((ribbon(path, [0.06, 0.085], start=0.08, stop=0.2),), "accent")
    return [*_crossed([grip, stop, *blade, link, pin], open_degrees=rng.uniform(8, 26)), _rivet(0.034)]


def _tinner_snips(rng: Rng) -> list[Part]:
    """Forged in one piece: long plain blades, bare handles that hook inwards at the end."""
    long = rng.uniform(0.36, 0.46)
    blade = _blade(long, wide=rng.uniform(0.07, 0.095), lines=())
    bow = rng.uniform(0.1, 0.14)
    path = [(-0.03, -0.03), (-0.16, -0.065), (-0.36, -bow), (-0.54, -bow), (-0.6, -bow * 0.6), (-0.57, -bow * 0.3)]
    material = rng.choice(["accent", "steel", "black"])
    handle = Part((ribbon(path, [0.06, 0.04, 0.038, 0.04, 0.036, 0.03]),), material)
    return [*_crossed([handle, *blade], open_degrees=rng.uniform(6, 28)), _rivet(rng.uniform(0.03, 0.045))]


def _ring_shears(rng: Rng) -> list[Part]:
    long = rng.uniform(0.4, 0.55)
    blade = _blade(long, wide=rng.uniform(0.05, 0.07), lines=())
    reach, round_x, round_y = rng.uniform(0.24, 0.34), rng.uniform(0.09, 0.13), rng.uniform(0.065, 0.085)
    path = [(-0.02, -0.02), (-0.12, -0.045), (-reach + 0.05, -0.06)]
    stem = Part((ribbon(path, [0.055, 0.045, 0.04]),), "steel", relief=0.5)
    centre = np.array([-reach - round_x * 0.75, -0.085])
    ring = Part(
        (centre + arc((0, 0), 1) * (round_x, round_y),),
        "grip",
        cuts=(centre + arc((0, 0), 1) * (round_x - 0.04, round_y - 0.035),),
    )
    return [*_crossed([stem, ring, *blade], open_degrees=rng.uniform(8, 34)), _rivet(0.026)]


def _blade(long: float, *, wide: float, lines: tuple[Points, ...]) -> list[Part]:
    outline = [(long, -0.004), (long * 0.97, 0.012), (long * 0.5, wide * 0.8), (0.03, wide), (-0.06, 0.045)]
    outline += [(-0.09, -0.03), (-0.02, -0.055), (0.03, -0.012)]
    edge = [(long * 0.98, -0.003), (long * 0.93, 0.012), (long * 0.5, wide * 0.3), (0.06, wide * 0.3), (0.05, -0.01)]
    return [
        Part((fillet(outline, 0.012),), "steel", relief=0.3),
        Part((fillet(edge, 0.005),), "bright", relief=0.2, lines=lines),
    ]


def _crossed(half: Sequence[Part], *, open_degrees: float) -> list[Part]:
    return [*turn(flip(half), -open_degrees / 2), *turn(half, open_degrees / 2)]


def _gripped_handle(path: list[tuple[float, float]], rng: Rng, *, thick: float) -> list[Part]:
    steel = Part((ribbon(path, [0.06, thick * 0.75, thick * 0.6], stop=0.9),), "steel")
    grip = Part(
        (ribbon(path, [thick, thick, thick * 1.15, thick * rng.uniform(0.75, 1.0)], start=rng.uniform(0.2, 0.34)),),
        "grip",
    )
    if rng.random() < 0.4:
        return [steel, grip, Part((ribbon(path, [thick * 0.5] * 3, start=0.45, stop=0.9),), "accent", relief=0.5)]
    return [steel, grip]


def _bare_handle(path: list[tuple[float, float]], rng: Rng) -> list[Part]:
    thick = rng.uniform(0.042, 0.056)
    body = ribbon(path, [0.06, thick, thick, thick * 1.1])
    return [Part((body,), "steel", relief=0.6)]


def _teeth(start: float, stop: float, count: int, *, deep: float = 0.02) -> tuple[Points, ...]:
    return strokes(*([(x, 0.004), (x, deep)] for x in np.linspace(start, stop, count)))


def _rivet(radius: float) -> Part:
    return Part((arc((0, 0), radius),), "rivet", lines=(arc((0, 0), radius * 0.55),))
