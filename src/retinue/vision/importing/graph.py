"""What an ONNX graph says about itself, read in a limited child because nobody vouches for the file yet."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retinue.vision.contained import MIB, ChildDied, run_contained
from retinue.vision.errors import ModelRefused, ModelTooBig, NotAModel
from retinue.vision.package import Strict

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

MAX_FILE_BYTES = 2 << 30  # protobuf itself ends there
MAX_LITERAL_BYTES = 2 * MIB  # 21,841 ImageNet names are 0.8 MB

# What other tools' files begin with, and what to tell the person who brought one.
FOREIGN = {
    b"\x80": "a Python pickle (a PyTorch or scikit-learn file)",
    b"PK\x03\x04": "a ZIP file (perhaps a PyTorch checkpoint or a Keras model)",
    b"\x89HDF": "an HDF5 file (a Keras model)",
    b"<": "a web page",
    b"{": "JSON",
    b"version https://git-lfs": "a Git LFS pointer, not the file it points to",
}
LITERALS = {"names", "imgsz", "stride", "batch", "args", "end2end", "channels", "kpt_shape", "half", "dynamic"}
SEE_THROUGH = {"Identity", "Cast", "Squeeze", "Unsqueeze", "Flatten", "Reshape", "Transpose", "Clip", "Round"}


class Tensor(Strict):
    """One input or output as declared. A size of None is decided by the input at run time."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None = None

    @property
    def rank(self) -> int | None:
        return None if self.shape is None else len(self.shape)

    def side(self, axis: int) -> int | None:
        if self.shape is None or not -len(self.shape) <= axis < len(self.shape):
            return None
        return self.shape[axis]


class Output(Tensor):
    made_by: str = ""  # the operator behind it that computes something: Softmax, Gemm …
    times: float | None = None  # where that is a multiplication with one number


class Graph(Strict):
    inputs: tuple[Tensor, ...]
    outputs: tuple[Output, ...]
    metadata: dict[str, Any]
    producer: str
    opset: int
    nodes: int
    external: tuple[str, ...] = ()  # names of the files beside it that hold weights, checked
    scales_own_pixels: bool = False  # the first thing it does with a picture is arithmetic with constants

    def output(self, name: str) -> Output | None:
        return next((output for output in self.outputs if output.name == name), None)


def read_graph(file: Path, *, beside: Path | None = None) -> Graph:
    """Read and check the graph in a child process, so that a file made to hurt hurts nobody.

    Weights of its own that it keeps in other files are looked for in the folder `beside`, else where it lies itself.
    """
    size = check_kind(file)
    try:
        told = run_contained(
            "retinue.vision.importing.graph:tell",
            {"file": str(file.absolute()), "beside": str((beside or file.parent).absolute())},
            cpu_s=60,
            wall_s=120,
            memory_bytes=1024 * MIB + 4 * size,
        )
    except ChildDied as death:
        if death.reason == "memory":
            raise ModelTooBig("The model's structure takes more memory to read than is allowed.") from death
        raise ModelRefused("The file could not be read as an ONNX graph.") from death
    return Graph.model_validate(told)


def check_kind(file: Path) -> int:
    """Refuse by size and first bytes what cannot be an ONNX file; gives the size in bytes."""
    if not file.is_file():
        raise NotAModel("There is no such file, or it is no ordinary file.")
    size = file.stat().st_size
    if size > MAX_FILE_BYTES:
        raise ModelTooBig("The model is larger than 2 GiB.")
    if size == 0:
        raise ModelRefused("The file is empty.")
    with file.open("rb") as stream:
        head = stream.read(64)
    for magic, words in FOREIGN.items():
        if head.lstrip(b" \r\n\t\xef\xbb\xbf").startswith(magic):
            raise NotAModel(f"This is {words}. Export the model to ONNX first.")
    return size


