"""What turning and boring tools look like in the held-out pictures: the three screwdrivers and the brace."""

from __future__ import annotations

import numpy as np

from training.toolbox.heldout_strokes import Part, Points, box, ribbon, rounded_path, set_down, strokes, turned

Rng = np.random.Generator


def slotted_screwdriver(rng: Rng) -> list[Part]:
    handle, end, blade = _handle(rng)
    tip = end + rng.uniform(0.3, 0.62) * (0.45 if end > 0.42 and rng.random() < 0.4 else 1)
    if rng.random() < 0.65:
        flare = blade * rng.uniform(1.5, 2.0)
        stations = [
            (end - 0.02, blade),
            (tip - 0.13, blade),
            (tip - 0.07, flare),
            (tip, flare * rng.uniform(0.72, 0.9)),
        ]
        flat = [(tip - 0.075, flare * 0.8), (tip - 0.05, flare * 0.92), (tip, flare * 0.72)]
    else:
        blade *= 1.25
        stations = [(end - 0.02, blade), (tip - 0.09, blade), (tip - 0.04, blade * 1.12), (tip, blade * 1.12)]
        flat = [(tip - 0.11, blade * 0.25), (tip - 0.06, blade * 0.95), (tip, blade * 1.05)]
    shank = Part((turned(stations),), "steel")
    return [shank, Part((turned(flat),), "bright", relief=0.15), *handle]


def phillips_screwdriver(rng: Rng) -> list[Part]:
    handle, end, blade = _handle(rng)
    blade *= rng.uniform(1.0, 1.3)
    tip = end + rng.uniform(0.3, 0.62) * (0.45 if end > 0.42 and rng.random() < 0.4 else 1)
    cone = rng.uniform(2.6, 4.0) * blade
    shank = Part((turned([(end - 0.02, blade), (tip - cone - 0.03, blade)]),), "steel")
    shape = [
        (tip - cone - 0.05, blade),
        (tip - cone, blade * 0.96),
        (tip - cone * 0.25, blade * 0.42),
        (tip, blade * 0.14),
    ]
    point = Part((turned(shape),), "black" if rng.random() < 0.5 else "steel")
    leaf = turned([(tip - cone * 1.15, 0.0), (tip - cone * 0.5, blade * 0.24), (tip - cone * 0.1, blade * 0.1)])
    wings = strokes(
        [(tip - cone, blade * 0.62), (tip - cone * 0.1, blade * 0.2)],
        [(tip - cone, -blade * 0.62), (tip - cone * 0.1, -blade * 0.2)],
    )
    return [shank, point, Part((leaf,), "gap", lines=wings), *handle]


def offset_screwdriver(rng: Rng) -> list[Part]:
    leg, stock = rng.uniform(0.16, 0.25), rng.uniform(0.05, 0.07)
    lean = rng.uniform(-0.03, 0.04)
    path = [(-0.44 - lean, -leg), (-0.44, 0.0), (0.44, 0.0), (0.44 + lean, leg)]
    if rng.random() < 0.5:
        widths = [stock, stock * 0.95, stock, stock * 0.95, stock]
        body = Part((ribbon(rounded_path(path, 0.07), widths, smooth=False),), "steel")
        marks = [body]
    else:
        waist = stock * rng.uniform(1.5, 2.0)
        body = Part((ribbon(rounded_path(path, 0.03), [stock] * 3, smooth=False),), "steel", relief=0.4)
        belly = turned([(-0.4, stock / 2), (-0.25, waist / 2), (0.25, waist / 2), (0.4, stock / 2)], smooth=True)
        panel = Part((box(-0.22, -waist * 0.25, 0.22, waist * 0.25, radius=0.02),), "panel", relief=0.3)
        marks = [body, Part((belly,), "steel", relief=0.4), panel]
    ends = np.array(path)
    right = _bit(rng, at=ends[3], along=ends[3] - ends[2], stock=stock)
    left = _bit(rng, at=ends[0], along=ends[0] - ends[1], stock=stock)
    return [*right, *left, *marks]


def hand_drill_brace(rng: Rng) -> list[Part]:
    reach, left, right = rng.uniform(0.17, 0.27), -0.28, rng.uniform(0.14, 0.22)
    slope, rod = rng.uniform(0.0, 0.07), rng.uniform(0.024, 0.034)
    path = [
        (-0.46, 0),
        (left - slope, 0),
        (left + slope, reach),
        (right - slope, reach),
        (right + slope, 0),
        (right + 0.14, 0),
    ]
    crank = Part((ribbon(rounded_path(path, rng.choice([0.05, 0.11])), [rod, rod], smooth=False),), "steel")
    grip_from, grip_to = left + slope + 0.06, right - slope - 0.06
    belly = rng.uniform(0.034, 0.046)
    grip = turned(
        [(grip_from, 0.026), (grip_from + 0.03, belly * 0.9), ((grip_from + grip_to) / 2, belly), (grip_to, 0.026)],
        smooth=True,
    )
    head_width = rng.uniform(0.09, 0.13)
    if rng.random() < 0.5:
        knob = [
            (-0.55, 0.01),
            (-0.545, head_width * 0.7),
            (-0.51, head_width),
            (-0.485, head_width * 0.85),
            (-0.46, 0.035),
            (-0.42, 0.03),
        ]
    else:
        knob = [
            (-0.56, head_width * 0.55),
            (-0.53, head_width * 0.85),
            (-0.47, head_width * 0.7),
            (-0.43, 0.03),
            (-0.4, 0.034),
        ]
    start = right + slope + 0.02
    ratchet = Part(
        (box(start, -0.045, start + 0.085, 0.045, radius=0.015),),
        "black",
        relief=0.5,
        lines=_cross_lines(start, 0.085, 0.04, 4),
    )
    sleeve = [
        (start + 0.085, 0.03),
        (start + 0.11, 0.046),
        (start + 0.2, 0.046),
        (start + 0.25, 0.026),
        (start + 0.29, 0.02),
    ]
    chuck = Part((turned(sleeve),), "steel", lines=_cross_lines(start + 0.11, 0.09, 0.04, 7))
    bit = [_auger(start + 0.28, rng.uniform(0.1, 0.3))] if rng.random() < 0.35 else []
    return [
        *bit,
        crank,
        Part((grip + np.array([0, reach]),), "wood"),
        Part((turned(knob, smooth=True),), "wood"),
        ratchet,
        chuck,
    ]


