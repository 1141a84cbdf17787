"""One model, ready to look: prepare, run the network, read its answer. Sessions of onnxruntime are opened only here."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as failures

from retinue.vision.asking import Asked
from retinue.vision.errors import BadMask, MaskNeeded, ModelFailed, ModelRefused, UnsupportedOperator, VisionError
from retinue.vision.geometry import Fit, as_numbers, fit, fit_mask
from retinue.vision.heads import HEADS, Outputs
from retinue.vision.heads.head import named_outputs
from retinue.vision.heads.inpaint import painted_into
from retinue.vision.images import Image
from retinue.vision.package import Package
from retinue.vision.providers import check_first_choice
from retinue.vision.results import Picture, Result
from retinue.vision.tensors import Signature, Tensors, signature_of

Mask: TypeAlias = NDArray[np.uint8] | NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Prepared:
    """One picture as the network wants it (one array per input, without batch dimension), and the way back.

    `image` and `mask` are kept only where the answer is made from the picture itself, as in inpainting.
    """

    numbers: tuple[NDArray[np.generic], ...]
    fit: Fit
    image: Image | None = field(default=None, repr=False)
    mask: Mask | None = field(default=None, repr=False)


class Session(Protocol):
    """What runs a graph: onnxruntime's session here, or one that asks another machine."""

    def get_inputs(self) -> Sequence[Any]: ...

    def get_outputs(self) -> Sequence[Any]: ...

    def run(self, names: Sequence[str], feed: Tensors) -> Sequence[NDArray[Any]]: ...


# Gives a session on another machine for a package; the function beside it opens one here, to compare with.
Elsewhere: TypeAlias = Callable[[Package, Callable[[], Session]], Session]


class Model(Protocol):
    """What every model can do, with a network inside or without. Its verbs may be called from many threads."""

    package: Package

    @property
    def max_batch(self) -> int | None: ...

    def prepare(self, image: Image, mask: Mask | None = None) -> Prepared: ...

    def forward(self, batch: Sequence[Prepared], *, extra: Sequence[str] = ()) -> list[Outputs]: ...

    def read(self, outputs: Outputs, prepared: Prepared, asked: Asked) -> Result: ...

    def signature(self) -> Signature: ...

    def tensors_of(self, prepared: Prepared) -> Tensors: ...

    def run(self, tensors: Tensors, outputs: Sequence[str]) -> Tensors: ...

    def close(self) -> None: ...


def open_session(
    package: Package,
    *,
    threads: int = 1,
    providers: Sequence[str] | None = None,
    elsewhere: Elsewhere | None = None,
) -> Model:
    """Opens a package. Models without weights, like the OpenCV inpainters, speak the same verbs.

    `elsewhere` has the graph run on another machine.
    """
    if package.manifest.head in WITHOUT_WEIGHTS:
        return WITHOUT_WEIGHTS[package.manifest.head](package)
    return Network(package, threads=threads, providers=providers or ("CPUExecutionProvider",), elsewhere=elsewhere)