def tell(payload: dict[str, Any]) -> dict[str, Any]:
    """The child's part: parse, check, and say in plain values what is inside."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    from retinue.vision.importing.graph_check import check_graph

    file = Path(payload["file"])
    model = onnx.ModelProto()
    content = file.read_bytes()
    try:
        model.ParseFromString(content)
    except DecodeError:
        if content.startswith(b"\x08"):  # the tag that every ONNX file begins with
            raise ModelRefused("The ONNX file is broken or cut short.") from None
        raise NotAModel("This file is no ONNX model.") from None
    del content
    try:
        external = check_graph(model, Path(payload["beside"]))
        return _as_graph(model, external).model_dump(mode="json")
    except UnicodeError:
        raise ModelRefused("The graph holds names that are not text.") from None


def _as_graph(model: "ModelProto", external: tuple[str, ...]) -> Graph:
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    inputs = [value for value in graph.input if value.name not in weights]
    return Graph(
        inputs=tuple(Tensor(**_declared(value)) for value in inputs),
        outputs=tuple(Output(**_declared(value), **_origin(value.name, makers, graph)) for value in _ranked(model)),
        metadata={entry.key: _parsed(entry.key, entry.value) for entry in model.metadata_props},
        producer=f"{model.producer_name} {model.producer_version}".strip()[:100],
        opset=max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")),
        nodes=len(graph.node),
        external=external,
        scales_own_pixels=bool(inputs) and _scales_own_pixels(inputs[0].name, graph),
    )


def _ranked(model: "ModelProto") -> Iterator["ValueInfoProto"]:
    """The outputs, with shapes worked out where the exporter left them out."""
    if all(output.type.tensor_type.HasField("shape") for output in model.graph.output):
        yield from model.graph.output
    else:
        from onnx.shape_inference import InferenceError, infer_shapes

        try:
            yield from infer_shapes(model).graph.output
        except InferenceError:
            yield from model.graph.output


def _declared(value: "ValueInfoProto") -> dict[str, Any]:
    from onnx import helper

    kind = value.type.tensor_type
    shape = None
    if kind.HasField("shape"):
        shape = tuple(side.dim_value if side.dim_value > 0 else None for side in kind.shape.dim)
    return {"name": value.name, "dtype": helper.tensor_dtype_to_np_dtype(kind.elem_type).name, "shape": shape}


def _origin(name: str, makers: dict[str, "NodeProto"], graph: "GraphProto") -> dict[str, Any]:
    """Walk back from an output through operators that only move numbers."""
    for _ in range(16):
        node = makers.get(name)
        if node is None:
            return {}
        if node.op_type not in SEE_THROUGH:
            times = _constant_of(node, makers, graph) if node.op_type == "Mul" else None
            return {"made_by": node.op_type, "times": times}
        name = node.input[0]
    return {}


def _scales_own_pixels(name: str, graph: "GraphProto") -> bool:
    """True where the picture is first divided by about 255, or has a mean of about 128 taken off: a Keras `Rescaling`
    layer or a normalisation built in at export."""
    makers = {output: node for node in graph.node for output in node.output}
    for _ in range(8):
        readers = [node for node in graph.node if name in node.input]
        if len(readers) != 1:
            return False
        reader = readers[0]
        if reader.op_type in SEE_THROUGH:
            name = reader.output[0]
            continue
        constant = _constant_of(reader, makers, graph)
        if constant is None:
            return False
        return {"Mul": 0 < constant < 0.1, "Div": constant > 10, "Sub": constant > 10, "Add": constant < -10}.get(
            reader.op_type, False
        )
    return False


def _constant_of(node: "NodeProto", makers: dict[str, "NodeProto"], graph: "GraphProto") -> float | None:
    """The mean of the small constant that a node computes with, if it does."""
    from onnx import numpy_helper

    for name in node.input:
        tensor: TensorProto | None = next((one for one in graph.initializer if one.name == name), None)
        maker = makers.get(name)
        if tensor is None and maker is not None and maker.op_type == "Constant":
            tensor = next((attribute.t for attribute in maker.attribute if attribute.name == "value"), None)
        if tensor is not None and not tensor.external_data:
            values = numpy_helper.to_array(tensor)
            if 0 < values.size <= 16 and values.dtype.kind == "f":
                return float(values.mean())
    return None


def _parsed(key: str, value: str) -> Any:
    """Python literals as Ultralytics writes them, never evaluated; everything else stays text."""
    if key not in LITERALS:
        return value[:4096]
    if len(value) > MAX_LITERAL_BYTES:
        raise ModelTooBig(f"What the file says under “{key}” is larger than {MAX_LITERAL_BYTES // MIB} MiB.")
    try:
        return json.loads(json.dumps(ast.literal_eval(value), allow_nan=False))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        if key == "names":
            raise ModelRefused("What the file says under “names” is no list of class names.") from None
        return value[:4096]
