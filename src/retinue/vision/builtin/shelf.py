"""Keeps built-in models in the cache folder: made once from their recipe, whole or not at all, checked when taken."""

import contextlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from retinue.vision.errors import ModelRefused
from retinue.vision.package import Package, checksum, read_package


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one built-in model is written into an empty folder. `revision` changes whenever the outcome would."""

    name: str
    revision: str
    write: Callable[[Path], Package]


def take(recipe: Recipe, cache: Path) -> Package:
    """The package of a recipe, made if it is not there. Two processes may ask at once: one of two equals stays."""
    folder = cache / "builtin" / f"{recipe.name}-{recipe.revision}"
    found = _intact(folder)
    if found is not None:
        return found
    folder.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(3):
        _build(recipe, folder)
        found = _intact(folder)
        if found is not None:
            return found
    raise ModelRefused(f"The built-in model {recipe.name} could not be written to the cache folder.")


def _intact(folder: Path) -> Package | None:
    """A package whose weights are those it was written with (12 ms for 19 MB)."""
    try:
        package = read_package(folder)
        weights = package.weights
        whole = weights is None or checksum(weights) == package.manifest.sha256
    except (OSError, ValidationError, ValueError):
        return None
    return package if whole else None


def _build(recipe: Recipe, folder: Path) -> None:
    """Written under a name nobody reads, then renamed: a rename onto a full folder fails, so the first one wins."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".building-") as building:
        fresh = Path(building) / "fresh"
        recipe.write(fresh)
        if folder.exists() and _intact(folder) is None:
            with contextlib.suppress(OSError):  # another process took the broken one away first
                folder.rename(Path(building) / "broken")
        with contextlib.suppress(OSError):  # another process was first; `take` looks at what it left
            fresh.rename(folder)
