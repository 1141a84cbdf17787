"""A bench with the tools of the kit laid out side by side, drawn by the renderer that the detector was trained with.

The detector is small and was trained on at most seven tools at once: of 641 benches with all eleven it named every
tool, and nothing else, on 20. These stories are about kits, not about its recall, so they are told on one of the 20.
"""

from functools import cache
from io import BytesIO

import numpy as np
from PIL import Image

from training.toolbox.camera import photographed
from training.toolbox.drawing import Table
from training.toolbox.outlines import TOOLS
from training.toolbox.outlines.shapes import normalised
from training.toolbox.scene import LABELS

SEED = 37
SIDE = 640
# In the order in which they are laid: the last one can be left out without moving the others.
LAID = [3, 7, 10, 9, 8, 1, 0, 5, 6, 4, 2]
LAST = LABELS[LAID[-1]]


@cache
def bench(tools: int = len(LAID)) -> bytes:
    """The first so many of them, as a PNG."""
    table = Table(np.random.default_rng((SEED, 100)), width=SIDE, height=SIDE)
    table.tidy = True
    table.shadow = 0.3
    for label in LAID[:tools]:
        _lay(table, label)
    out = BytesIO()
    Image.fromarray(photographed(table.picture, np.random.default_rng((SEED, 200)))).save(out, "PNG")
    return out.getvalue()


def _lay(table: Table, label: int) -> None:
    table.dice = np.random.default_rng((SEED, label))
    outline, look = normalised(TOOLS[label](table.dice)), table.next_look()
    for _ in range(60):
        if table.place(outline, look, size=table.dice.uniform(0.26, 0.34) * SIDE, label=label):
            return
    raise AssertionError("there is no room for this tool on the bench")
