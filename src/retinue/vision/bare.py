"""One piece of bare work in a lane: arrays through the published graph, or an encoded picture made into its arrays."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from retinue.vision.asking import Asked
from retinue.vision.errors import BrokenPicture, ModelFailed, VisionError
from retinue.vision.model import Model
from retinue.vision.opening import read_picture
from retinue.vision.results import Seen, Timing
from retinue.vision.tensors import Inferred, Signature, Tensors, joined, pieces


@dataclass(frozen=True, slots=True, eq=False)
class Bare:
    """`outputs` are wanted; `at` is since when it is here; `is_lone`: nothing else is, so it may have every core."""

    given: Tensors | bytes
    outputs: tuple[str, ...]
    asked: Asked
    at: float
    deadline: float | None = None
    is_lone: bool = False


def bare_work(
    signature: Signature,
    given: Tensors | Sequence[bytes],
    outputs: Sequence[str],
    *,
    most: int,
    asked: Asked,
    at: float,
    deadline: float | None,
) -> list[Bare]:
    """One piece for each picture, or for as many elements as the model runs together; no outputs named: all."""
    signature.check_outputs(outputs)
    if isinstance(given, dict):
        parts: list[Tensors | bytes] = list(pieces(signature, given, most=most))
    else:
        signature.check_pictures(len(given))
        parts = list(given)
    names = tuple(outputs) or tuple(spec.name for spec in signature.outputs)
    return [Bare(part, names, asked, at, deadline, is_lone=len(parts) == 1) for part in parts]


def run_bare(model: Model, bare: Bare) -> Inferred:
    taken = time.monotonic()
    try:
        if isinstance(bare.given, bytes):
            return _run_picture(model, bare.given, bare, taken)
        outputs = model.run(bare.given, bare.outputs)
    except VisionError:
        raise
    except OSError as cause:
        raise BrokenPicture("The picture cannot be read.") from cause
    except Exception as cause:
        raise ModelFailed() from cause
    return Inferred(outputs, _timing(bare, taken, taken))


def whole_of(parts: Sequence[Inferred], *, at: float) -> Inferred:
    """What the pieces of one request came to. Stages add up; pieces in lanes side by side took less in all."""
    told = [part.timing for part in parts]
    timing = Timing(
        decode_ms=sum(one.decode_ms for one in told),
        queue_ms=max(one.queue_ms for one in told),
        model_ms=sum(one.model_ms for one in told),
        total_ms=(time.monotonic() - at) * 1e3,
    )
    seen = tuple(one for part in parts for one in part.seen)
    return Inferred(joined([part.outputs for part in parts]), timing, seen)


def _run_picture(model: Model, picture: bytes, bare: Bare, taken: float) -> Inferred:
    """Both what the graph says of the picture and what our reader makes of it: the latter goes into the history."""
    signature = model.signature()
    image = read_picture(picture, model.package)
    prepared = model.prepare(image)
    decoded = time.monotonic()
    every = model.run(model.tensors_of(prepared), [spec.name for spec in signature.outputs])
    if signature.answers_each:  # a graph made for exactly four got its picture four times
        every = {name: array[:1] for name, array in every.items()}
    said = {name: array[0] for name, array in every.items()} if signature.answers_each else every
    result = model.read(said, prepared, bare.asked)
    timing = _timing(bare, taken, decoded)
    outputs = {name: every[name] for name in bare.outputs}
    return Inferred(outputs, timing, (Seen(result, image.width, image.height, timing),))


def _timing(bare: Bare, taken: float, decoded: float) -> Timing:
    now = time.monotonic()
    return Timing(
        decode_ms=(decoded - taken) * 1e3,
        queue_ms=(taken - bare.at) * 1e3,
        model_ms=(now - decoded) * 1e3,
        total_ms=(now - bare.at) * 1e3,
    )