def _handle(rng: Rng) -> tuple[list[Part], float, float]:
    """A handle from x = 0, where it ends, and half the shank's width."""
    end, stout = rng.uniform(0.3, 0.46), rng.uniform(0.85, 1.2)
    blade = rng.uniform(0.017, 0.024)
    make = int(rng.integers(4))
    if make == 0:  # fluted acetate
        profile = [(0, 0.03), (0.015, 0.055), (0.05, 0.07), (end - 0.06, 0.066), (end - 0.035, 0.044), (end, 0.04)]
        flutes = [[(0.05, y * stout), (end - 0.075, y * stout)] for y in (-0.042, -0.015, 0.015, 0.042)]
        return [Part((turned(_stout(profile, stout)),), "grip", lines=strokes(*flutes))], end, blade
    if make == 1:  # two soft materials, bulb at the end
        profile = [
            (0, 0.02),
            (0.01, 0.05),
            (0.05, 0.068),
            (0.13, 0.06),
            (end * 0.6, 0.074),
            (end * 0.83, 0.048),
            (end - 0.02, 0.056),
            (end, 0.03),
        ]
        sleeve = [(0.12, 0.05), (0.16, 0.059), (end * 0.6, 0.07), (end * 0.8, 0.046)]
        return (
            [
                Part((turned(_stout(profile, stout), smooth=True),), "grip"),
                Part((turned(_stout(sleeve, stout * 0.8), smooth=True),), "accent"),
            ],
            end,
            blade,
        )
    if make == 2:  # turned wood with a ferrule
        profile = [(0, 0.03), (0.012, 0.062), (0.06, 0.082), (0.15, 0.078), (end * 0.75, 0.05), (end - 0.04, 0.042)]
        ring = Part((turned([(end - 0.06, 0.046), (end - 0.01, 0.04), (end, 0.03)]),), "bright")
        return [Part((turned(_stout(profile, stout), smooth=True),), "wood"), ring], end, blade
    # hexagonal, with a cap and ribs
    profile = [(0, 0.05), (0.02, 0.062), (end - 0.08, 0.056), (end - 0.05, 0.07), (end - 0.025, 0.07), (end, 0.035)]
    cap = Part((turned(_stout([(-0.01, 0.04), (0, 0.052), (0.05, 0.062)], stout)),), "accent", relief=0.6)
    ribs = _cross_lines(0.08, end - 0.2, 0.05 * stout, int(rng.integers(4, 8)))
    return [Part((turned(_stout(profile, stout)),), "grip", relief=0.55, lines=ribs), cap], end, blade


def _stout(profile: list[tuple[float, float]], factor: float) -> list[tuple[float, float]]:
    return [(x, half * factor) for x, half in profile]


def _bit(rng: Rng, *, at: Points, along: Points, stock: float) -> list[Part]:
    """The working end of an offset screwdriver."""
    long, half = rng.uniform(0.08, 0.12), stock / 2
    if rng.random() < 0.7:
        flat = [(-0.02, half), (long * 0.4, half * 1.4), (long, half * 1.1)]
        edge = Part((turned([(long * 0.45, half), (long, half * 0.8)]),), "bright", relief=0.1)
        return set_down([Part((turned(flat),), "steel", relief=0.3), edge], at=at, along=along)
    cone = Part((turned([(-0.02, half), (long * 0.2, half * 0.9), (long, half * 0.2)]),), "steel")
    groove = Part((turned([(0.0, 0), (long * 0.5, half * 0.3), (long * 0.95, 0)]),), "gap")
    return set_down([cone, groove], at=at, along=along)


def _auger(start: float, long: float) -> Part:
    twist = [[(start + x, -0.014), (start + x + 0.015, 0.014)] for x in np.arange(0.03, long - 0.03, 0.025)]
    shape = [(start, 0.008), (start + 0.03, 0.014), (start + long - 0.02, 0.014), (start + long, 0.002)]
    return Part((turned(shape),), "steel", lines=strokes(*twist))


def _cross_lines(start: float, long: float, half: float, count: int) -> tuple[Points, ...]:
    return strokes(*([(x, -half), (x, half)] for x in np.linspace(start, start + long, count + 2)[1:-1]))
