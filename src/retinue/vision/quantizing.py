"""An int8 version of a network: calibrated on real pictures, and compared with the original before anybody uses it.

Every other picture calibrates, the rest compares, so that the agreement is of pictures the calibration did not see.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from retinue.vision.asking import Asked
from retinue.vision.errors import ModelRefused, VisionError
from retinue.vision.images import decode
from retinue.vision.machine import sums_int8_exactly
from retinue.vision.model import Model, open_session
from retinue.vision.opening import decode_short_side
from retinue.vision.package import Package, checksum, write_manifest
from retinue.vision.results import Classes, Result, overlap

FEWEST_PICTURES = 8
SAME_PLACE = 0.5  # two boxes of one label that overlap by this much are the same thing
WEIGHTS = "model.onnx"


class CannotQuantize(VisionError):
    code = "cannot-quantize"
    title = "This model cannot be made smaller here"


@dataclass(frozen=True, slots=True)
class Quantized:
    """The new package, and how it stands beside the old one."""

    package: Package
    calibrated_on: int
    compared_on: int
    agreement: float
    ms_before: float
    ms_after: float
    bytes_before: int
    bytes_after: int

    @property
    def sentence(self) -> str:
        return (
            f"int8, calibrated on {self.calibrated_on} pictures; agrees with the original on {self.agreement:.1%} "
            f"of {self.compared_on} others; {self.ms_after:.1f} instead of {self.ms_before:.1f} ms a picture, "
            f"{self.bytes_after / 1e6:.1f} instead of {self.bytes_before / 1e6:.1f} MB"
        )


def quantize(package: Package, pictures: Sequence[bytes], into: Path) -> Quantized:
    """Writes the int8 package into the new folder `into`; `retinue model add` takes it from there."""
    weights = package.weights
    if weights is None:
        raise CannotQuantize(f"{package.name} has no weights")
    if len(pictures) < FEWEST_PICTURES:
        raise CannotQuantize(f"{len(pictures)} pictures are too few: give {FEWEST_PICTURES} or more of the usual kind")
    before = open_session(package)
    into.mkdir(parents=True)
    _write_int8(before, weights, pictures[::2], into / WEIGHTS)
    told = {"weights": WEIGHTS, "sha256": checksum(into / WEIGHTS)}
    smaller = write_manifest(into, package.manifest.model_copy(update=told))
    after = open_session(smaller)
    others = pictures[1::2]
    agreements, took_before, took_after = [], [], []
    for picture in others:
        one, before_ms = _look(before, picture)
        other, after_ms = _look(after, picture)
        agreements.append(agreement(one, other))
        took_before.append(before_ms)
        took_after.append(after_ms)
    made = Quantized(
        smaller,
        calibrated_on=len(pictures[::2]),
        compared_on=len(others),
        agreement=sum(agreements) / len(agreements),
        ms_before=median(took_before),
        ms_after=median(took_after),
        bytes_before=weights.stat().st_size,
        bytes_after=(into / WEIGHTS).stat().st_size,
    )
    quality = f"{package.manifest.quality}; {made.sentence}".removeprefix("; ")
    write_manifest(into, smaller.manifest.model_copy(update={"quality": quality}))
    return made


def agreement(one: Result, other: Result) -> float:
    """Of two answers to one picture, from 0 to 1: the same first class, or the share of things both have seen."""
    if isinstance(one, Classes) and isinstance(other, Classes):
        first, second = one.top(), other.top()
        return float((first and first.class_id) == (second and second.class_id))
    things, left = list(getattr(one, "items", ())), list(getattr(other, "items", ()))
    count, same = len(things) + len(left), 0
    for thing in things:
        twin = next((found for found in left if _is_same(thing, found)), None)
        if twin is not None:
            left.remove(twin)
            same += 1
    return 2 * same / count if count else 1.0


def _is_same(one: Any, other: Any) -> bool:
    return bool(one.class_id == other.class_id and overlap(one.box, other.box) >= SAME_PLACE)


def _look(model: Model, picture: bytes) -> tuple[Result, float]:
    """The answer, and how long the network took: everything around it stays as it is."""
    prepared = model.prepare(decode(picture, short_side=decode_short_side(model.package)))
    began = time.perf_counter()
    outputs = model.forward([prepared])[0]
    took_ms = (time.perf_counter() - began) * 1e3
    return model.read(outputs, prepared, Asked()), took_ms


def _write_int8(model: Model, weights: Path, pictures: Sequence[bytes], into: Path) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    feeds = _feeds(model, pictures)
    reader = type("Pictures", (CalibrationDataReader,), {"get_next": lambda _: next(feeds, None)})
    with tempfile.TemporaryDirectory() as folder:
        tidy = Path(folder) / "tidy.onnx"
        try:
            quant_pre_process(str(weights), str(tidy), skip_symbolic_shape=True)
            quantize_static(
                str(tidy),
                str(into),
                reader(),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                reduce_range=not sums_int8_exactly(),  # seven bits for weights: a little worse, but never overflowing
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
        except Exception as failure:
            raise ModelRefused("This network's operators could not be made int8.") from failure


def _feeds(model: Model, pictures: Sequence[bytes]) -> Iterator[dict[str, Any]]:
    for picture in pictures:
        image = decode(picture, short_side=decode_short_side(model.package))
        yield dict(model.tensors_of(model.prepare(image)))
