"""Decides whether a model may go live: it has to answer one picture, in a limited child, as it says it does."""

import base64
import resource
import shutil
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinue.vision.asking import Asked
from retinue.vision.contained import MIB, ChildDied, ChildTimedOut, run_contained
from retinue.vision.errors import ModelFailed, ModelRefused, VisionError
from retinue.vision.importing import Told, import_model
from retinue.vision.importing.graph import Graph, Tensor, tell
from retinue.vision.package import Package, read_package, write_manifest
from retinue.vision.results import Json

BASE_BYTES = 2048 * MIB  # of address space: Python, numpy, OpenCV and onnxruntime reserve 0.9 GiB before any model
PER_WEIGHT_BYTE = 4  # the file, the session's copy, and two more where weights are repacked
TIMED_RUNS = 5
TIMED_SECONDS = 2.0
SHOWN_ITEMS = 20
FEW_PROBABLE = 0.05  # a threshold so low that even an unsure detector shows what it sees


@dataclass(frozen=True, slots=True)
class Limits:
    seconds: float = 60.0
    memory_bytes: int | None = None  # None: as much as weights of this size can honestly need


@dataclass(frozen=True, slots=True)
class IntakeReport:
    """What the model did with its first picture. `max_batch` is how many pictures it really takes at once."""

    ok: bool
    answer: Json
    ms_per_picture: float
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    peak_bytes: int
    max_batch: int | None
    sentence: str


def take_in(
    source: Path, into: Path, *, told: Told | None = None, picture: bytes | None = None, limits: Limits | None = None
) -> tuple[Package, IntakeReport]:
    """Import a model and try it out: the whole road from a stranger's file to a package that may go live.

    A refused model leaves nothing behind.
    """
    package = import_model(source, into, told=told)
    try:
        report = try_out(package, picture=picture, limits=limits)
        if report.max_batch != package.manifest.max_batch:
            manifest = package.manifest.model_copy(update={"max_batch": report.max_batch})
            package = write_manifest(package.folder, manifest)
    except BaseException:
        shutil.rmtree(into)
        raise
    return package, report


def try_out(package: Package, *, picture: bytes | None = None, limits: Limits | None = None) -> IntakeReport:
    """Let the model answer `picture` (or a test picture) in a limited child; ModelRefused says why not."""
    limits = limits or Limits()
    weights = package.weights.stat().st_size if package.weights else 0
    memory_bytes = limits.memory_bytes or BASE_BYTES + PER_WEIGHT_BYTE * weights
    try:
        told = run_contained(
            "retinue.vision.intake:answer_once",
            {
                "folder": str(package.folder.absolute()),
                "picture": base64.b64encode(picture).decode() if picture is not None else None,
            },
            cpu_s=limits.seconds,
            wall_s=limits.seconds,
            memory_bytes=memory_bytes,
        )
    except ChildTimedOut as death:
        raise ModelRefused(f"The model did not answer one picture within {limits.seconds:g} s.") from death
    except ChildDied as death:
        if death.reason == "memory":
            raise ModelRefused(_too_hungry(memory_bytes)) from death
        raise ModelRefused("The model crashed when it was tried out.") from death
    except ModelFailed as failure:
        raise ModelRefused(failure.detail) from failure
    if told.pop("starved", False):
        raise ModelRefused(_too_hungry(memory_bytes))
    told["sentence"] = _sentence(told)
    return IntakeReport(ok=True, **{**told, "inputs": tuple(told["inputs"]), "outputs": tuple(told["outputs"])})


def answer_once(payload: dict[str, Any]) -> dict[str, Any]:
    """The child's part: load, run, check the contract, time. What it returns is shown to a person."""
    try:
        return _answer_once(Path(payload["folder"]), payload["picture"])
    except MemoryError:
        return {"starved": True}
    except VisionError as failure:
        if failure.__cause__ is not None and "alloc" in str(failure.__cause__):  # onnxruntime's words for bad_alloc
            return {"starved": True}
        raise


