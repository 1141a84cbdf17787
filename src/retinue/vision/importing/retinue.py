"""Packages that Retinue itself wrote: the manifest says everything; only that it fits the weights is checked."""

from pydantic import ValidationError

from retinue.vision.errors import ModelRefused
from retinue.vision.importing.evidence import Evidence
from retinue.vision.importing.labels import check_labels
from retinue.vision.package import MANIFEST, Manifest, checksum


def is_retinue(evidence: Evidence) -> bool:
    return "head" in evidence.description(MANIFEST)


def read_retinue(evidence: Evidence) -> Manifest:
    try:
        manifest = Manifest.model_validate(evidence.description(MANIFEST))
    except ValidationError:
        raise ModelRefused("The package's manifest.json does not describe a model that Retinue serves.") from None
    if manifest.weights != evidence.source.graph.name:
        raise ModelRefused("The package's manifest.json names other weights than the package holds.")
    if manifest.sha256 and manifest.sha256 != checksum(evidence.source.graph):
        raise ModelRefused("The weights are not the ones that the package's manifest.json was written for.")
    unknown = set(manifest.inputs) - {one.name for one in evidence.graph.inputs}
    if unknown or not manifest.inputs or manifest.frame is None or manifest.numbers is None:
        raise ModelRefused("The package's manifest.json does not fit the graph's inputs.")
    labels = evidence.labels(None) or check_labels(manifest.labels)
    return manifest.model_copy(
        update={"name": evidence.told.name or manifest.name, "labels": labels, "weights": "model.onnx"}
    )
