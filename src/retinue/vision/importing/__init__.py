"""Turns any ONNX export into a package: whose export it is, what it says about itself, and what has to be asked."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from retinue.vision.errors import ModelRefused
from retinue.vision.importing.evidence import Evidence
from retinue.vision.importing.graph import read_graph
from retinue.vision.importing.huggingface import is_huggingface, read_huggingface
from retinue.vision.importing.plain import is_plain, read_plain
from retinue.vision.importing.retinue import is_retinue, read_retinue
from retinue.vision.importing.source import open_source
from retinue.vision.importing.timm import is_timm, read_timm
from retinue.vision.importing.told import Pixels, Told, put_over
from retinue.vision.importing.ultralytics import is_ultralytics, read_ultralytics
from retinue.vision.importing.weights import copy_weights
from retinue.vision.package import Manifest, Package, checksum, write_manifest

__all__ = ["FAMILIES", "Pixels", "Told", "import_model", "manifest_of", "recognise"]


class Family(NamedTuple):
    is_it: Callable[[Evidence], bool]
    read: Callable[[Evidence], Manifest]


# Asked in this order; the first that knows its own export reads it.
FAMILIES: dict[str, Family] = {
    "retinue": Family(is_retinue, read_retinue),
    "ultralytics": Family(is_ultralytics, read_ultralytics),
    "timm": Family(is_timm, read_timm),
    "huggingface": Family(is_huggingface, read_huggingface),
    "plain": Family(is_plain, read_plain),
}


def recognise(path: Path, *, told: Told | None = None) -> Manifest:
    """What the model at `path` (an ONNX file, or a folder or ZIP with one) is and needs; FactsMissing asks by name."""
    told = told or Told()
    with open_source(path, told=told) as source:
        evidence = Evidence(read_graph(source.graph), source, told)
        return manifest_of(evidence).model_copy(update={"sha256": checksum(source.graph)})


def import_model(source: Path, into: Path, *, told: Told | None = None) -> Package:
    """Write the model as a package into the new folder `into`: weights in one file, checked as copied, and manifest."""
    told = told or Told()
    into.mkdir(parents=True)
    try:
        with open_source(source, told=told) as found:
            weights, graph = copy_weights(found.graph, into)
            manifest = manifest_of(Evidence(graph, found, told))
        return write_manifest(into, manifest.model_copy(update={"sha256": checksum(weights)}))
    except BaseException:
        shutil.rmtree(into)
        raise


def manifest_of(evidence: Evidence) -> Manifest:
    """The first family that knows its own export reads it, and what a person said is put over that."""
    family = next(family for family in FAMILIES.values() if family.is_it(evidence))
    try:
        return put_over(family.read(evidence), evidence.told)
    except ValidationError:
        raise ModelRefused("What the model says about itself does not fit together.") from None