def neutral_picture() -> NDArray[np.uint8]:
    """A neutral picture with edges, colours and a gradient, for a model that nobody brought a picture for."""
    rows, columns = np.mgrid[0:240, 0:320]
    pixels = np.stack([columns * 0.8, rows, 255 - columns * 0.5], axis=2)
    pixels[(columns - 110) ** 2 + (rows - 130) ** 2 < 60**2] = (200, 60, 40)
    pixels[60:180, 200:280] = np.where(((rows // 15 + columns // 15) % 2)[60:180, 200:280, None], 240, 20)
    return pixels.astype(np.uint8)


def _answer_once(folder: Path, picture: str | None) -> dict[str, Any]:
    from retinue.vision.images import Image, decode
    from retinue.vision.model import open_session

    package = read_package(folder)
    image = Image.of(neutral_picture()) if picture is None else decode(base64.b64decode(picture))
    graph = (
        Graph.model_validate(tell({"file": str(package.weights), "beside": str(folder)})) if package.weights else None
    )
    model = open_session(package)
    mask = _test_mask(image.width, image.height) if package.task == "inpaint" else None
    prepared = model.prepare(image, mask)
    outputs = model.forward([prepared])[0]
    asked = Asked(confidence=FEW_PROBABLE if package.task in ("detect", "segment") else None)
    result = model.read(outputs, prepared, asked)
    if graph is not None:
        _check_contract(graph, package, outputs, model.forward([prepared], extra=_others(graph, outputs))[0])
    answer = result.as_json()
    _check_labels(package, answer)

    def whole() -> None:
        again = model.prepare(image, mask)
        model.read(model.forward([again])[0], again, asked)

    return {
        "answer": {key: value[:SHOWN_ITEMS] if isinstance(value, list) else value for key, value in answer.items()},
        "ms_per_picture": round(_time(whole), 3),
        "inputs": [_shown(one) for one in graph.inputs] if graph else [],
        "outputs": [_shown(one) for one in graph.outputs] if graph else [],
        "max_batch": _real_batch(model, prepared, outputs),
        "peak_bytes": _peak_bytes(),
    }


def _others(graph: Graph, outputs: dict[str, Any]) -> list[str]:
    return [output.name for output in graph.outputs if output.name not in outputs]


def _check_contract(graph: Graph, package: Package, read: dict[str, Any], every: dict[str, NDArray[Any]]) -> None:
    """Every output has the sides it was declared with, and holds numbers; those that nobody reads included."""
    from retinue.vision.heads import HEADS

    has_batches = HEADS[package.manifest.head].has_batches
    for output in graph.outputs:
        values = every[output.name]
        declared = None if output.shape is None else output.shape[1:] if has_batches else output.shape
        if declared is not None and (
            len(declared) != values.ndim
            or any(side not in (None, real) for side, real in zip(declared, values.shape, strict=True))
        ):
            raise ModelRefused(f"The model's output “{output.name[:60]}” has another shape than the file declares.")
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ModelRefused("The model answered with values that are no numbers.")
    if package.task == "classify":
        scores = next(iter(read.values()))
        if scores.size != len(package.labels):
            raise ModelRefused(f"The model scores {scores.size} classes, but {len(package.labels)} have names.")


def _check_labels(package: Package, answer: Json) -> None:
    for found in answer.get("detections", []) + answer.get("masks", []):
        if package.labels and not 0 <= found["class_id"] < len(package.labels):
            raise ModelRefused(f"The model answered with class {found['class_id']}, which has no name.")


def _real_batch(model: Any, prepared: Any, alone: dict[str, NDArray[Any]]) -> int | None:
    """Many exports declare any batch and hold a reshape to one inside: two pictures must get what one gets."""
    most: int | None = model.max_batch
    if most == 1:
        return 1
    try:
        twice = model.forward([prepared, prepared])
    except ModelFailed:
        return 1
    same = all(
        part[name].shape == values.shape and np.allclose(part[name], values, rtol=1e-2, atol=1e-3)
        for part in twice
        for name, values in alone.items()
    )
    return most if same else 1


def _peak_bytes() -> int:
    """Of this child alone: `ru_maxrss` begins with what its parent had when it forked."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _time(run: Any) -> float:
    """The median in milliseconds; a slow model is run only as often as a person would wait."""
    times: list[float] = []
    while len(times) < TIMED_RUNS and sum(times) < TIMED_SECONDS * 1e3:
        started = time.perf_counter()
        run()
        times.append((time.perf_counter() - started) * 1e3)
    return statistics.median(times)


def _test_mask(width: int, height: int) -> NDArray[np.uint8]:
    mask = np.zeros((height, width), np.uint8)
    mask[height // 3 : 2 * height // 3 + 1, width // 3 : 2 * width // 3 + 1] = 255
    return mask


def _shown(tensor: Tensor) -> str:
    sides = "?" if tensor.shape is None else " × ".join("any" if side is None else str(side) for side in tensor.shape)
    return f"{tensor.name[:60]}: {tensor.dtype} {sides}"


def _sentence(told: dict[str, Any]) -> str:
    answer = told["answer"]
    seen = next((value for key in ("classes", "detections", "masks") if (value := answer.get(key)) is not None), None)
    if seen is None:
        words = f"a picture of {answer['width']} × {answer['height']}"
    elif not seen:
        words = "nothing found on the test picture"
    else:
        best = seen[0]
        words = f"{best['label'][:60]} ({best['score']:.2f})"
    return f"It answered in {told['ms_per_picture']:.1f} ms: {words}."


def _too_hungry(memory_bytes: int) -> str:
    return f"The model needs more memory for one picture than the {memory_bytes / (1 << 30):.1f} GiB it may have."
