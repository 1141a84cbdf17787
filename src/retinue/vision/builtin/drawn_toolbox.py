"""The detector of the eleven tools, trained by this project on pictures it draws itself. Ships beside this file."""

import hashlib
import shutil
from pathlib import Path

from retinue.vision.builtin.shelf import Recipe
from retinue.vision.package import Manifest, Package, write_manifest

SHIPPED = Path(__file__).with_name("toolbox")


def recipe() -> Recipe | None:
    """None where the weights were not shipped."""
    weights, told = SHIPPED / "toolbox.onnx", SHIPPED / "toolbox.json"
    if not (weights.is_file() and told.is_file()):
        return None
    revision = hashlib.sha256(weights.read_bytes() + told.read_bytes()).hexdigest()[:12]
    return Recipe("toolbox", revision, lambda folder: _write(weights, told, folder))


def _write(weights: Path, told: Path, folder: Path) -> Package:
    manifest = Manifest.model_validate_json(told.read_text("utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(weights, folder / (manifest.weights or weights.name))
    return write_manifest(folder, manifest)
