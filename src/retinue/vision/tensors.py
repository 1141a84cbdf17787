"""What a network takes and gives as bare arrays: names, types and shapes of its published graph, and what fits them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retinue.vision.errors import BadTensors, ModelFailed, NoTensors, TooBig
from retinue.vision.results import Seen, Timing

Tensors: TypeAlias = dict[str, NDArray[Any]]

ANY = -1
MOST_ELEMENTS = 128  # of one request; 64 MiB hold 111 pictures of 3 × 224 × 224 floats
TEXT = "object"  # numpy's word for strings of any length
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(bool)": "bool",
    "tensor(string)": TEXT,
    **{f"tensor({kind}{bits})": f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)},
}


@dataclass(frozen=True, slots=True)
class Spec:
    """One tensor of the graph; a side of -1 may have any length."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    def check(self, given: NDArray[Any]) -> None:
        if given.dtype != np.dtype(self.dtype):
            raise BadTensors(f"“{self.name}” holds {self.dtype}, not {given.dtype}.")
        fits = given.ndim == len(self.shape) and all(
            has > 0 and wanted in (ANY, has) for wanted, has in zip(self.shape, given.shape, strict=True)
        )
        if not fits:
            raise BadTensors(f"“{self.name}” has the shape {list(self.shape)}, which {list(given.shape)} does not fit.")


@dataclass(frozen=True, slots=True)
class Signature:
    """The graph's inputs and outputs. `is_batched`: the inputs' first side counts elements; `answers_each`: so does
    the outputs'; `splits`: elements may be run one by one, because nothing in the graph joins them."""

    inputs: tuple[Spec, ...]
    outputs: tuple[Spec, ...]
    is_batched: bool
    answers_each: bool
    splits: bool
    max_batch: int | None

    def elements_in(self, given: Mapping[str, NDArray[Any]]) -> int:
        """How many elements these tensors are, each of which is paid for; refused where they do not fit the graph."""
        wanted = [spec.name for spec in self.inputs]
        if unknown := sorted(set(given) - set(wanted)):
            raise BadTensors(f"The model has no input “{unknown[0]}”; it has: {', '.join(wanted)}.")
        if missing := [name for name in wanted if name not in given]:
            raise BadTensors(f"The input “{missing[0]}” is missing.")
        for spec in self.inputs:
            spec.check(given[spec.name])
        if not self.is_batched:
            return 1
        lengths = {given[spec.name].shape[0] for spec in self.inputs if spec.shape[:1] == (ANY,)}
        if len(lengths) > 1:
            raise BadTensors("The inputs do not hold the same number of elements.")
        elements: int = given[self.inputs[0].name].shape[0]
        self._check_count(elements)
        return elements

    def check_pictures(self, pictures: int) -> None:
        self._check_count(pictures)
        if pictures > 1 and not self.answers_each:
            raise BadTensors("This model takes one encoded picture at a time.")

    def check_outputs(self, names: Sequence[str]) -> None:
        known = [spec.name for spec in self.outputs]
        if unknown := [name for name in names if name not in known]:
            raise BadTensors(f"The model has no output “{unknown[0]}”; it has: {', '.join(known)}.")
        if len(set(names)) < len(names):
            raise BadTensors("An output is asked for twice.")

    def _check_count(self, elements: int) -> None:
        if elements > MOST_ELEMENTS:
            raise TooBig(f"{elements} elements in one request; {MOST_ELEMENTS} are the most.")
        if self.max_batch is not None and elements > self.max_batch and not self.splits:
            raise BadTensors(f"{elements} elements in one batch, but the model takes {self.max_batch}.")


@dataclass(frozen=True, slots=True)
class Inferred:
    """What the graph gave. `seen`: for encoded pictures also what the model's own reader makes of each."""

    outputs: Tensors
    timing: Timing
    seen: tuple[Seen, ...] = ()


def signature_of(
    inputs: Sequence[Any], outputs: Sequence[Any], *, answers_each: bool, picture_sides: int, max_batch: int | None
) -> Signature:
    """From what a session says of its graph. A picture without a batch has `picture_sides` sides."""
    first = inputs[0].shape
    is_batched = len(first) > picture_sides
    batch = first[0] if is_batched and isinstance(first[0], str) else None
    same = all(told.shape and told.shape[0] == batch for told in (*inputs, *outputs))
    return Signature(
        tuple(map(_spec, inputs)),
        tuple(map(_spec, outputs)),
        is_batched=is_batched,
        answers_each=answers_each,
        splits=batch is not None and answers_each and same,
        max_batch=max_batch,
    )


def pieces(signature: Signature, given: Tensors, *, most: int) -> Iterator[Tensors]:
    """At most so many elements each, where the graph allows it: others are served between them."""
    elements = signature.elements_in(given)
    if not signature.splits or elements <= most:
        yield given
        return
    for start in range(0, elements, most):
        yield {name: array[start : start + most] for name, array in given.items()}


def joined(parts: Sequence[Tensors]) -> Tensors:
    """The outputs of all pieces, in their order."""
    if len(parts) == 1:
        return parts[0]
    try:
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    except ValueError as cause:
        raise ModelFailed("The model's answers to these elements have different shapes; ask one at a time.") from cause


def _spec(told: Any) -> Spec:
    if told.type not in _DTYPES:
        raise NoTensors(f"“{told.name}” is no plain tensor.")
    return Spec(told.name, _DTYPES[told.type], tuple(side if isinstance(side, int) else ANY for side in told.shape))
