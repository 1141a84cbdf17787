"""Decides which graphs may be opened at all: a model file is data, it may neither reach out of its folder nor swell."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from retinue.vision.errors import ExternalDataRefused, ModelRefused, ModelTooBig, UnsupportedOperator

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

MAX_NODES = 200_000  # 20,000 load in 0.43 s; the largest export we know has 9,000
MAX_OUTPUTS = 64
MAX_INPUTS = 16
MAX_DEPTH = 16
MAX_TENSOR_BYTES = 2 << 30
MAX_METADATA_BYTES = 8 << 20
MAX_NAME_LENGTH = 1024

# Operators that onnxruntime itself brings along; every other domain needs a library of somebody else's.
KNOWN_DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}
# Holds a path to a compiled engine that some providers would open.
FORBIDDEN_OPERATORS = {"EPContext"}
INPUT_TYPES = {"float32", "float16", "uint8", "int64", "bool"}  # the last two for masks beside the picture
OUTPUT_TYPES = INPUT_TYPES | {"float64", "int32", "int16", "int8", "uint16", "uint32", "uint64"}


def check_graph(model: "ModelProto", folder: Path) -> tuple[str, ...]:
    """Refuse what must not be opened; gives the names of the weight files that lie beside the graph in `folder`."""
    check_versions(model)
    check_counts(model)
    check_inputs(model)
    check_operators(model)
    outside = [tensor for tensor in tensors(model) if not check_tensor(tensor)]
    return tuple(sorted({check_external(tensor, folder) for tensor in outside}))


def check_versions(model: "ModelProto") -> None:
    import onnx

    if not 3 <= model.ir_version <= onnx.IR_VERSION:
        raise ModelRefused("The file is written in a version of the ONNX format that Retinue does not read.")
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if not versions or not 7 <= max(versions) <= onnx.defs.onnx_opset_version():
        raise ModelRefused(
            f"The graph uses an operator set that Retinue does not run (7 to {onnx.defs.onnx_opset_version()} are)."
        )


def check_counts(model: "ModelProto") -> None:
    if sum(1 for _ in nodes(model)) > MAX_NODES:
        raise ModelTooBig(f"The graph has more than {MAX_NODES:,} nodes.")
    if not model.graph.node:
        raise ModelRefused("The graph computes nothing.")
    if not 1 <= len(model.graph.output) <= MAX_OUTPUTS:
        raise ModelRefused(f"The graph has {len(model.graph.output):,} outputs; 1 to {MAX_OUTPUTS} are served.")
    if sum(len(entry.key) + len(entry.value) for entry in model.metadata_props) > MAX_METADATA_BYTES:
        raise ModelTooBig(f"The file says more about itself than {MAX_METADATA_BYTES >> 20} MiB.")


def check_inputs(model: "ModelProto") -> None:
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    if not 1 <= len(inputs) <= MAX_INPUTS:
        raise ModelRefused("The graph takes no picture." if not inputs else "The graph takes too many inputs.")
    names = [value.name for value in (*inputs, *model.graph.output)]
    if any(not 0 < len(name) <= MAX_NAME_LENGTH for name in names) or len(set(names)) < len(names):
        raise ModelRefused("The graph's inputs and outputs have no proper names.")
    for value in inputs:
        if value.type.WhichOneof("value") != "tensor_type":
            raise ModelRefused("The graph takes a sequence or a map where a picture is expected.")
        if not _is_type(value, INPUT_TYPES):
            raise ModelRefused("The graph takes numbers of a type that pictures are not given in (float or uint8 are).")
    for value in model.graph.output:
        if value.type.WhichOneof("value") != "tensor_type" or not _is_type(value, OUTPUT_TYPES):
            raise ModelRefused("The graph answers with a sequence, a map or text, not with numbers.")


def check_operators(model: "ModelProto") -> None:
    import onnx

    functions = {(function.domain, function.name) for function in model.functions}
    versions = {entry.domain: entry.version for entry in model.opset_import}
    checked = set()
    for node in nodes(model):
        domain = "" if node.domain == "ai.onnx" else node.domain
        if (domain, node.op_type) in checked or (node.domain, node.op_type) in functions:
            continue
        named = _shown(f"{node.domain}:{node.op_type}" if domain else node.op_type)
        if domain not in KNOWN_DOMAINS or node.op_type in FORBIDDEN_OPERATORS:
            raise UnsupportedOperator(f"The model uses the operator {named}, which Retinue does not run.")
        if domain != "com.microsoft" and not onnx.defs.has(node.op_type, versions.get(node.domain, 1), domain):
            raise UnsupportedOperator(f"The model uses {named}, which is no operator of its ONNX version.")
        checked.add((domain, node.op_type))


def check_tensor(tensor: "TensorProto") -> bool:
    """False where the numbers are said to lie in another file; those are `check_external`'s."""
    expected = tensor_bytes(tensor)
    if tensor.data_location == tensor.EXTERNAL or tensor.external_data:
        return False
    if tensor.raw_data:
        fits = len(tensor.raw_data) == expected
    elif tensor.data_type == tensor.STRING:
        fits = len(tensor.string_data) == _count(tensor)
    else:
        fits = _count(tensor) == 0 or _typed_bytes(tensor) >= expected
    if not fits:
        raise ModelRefused("A weight's size does not match the numbers that the file holds for it.")
    return True


