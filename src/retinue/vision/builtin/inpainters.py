"""OpenCV's two ways of filling a hole, as models without weights: the manifest says which, `inpainting.py` does it."""

import hashlib
from functools import partial
from pathlib import Path

from retinue.vision.builtin.shelf import Recipe
from retinue.vision.package import Manifest, Package, write_manifest

HEADS = {"inpaint-telea": "telea", "inpaint-ns": "navier-stokes"}
DESCRIPTIONS = {
    "inpaint-telea": "Fills the masked hole from its edge inwards by weighted averages (Telea 2004, OpenCV). Quick; "
    "best for scratches and small things.",
    "inpaint-ns": "Continues lines and tones into the masked hole as a fluid would flow (Navier–Stokes, Bertalmio "
    "2001, OpenCV). Best where edges cross the hole.",
}


def recipe(name: str) -> Recipe:
    return Recipe(name, "1", partial(_write, name))


def _write(name: str, folder: Path) -> Package:
    told = Manifest(
        name=name,
        task="inpaint",
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        head=HEADS[name],
        source="OpenCV",
        licence="Apache-2.0",
        description=DESCRIPTIONS[name],
        quality="no network: it knows nothing of what was there; pixels outside the mask stay as they are",
    )
    return write_manifest(folder, told)
