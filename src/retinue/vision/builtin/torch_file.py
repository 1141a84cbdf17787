"""Reads the tensors of a legacy torch file without torch: a pickle that may build tensors and nothing else.

The format is five pickles (magic number, protocol, platform, the state, the storages' keys) followed by the
storages' numbers. Only three names may be looked up, so no code of the file can run.
"""

import hashlib
import io
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retinue.vision.errors import ModelRefused

Tensors: TypeAlias = dict[str, NDArray[Any]]

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
KINDS: dict[str, np.dtype[Any]] = {
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "IntStorage": np.dtype("<i4"),
    "LongStorage": np.dtype("<i8"),
}
MAX_FILE_BYTES = 256 << 20
MAX_STORAGE_BYTES = 64 << 20  # the largest storage of the file this was written for has 5 MB


def read_torch_file(file: Path, *, sha256: str) -> Tensors:
    """The state of a network by tensor name. The file has to be the one that was looked at when it was chosen."""
    if file.stat().st_size > MAX_FILE_BYTES:
        raise ModelRefused("The weights file is larger than any that was expected.")
    data = file.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelRefused("The weights file is not the one this model was made for: its checksum differs.")
    return read_tensors(data)


def read_tensors(data: bytes) -> Tensors:
    try:
        return _read(io.BytesIO(data))
    except (pickle.UnpicklingError, ModelRefused) as refused:
        raise ModelRefused(f"The weights file was refused: {refused}") from refused
    except (ArithmeticError, AttributeError, EOFError, LookupError, MemoryError) as broken:
        raise ModelRefused("The weights file is broken.") from broken
    except (RecursionError, TypeError, ValueError, struct.error) as broken:
        raise ModelRefused("The weights file is broken.") from broken


@dataclass(slots=True)
class _Storage:
    """A run of numbers. The file names it first and brings the numbers at its end."""

    kind: str
    size: int
    numbers: NDArray[Any] | None = None


@dataclass(slots=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def as_array(self) -> NDArray[Any]:
        numbers = self.storage.numbers
        if numbers is None:
            raise ModelRefused("a tensor has no numbers")
        last = self.offset + sum((side - 1) * step for side, step in zip(self.shape, self.stride, strict=True))
        smallest = min((self.offset, *(side - 1 for side in self.shape), *self.stride, 0))
        if smallest < 0 or last >= len(numbers):
            raise ModelRefused("a tensor reaches outside its storage")
        # Weights that came from another framework are stored transposed, so strides are the rule and not the exception.
        steps = [step * numbers.itemsize for step in self.stride]
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, steps, writeable=False)


def _tensor(storage: _Storage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: object) -> _Tensor:
    if not isinstance(storage, _Storage):
        raise pickle.UnpicklingError("a tensor without a storage")
    return _Tensor(storage, offset, shape, stride)


@dataclass(slots=True)
class _Storages:
    by_key: dict[str, _Storage] = field(default_factory=dict)

    def named(self, what: tuple[str, str, str, str, int, None]) -> _Storage:
        tag, kind, key, _where, size, view = what
        if tag != "storage" or view is not None or kind not in KINDS:
            raise pickle.UnpicklingError("a storage of an unknown kind")
        if not 0 <= size * KINDS[kind].itemsize <= MAX_STORAGE_BYTES:
            raise pickle.UnpicklingError("a storage of an unlikely size")
        return self.by_key.setdefault(key, _Storage(kind, size))


class _TensorsOnly(pickle.Unpickler):
    allowed: ClassVar[dict[tuple[str, str], Any]] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _tensor,
        **{("torch", kind): kind for kind in KINDS},
    }

    def __init__(self, stream: BinaryIO, storage: Callable[[Any], _Storage]) -> None:
        super().__init__(stream)
        self.storage = storage

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self.allowed[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no weights need") from None

    def persistent_load(self, pid: Any) -> _Storage:
        return self.storage(pid)


def _read(stream: BinaryIO) -> Tensors:
    storages = _Storages()

    def one() -> Any:
        return _TensorsOnly(stream, storages.named).load()

    if one() != MAGIC or one() != PROTOCOL:
        raise ModelRefused("it is no legacy torch file")
    if not one()["little_endian"]:
        raise ModelRefused("it is big-endian")
    state = one()
    for key in one():
        _fill(storages.by_key[key], stream)
    if stream.read(1):
        raise ModelRefused("bytes are left over at its end")
    return {name: tensor.as_array() for name, tensor in state.items()}


def _fill(storage: _Storage, stream: BinaryIO) -> None:
    (size,) = struct.unpack("<q", stream.read(8))
    if size != storage.size:
        raise ModelRefused("a storage has another size than announced")
    kind = KINDS[storage.kind]
    storage.numbers = np.frombuffer(stream.read(size * kind.itemsize), kind)
    if len(storage.numbers) != size:
        raise ModelRefused("it ends too early")
