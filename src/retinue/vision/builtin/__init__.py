"""The models that work right after the installation, each a recipe that makes its package."""

from pathlib import Path

import platformdirs

from retinue.vision.builtin import drawn_toolbox, efficientnet_lite0, inpainters
from retinue.vision.builtin.shelf import take
from retinue.vision.package import Package


def builtin_packages(cache: Path) -> dict[str, Package]:
    """Every built-in model by name. The first call writes them under `cache` (0.3 s); later ones check them (12 ms)."""
    recipes = [
        efficientnet_lite0.recipe(),
        drawn_toolbox.recipe(),
        *(inpainters.recipe(name) for name in inpainters.HEADS),
    ]
    return {recipe.name: take(recipe, cache) for recipe in recipes if recipe is not None}


def default_cache() -> Path:
    """Where models are kept for whoever names no folder: a notebook, a script, the command line."""
    return platformdirs.user_cache_path("retinue")