class Network:
    """One package in one session."""

    def __init__(
        self,
        package: Package,
        *,
        threads: int,
        providers: Sequence[str],
        elsewhere: Elsewhere | None = None,
    ) -> None:
        manifest = package.manifest
        if manifest.head not in HEADS:
            raise ModelRefused(f"Nothing here reads the answers of a network of the kind “{manifest.head}”.")
        if manifest.frame is None or manifest.numbers is None or package.weights is None:
            raise ModelRefused("The manifest does not say how a picture becomes the network's numbers.")
        self.package = package
        self._frame, self._numbers, self._head = manifest.frame, manifest.numbers, HEADS[manifest.head]
        self._open = partial(_session, threads=threads, providers=providers)
        open_here = partial(self._open, package.weights)
        self._session: Session = elsewhere(package, open_here) if elsewhere else open_here()
        self._with_extra: dict[tuple[str, ...], Any] = {}
        self._opening = threading.Lock()
        shapes = {told.name: told.shape for told in self._session.get_inputs()}
        self._inputs = manifest.inputs or tuple(name for name in shapes if name != PIXEL_MASK)
        if missing := [name for name in self._inputs if name not in shapes]:
            raise ModelRefused(f"The network has no input named “{missing[0]}”.")
        self._wants_pixel_mask = PIXEL_MASK in shapes and PIXEL_MASK not in self._inputs
        shape = shapes[self._inputs[0]]
        self._takes_one = len(shape) == PICTURE_SIDES  # torchvision's detectors: a picture without a batch dimension
        self._fixed_batch = 1 if self._takes_one else shape[0] if shape and isinstance(shape[0], int) else None
        graph_outputs = [told.name for told in self._session.get_outputs()]
        self._graph_outputs = frozenset(graph_outputs)
        self._outputs = _outputs_to_fetch(package, graph_outputs)

    @property
    def max_batch(self) -> int | None:
        """Largest number of pictures in one run; None: any."""
        known = [most for most in (self.package.manifest.max_batch, self._fixed_batch) if most is not None]
        return 1 if not self._head.has_batches else min(known, default=None)

    def prepare(self, image: Image, mask: Mask | None = None) -> Prepared:
        pixels, placed = fit(self._frame, image)
        numbers = [as_numbers(pixels, self._numbers)]
        if self.package.task != "inpaint":
            return Prepared(tuple(numbers), placed)
        if mask is None:
            raise MaskNeeded()
        if mask.shape != (image.height, image.width):
            raise BadMask(f"The mask is not {image.width} × {image.height} as its picture is.")
        if len(self._inputs) > 1:
            fitted = fit_mask(self._frame, mask != 0)
            channel_axis = 0 if self._numbers.layout == "nchw" else 2
            numbers.append(np.expand_dims(fitted.astype(_mask_dtype(self._numbers.dtype)), channel_axis))
        return Prepared(tuple(numbers), placed, image=image, mask=mask)

    def forward(self, batch: Sequence[Prepared], *, extra: Sequence[str] = ()) -> list[Outputs]:
        """One run of the network for all, or one each where a flexible frame gave them different shapes.

        `extra` names tensors of the graph that are wanted beside those the head reads.
        """
        if self.max_batch is not None and len(batch) > self.max_batch:
            raise ValueError(f"{len(batch)} pictures in one batch, but the model takes {self.max_batch}")
        if len({tuple(one.shape for one in item.numbers) for item in batch}) > 1:
            return [self.forward([item], extra=extra)[0] for item in batch]
        names = [*self._outputs, *extra]
        session = self._session if self._graph_outputs.issuperset(extra) else self._session_with(tuple(extra))
        with _translated_run():
            arrays = session.run(names, self._feed(batch))
        if not self._head.has_batches:
            return [dict(zip(names, arrays, strict=True))]
        if any(not array.ndim or len(array) < len(batch) for array in arrays):
            raise ModelFailed("The model did not answer for every picture of its batch.")
        return [{name: array[i] for name, array in zip(names, arrays, strict=True)} for i in range(len(batch))]

    def read(self, outputs: Outputs, prepared: Prepared, asked: Asked) -> Result:
        result = self._head.read(outputs, prepared.fit, self.package.manifest, asked)
        if isinstance(result, Picture) and prepared.image is not None and prepared.mask is not None:
            return Picture(painted_into(prepared.image.pixels, prepared.mask != 0, result.pixels))
        return result

    def signature(self) -> Signature:
        return signature_of(
            self._session.get_inputs(),
            self._session.get_outputs(),
            answers_each=self._head.has_batches,
            picture_sides=PICTURE_SIDES,
            max_batch=self.max_batch,
        )

    def tensors_of(self, prepared: Prepared) -> Tensors:
        """A picture as the published graph takes it."""
        return self._feed([prepared])

    def run(self, tensors: Tensors, outputs: Sequence[str]) -> Tensors:
        """The published graph from its inputs to these of its outputs, with nothing of ours before or behind."""
        with _translated_run():
            return dict(zip(outputs, self._session.run(list(outputs), tensors), strict=True))

    def close(self) -> None:
        """Lets go of the network; its memory returns when the last run under way has ended."""
        del self._session
        self._with_extra.clear()

    def _session_with(self, extra: tuple[str, ...]) -> Any:
        """A second session on the graph with inner tensors as outputs, opened when somebody first wants to look inside:
        the one that serves everybody else stays as it is."""
        from retinue.vision.feature_graph import graph_with_features  # brings the onnx package: 0.2 s

        weights = self.package.weights
        assert weights is not None
        with self._opening:
            if extra not in self._with_extra:
                self._with_extra[extra] = self._open(graph_with_features(weights, extra))
            return self._with_extra[extra]

    def _feed(self, batch: Sequence[Prepared]) -> dict[str, NDArray[np.generic]]:
        items = list(batch)
        if self._fixed_batch is not None:  # a graph made for exactly so many gets its last picture again and again
            items += [items[-1]] * (self._fixed_batch - len(items))
        feed: dict[str, NDArray[np.generic]] = {}
        for place, name in enumerate(self._inputs):
            first = items[0].numbers[place]
            if self._takes_one:
                feed[name] = first
                continue
            feed[name] = first[None] if len(items) == 1 else np.stack([item.numbers[place] for item in items])
        if self._wants_pixel_mask:
            height, width = items[0].fit.frame_height, items[0].fit.frame_width
            feed[PIXEL_MASK] = np.ones((len(items), height, width), np.int64)
        return feed


def _inpainter(package: Package) -> Model:
    from retinue.vision.inpainting import Inpainter

    return Inpainter(package)


# Hugging Face detectors may ask which pixels are padding. A batch here has one shape, so none are.
PIXEL_MASK = "pixel_mask"
PICTURE_SIDES = 3

WITHOUT_WEIGHTS: dict[str, Callable[[Package], Model]] = {"telea": _inpainter, "navier-stokes": _inpainter}


def _session(weights: Path, *, threads: int, providers: Sequence[str]) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # its words hold paths; what matters comes as an exception
    # A spinning thread burns the core that the next picture needs for decoding.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(str(weights), options, providers=list(providers))
    except (failures.NotImplemented, failures.InvalidGraph) as cause:
        raise UnsupportedOperator() from cause
    except Exception as cause:
        raise ModelRefused("The network cannot be loaded.") from cause
    check_first_choice(providers, session.get_providers())
    return session


@contextmanager
def _translated_run() -> Iterator[None]:
    try:
        yield
    except VisionError:
        raise
    except Exception as cause:
        raise ModelFailed() from cause


def _outputs_to_fetch(package: Package, graph_outputs: list[str]) -> list[str]:
    named = list(named_outputs(package.manifest))
    if missing := [name for name in named if name not in graph_outputs]:
        raise ModelRefused(f"The network has no output named “{missing[0]}”.")
    return named or graph_outputs


def _mask_dtype(dtype: str) -> str:
    return "float32" if dtype == "uint8" else dtype
