"""The outlines of the eleven tools, in the order of the labels: each call draws another specimen."""

from __future__ import annotations

from collections.abc import Callable

from training.toolbox.outlines.gripping import pliers, safety_wire_pliers, shears, side_cutters
from training.toolbox.outlines.holding import adjustable_wrench, can_opener, combination_wrench
from training.toolbox.outlines.shapes import Dice, Outline
from training.toolbox.outlines.turning import (
    hand_drill_brace,
    offset_screwdriver,
    phillips_screwdriver,
    slotted_screwdriver,
)

TOOLS: tuple[Callable[[Dice], Outline], ...] = (
    slotted_screwdriver,
    phillips_screwdriver,
    offset_screwdriver,
    hand_drill_brace,
    safety_wire_pliers,
    pliers,
    shears,
    adjustable_wrench,
    can_opener,
    combination_wrench,
    side_cutters,
)