def check_external(tensor: "TensorProto", folder: Path) -> str:
    """Weights may lie in another file only inside the package itself: a plain file of its own, no link of any kind."""
    facts = external_facts(tensor)
    size = own_file_bytes(folder / facts.name)
    if facts.length != tensor_bytes(tensor) or facts.offset < 0 or facts.offset + facts.length > size:
        raise ExternalDataRefused("The weights beside the model are shorter than the model says.")
    return facts.name


class ExternalFacts(NamedTuple):
    name: str
    offset: int
    length: int


def external_facts(tensor: "TensorProto") -> ExternalFacts:
    """Where the numbers are said to lie; only a plain file name and only the words that exporters use are taken."""
    said = {str(entry.key): str(entry.value) for entry in tensor.external_data}
    name = said.get("location", "")
    if set(said) - {"location", "offset", "length", "checksum"} or len(said) < len(tensor.external_data):
        raise ExternalDataRefused("The model describes its outside weights in a way that no exporter does.")
    if not name or name in (".", "..") or set(name) & set("/\\:\0?#") or len(name) > 255:
        raise ExternalDataRefused
    numbers = said.get("offset", "0"), said.get("length", str(tensor_bytes(tensor)))
    if not all(number.isascii() and number.isdigit() and len(number) < 19 for number in numbers):
        raise ExternalDataRefused("The model describes its outside weights in numbers that are none.")
    return ExternalFacts(name, int(numbers[0]), int(numbers[1]))


def own_file_bytes(file: Path) -> int:
    """The size of an ordinary file with one name, else refused: a link could point at anything the server may read."""
    try:
        about = file.lstat()
    except OSError:
        raise ExternalDataRefused("A file with weights is missing beside the model.") from None
    if not stat.S_ISREG(about.st_mode) or about.st_nlink != 1:
        raise ExternalDataRefused("The weights beside the model are no ordinary file of their own.")
    return about.st_size


def open_own_file(file: Path) -> int:
    """A descriptor of such a file, checked after opening, so that nothing can be put in its place meanwhile."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        raise ExternalDataRefused("A file with weights is missing beside the model.") from None
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode) or about.st_nlink != 1:
        os.close(descriptor)
        raise ExternalDataRefused("The weights beside the model are no ordinary file of their own.")
    return descriptor


def tensor_bytes(tensor: "TensorProto") -> int:
    """How many bytes the declared sides need; refused where no honest weight is so large."""
    from onnx import helper

    if tensor.data_type not in helper.get_all_tensor_dtypes():
        raise ModelRefused("A weight is of a type that does not exist.")
    count = _count(tensor)
    if tensor.data_type == tensor.STRING:
        return count
    bits = _bits(tensor.data_type)
    if count * bits > 8 * MAX_TENSOR_BYTES:
        raise ModelRefused("A weight claims to be larger than 2 GiB.")
    return (count * bits + 7) // 8


def nodes(model: "ModelProto") -> Iterator["NodeProto"]:
    yield from _nodes(model.graph, depth=0)
    for function in model.functions:
        for node in function.node:
            yield node
            yield from _inner(node, depth=0)


def tensors(model: "ModelProto") -> Iterator["TensorProto"]:
    """Every block of numbers in the file, wherever it hides."""
    graphs = [model.graph]
    for node in nodes(model):
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            graphs += [attribute.g] if attribute.HasField("g") else []
            graphs += attribute.graphs
            if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
                raise ModelRefused("The graph holds sparse weights, which Retinue does not serve.")
    for graph in graphs:
        yield from graph.initializer
        if graph.sparse_initializer:
            raise ModelRefused("The graph holds sparse weights, which Retinue does not serve.")


def _nodes(graph: "GraphProto", *, depth: int) -> Iterator["NodeProto"]:
    for node in graph.node:
        yield node
        yield from _inner(node, depth=depth)


def _inner(node: "NodeProto", *, depth: int) -> Iterator["NodeProto"]:
    if depth > MAX_DEPTH:
        raise ModelRefused(f"The graph is nested more than {MAX_DEPTH} deep.")
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield from _nodes(attribute.g, depth=depth + 1)
        for graph in attribute.graphs:
            yield from _nodes(graph, depth=depth + 1)


def _is_type(value: "ValueInfoProto", names: set[str]) -> bool:
    from onnx import helper

    kind = value.type.tensor_type.elem_type
    return kind in helper.get_all_tensor_dtypes() and helper.tensor_dtype_to_np_dtype(kind).name in names


def _count(tensor: "TensorProto") -> int:
    count = 1
    for side in tensor.dims:
        if side < 0:
            raise ModelRefused("A weight has a negative size.")
        count *= side
    return count


def _bits(data_type: int) -> int:
    from onnx import TensorProto, helper

    small = {"INT4": 4, "UINT4": 4, "FLOAT4E2M1": 4, "INT2": 2, "UINT2": 2}
    name = TensorProto.DataType.Name(data_type)
    return small.get(name) or helper.tensor_dtype_to_np_dtype(data_type).itemsize * 8


def _typed_bytes(tensor: Any) -> int:
    """Bytes that the typed fields hold; several small types share the 32-bit field, one or more numbers in each."""
    bits = _bits(tensor.data_type)
    per_entry = max(bits, 8) // 8 if bits >= 8 else 1
    in_int32 = len(tensor.int32_data) * per_entry
    return max(
        in_int32,
        len(tensor.float_data) * 4,
        len(tensor.int64_data) * 8,
        len(tensor.double_data) * 8,
        len(tensor.uint64_data) * per_entry,
    )


def _shown(name: str) -> str:
    """An operator's name as it may be shown to a person: printable and short."""
    return "".join(letter for letter in name if letter.isprintable())[:120] or "(unnamed)"
