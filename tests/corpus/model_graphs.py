"""The graphs and packages that the corpus of models is made of: a sound classifier, and one fault in each copy."""

import os
import pickle
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

NAMES = {0: "wrench", 1: "pliers", 2: "hammer"}
SECRET = b"CANARY-5f1c " * 4  # 48 bytes: what a weight of 12 floats would read


def secret_beside(folder: Path) -> Path:
    """The file that no model may read: one level above what is handed in."""
    file = folder.parent / "secret.bin"
    file.write_bytes(SECRET)
    return file


def classifier(
    *,
    nodes: list[onnx.NodeProto] | None = None,
    weights: list[onnx.TensorProto] | None = None,
    inputs: list[onnx.ValueInfoProto] | None = None,
    outputs: list[onnx.ValueInfoProto] | None = None,
    names: Any = None,
    opset: int = 17,
    domains: tuple[str, ...] = (),
) -> onnx.ModelProto:
    """A small classifier as Ultralytics exports it: the mean of each colour, softmaxed. Any part can be replaced."""
    graph = helper.make_graph(
        nodes or mean_colours(),
        "main_graph",
        [picture()] if inputs is None else inputs,
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 3])] if outputs is None else outputs,
        weights or [],
    )
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    model = helper.make_model(graph, opset_imports=imports, producer_name="pytorch")
    model.ir_version = 8
    for key, value in {"task": "classify", "stride": 1, "names": NAMES if names is None else names}.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, str(value)
    return model


def picture(side: int | str = 32, dtype: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info("images", dtype, [1, 3, side, side])


def mean_colours(source: str = "images", target: str = "output0") -> list[onnx.NodeProto]:
    return [
        helper.make_node("GlobalAveragePool", [source], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Softmax", ["flat"], [target]),
    ]


def saved(model: onnx.ModelProto, folder: Path, name: str = "model.onnx") -> Path:
    file = folder / name
    file.write_bytes(model.SerializeToString())
    return file


def graph(**parts: Any) -> Callable[[Path], Path]:
    return lambda folder: saved(classifier(**parts), folder)


def content(data: bytes, name: str = "model.onnx") -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return make


def outside(location: str, *, sides: tuple[int, ...] = (3, 4), **more: str) -> onnx.ModelProto:
    """A classifier whose weight is said to lie in another file; it would be added to the scores."""
    weight = TensorProto(name="outside", data_type=TensorProto.FLOAT, dims=sides, data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **more}.items():
        entry = weight.external_data.add()
        entry.key, entry.value = key, value
    nodes = [
        *mean_colours(target="scores"),
        helper.make_node("ReduceMean", ["outside"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("Add", ["scores", "mean"], ["output0"]),
    ]
    return classifier(nodes=nodes, weights=[weight])


def pointing(location: str, **more: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        secret_beside(folder)
        return saved(outside(location, **more), folder)

    return make


def at_absolute_path(folder: Path) -> Path:
    return saved(outside(str(secret_beside(folder))), folder)


def behind_symbolic_link(folder: Path) -> Path:
    (folder / "weights.bin").symlink_to(secret_beside(folder))
    saved(outside("weights.bin"), folder)
    return folder


def behind_hard_link(folder: Path) -> Path:
    os.link(secret_beside(folder), folder / "weights.bin")
    saved(outside("weights.bin"), folder)
    return folder


def in_a_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "weights.bin")
    saved(outside("weights.bin"), folder)
    return folder


def cut_short(folder: Path) -> Path:
    (folder / "weights.bin").write_bytes(bytes(40))
    saved(outside("weights.bin"), folder)
    return folder


def named_twice(folder: Path) -> Path:
    model = outside("weights.bin")
    entry = model.graph.initializer[0].external_data.add()
    entry.key, entry.value = "location", "../secret.bin"
    (folder / "weights.bin").write_bytes(bytes(48))
    secret_beside(folder)
    saved(model, folder)
    return folder


def in_an_attribute(folder: Path) -> Path:
    """The outside weight sits in an operator's attribute, not among the initializers."""
    secret_beside(folder)
    model = outside("../secret.bin")
    weight = model.graph.initializer.pop()
    model.graph.node.insert(0, helper.make_node("Constant", [], ["outside"], value=weight))
    return saved(model, folder)


def in_a_branch(op_type: str, domain: str) -> onnx.ModelProto:
    """An operator hidden inside the branch of an `If`."""
    branch = helper.make_graph(
        [helper.make_node(op_type, ["scores"], ["branched"], domain=domain)],
        "branch",
        [],
        [helper.make_tensor_value_info("branched", TensorProto.FLOAT, [1, 3])],
    )
    nodes = [
        *mean_colours(target="scores"),
        helper.make_node("If", ["yes"], ["output0"], then_branch=branch, else_branch=branch),
    ]
    yes = numpy_helper.from_array(np.array(True), "yes")
    return classifier(nodes=nodes, weights=[yes], domains=(domain,) if domain else ())


def in_a_function(folder: Path) -> Path:
    """The foreign operator is the body of a function that the model brings along."""
    nodes = [*mean_colours(target="scores"), helper.make_node("Mine", ["scores"], ["output0"], domain="local")]
    model = classifier(nodes=nodes, domains=("local", "evil.ops"))
    model.ir_version = 10
    body = [helper.make_node("Steal", ["x"], ["y"], domain="evil.ops")]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("evil.ops", 1)]
    model.functions.append(helper.make_function("local", "Mine", ["x"], ["y"], body, opsets))
    return saved(model, folder)


def with_weight_of(sides: list[int], data: bytes) -> onnx.ModelProto:
    weight = TensorProto(name="weight", data_type=TensorProto.FLOAT, dims=sides, raw_data=data)
    nodes = [
        *mean_colours(target="scores"),
        helper.make_node("ReduceMean", ["weight"], ["mean"], keepdims=0),
        helper.make_node("Add", ["scores", "mean"], ["output0"]),
    ]
    return classifier(nodes=nodes, weights=[weight])


def _swelling(*nodes: onnx.NodeProto, weights: dict[str, Any]) -> onnx.ModelProto:
    """A classifier that adds the mean of something huge, made from “tiny”, a number that depends on the picture."""
    first = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[0, 1, 2, 3], keepdims=0),
        helper.make_node("Cast", ["mean"], ["tiny"], to=TensorProto.FLOAT),
    ]
    last = [
        helper.make_node("ReduceMean", ["huge"], ["swollen"], keepdims=0),
        *mean_colours(target="scores"),
        helper.make_node("Add", ["scores", "swollen"], ["output0"]),
    ]
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()]
    return classifier(nodes=[*first, *nodes, *last], weights=tensors)


def constant_of(sides: list[int]) -> onnx.ModelProto:
    return _swelling(helper.make_node("ConstantOfShape", ["sides"], ["huge"]), weights={"sides": np.array(sides)})


def expanding() -> onnx.ModelProto:
    sides = np.array([100_000, 100_000], np.int64)
    return _swelling(helper.make_node("Expand", ["tiny", "sides"], ["huge"]), weights={"sides": sides})


def tiling() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Reshape", ["tiny", "flat_shape"], ["row"]),
        helper.make_node("Tile", ["row", "times"], ["huge"]),
    ]
    return _swelling(*nodes, weights={"flat_shape": np.array([1]), "times": np.array([10**10])})


def ranging() -> onnx.ModelProto:
    numbers = {"from": np.float32(0), "to": np.float32(1e10), "step": np.float32(1)}
    nodes = [
        helper.make_node("Add", ["to", "tiny"], ["end"]),
        helper.make_node("Range", ["from", "end", "step"], ["huge"]),
    ]
    return _swelling(*nodes, weights=numbers)


def resizing() -> onnx.ModelProto:
    node = helper.make_node("Resize", ["images", "", "scales"], ["huge"], mode="nearest")
    return _swelling(node, weights={"scales": np.array([1, 1, 2000, 2000], np.float32)})


def endless() -> onnx.ModelProto:
    """A loop whose condition never turns false."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["still_going"]),
            helper.make_node("Add", ["before", "before"], ["after"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("count", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, [1, 3]),
        ],
        [
            helper.make_tensor_value_info("still_going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, [1, 3]),
        ],
    )
    nodes = [
        *mean_colours(target="scores"),
        helper.make_node("Loop", ["most", "yes", "scores"], ["output0"], body=body),
    ]
    weights = [
        numpy_helper.from_array(np.array(2**63 - 1, np.int64), "most"),
        numpy_helper.from_array(np.array(True), "yes"),
    ]
    return classifier(nodes=nodes, weights=weights)


def chain_of(count: int) -> onnx.ModelProto:
    steps = [helper.make_node("Relu", [f"x{n}" if n else "scores"], [f"x{n + 1}"]) for n in range(count)]
    return classifier(
        nodes=[*mean_colours(target="scores"), *steps, helper.make_node("Identity", [f"x{count}"], ["output0"])]
    )


def nested(depth: int) -> onnx.ModelProto:
    branch = _flat_branch(0)
    for n in range(1, depth):
        inner = helper.make_node("If", ["yes"], [f"out{n}"], then_branch=branch, else_branch=_flat_branch(n))
        branch = helper.make_graph(
            [inner], "b", [], [helper.make_tensor_value_info(f"out{n}", TensorProto.FLOAT, [1, 3])]
        )
    nodes = [
        *mean_colours(target="scores"),
        helper.make_node("If", ["yes"], ["output0"], then_branch=branch, else_branch=_flat_branch(depth)),
    ]
    return classifier(nodes=nodes, weights=[numpy_helper.from_array(np.array(True), "yes")])


def _flat_branch(n: int) -> onnx.GraphProto:
    value = helper.make_tensor_value_info(f"flat{n}", TensorProto.FLOAT, [1, 3])
    return helper.make_graph([helper.make_node("Identity", ["scores"], [f"flat{n}"])], "flat", [], [value])


def answering(operator: str, *inputs: str, **numbers: float) -> onnx.ModelProto:
    weights = [numpy_helper.from_array(np.float32(value), name) for name, value in numbers.items()]
    nodes = [*mean_colours(target="scores"), helper.make_node(operator, ["scores", *inputs], ["output0"])]
    return classifier(nodes=nodes, weights=weights)


def other_shape() -> onnx.ModelProto:
    """Declares three scores and gives six; how many can only be known by running it."""
    nodes = [
        *mean_colours(target="scores"),
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["once_and_twice", "nothing"], ["numbers"]),
        helper.make_node("Cast", ["numbers"], ["times"], to=TensorProto.INT64),
        helper.make_node("Tile", ["scores", "times"], ["output0"]),
    ]
    weights = {"zero": np.float32(0), "once_and_twice": np.array([1, 2], np.float32)}
    return classifier(nodes=nodes, weights=[numpy_helper.from_array(value, name) for name, value in weights.items()])


def without_inputs() -> onnx.ModelProto:
    constant = helper.make_node("Constant", [], ["output0"], value=numpy_helper.from_array(np.ones((1, 3), np.float32)))
    return classifier(nodes=[constant], inputs=[])


def from_the_future() -> onnx.ModelProto:
    model = classifier()
    model.ir_version = 9999
    return model


def one_colour() -> onnx.ModelProto:
    grey = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 1, 32, 32])
    one = helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 1])
    return classifier(inputs=[grey], outputs=[one], names={0: "grey"})


def nodes_without_end(count: int) -> bytes:
    """Two bytes each in the file, a hundred in memory: format version, then a graph of `count` empty nodes."""
    body = bytes([0x0A, 0]) * count
    length, left = b"", len(body)
    while left:
        length += bytes([left & 0x7F | (0x80 if left > 0x7F else 0)])
        left >>= 7
    return b"\x08\x08\x3a" + length + body


def many_outputs(count: int) -> onnx.ModelProto:
    nodes = [*mean_colours(), *(helper.make_node("Identity", ["output0"], [f"out{n}"]) for n in range(count))]
    names = ["output0", *(f"out{n}" for n in range(count))]
    return classifier(
        nodes=nodes, outputs=[helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in names]
    )


def sequence_input() -> onnx.ModelProto:
    sequence = helper.make_tensor_sequence_value_info("images", TensorProto.FLOAT, [1, 3, 32, 32])
    nodes = [
        helper.make_node("ConcatFromSequence", ["images"], ["joined"], axis=0),
        *mean_colours("joined"),
    ]
    return classifier(nodes=nodes, inputs=[sequence])


def zipped(*entries: tuple[str, bytes | None], links: tuple[str, ...] = ()) -> Callable[[Path], Path]:
    """A package as a ZIP file; an entry without content is the small classifier."""

    def make(folder: Path) -> Path:
        file = folder / "package.zip"
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, data in entries:
                packed.writestr(name, classifier().SerializeToString() if data is None else data)
            for name in links:
                link = zipfile.ZipInfo(name)
                link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
                packed.writestr(link, "/etc/passwd")
        return file

    return make


def encrypted_package(folder: Path) -> Path:
    file = zipped(("model.onnx", None))(folder)
    data = bytearray(file.read_bytes())
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + at] |= 1
    file.write_bytes(data)
    return file


def swelling_package(folder: Path) -> Path:
    return zipped(("model.onnx", None), ("labels.txt", bytes(64 << 20)))(folder)


def checkpoint(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "model.pt", "w") as packed:
        packed.writestr("archive/data.pkl", pickle.dumps({"weights": 1}))
        packed.writestr("archive/version", "3")
    return folder / "model.pt"


class Runs:
    """A pickle that would make a folder if anybody loaded it."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("retinue-was-here",)


def any_batch() -> onnx.ModelProto:
    several = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, 32, 32])
    scores = helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["batch", 3])
    return classifier(inputs=[several], outputs=[scores])


def scoring(count: int) -> onnx.ModelProto:
    weight = numpy_helper.from_array(np.zeros((3, count), np.float32), "kernel")
    nodes = [*mean_colours(target="colours"), helper.make_node("MatMul", ["colours", "kernel"], ["output0"])]
    scores = helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, count])
    return classifier(nodes=nodes, weights=[weight], outputs=[scores], names={n: f"class {n}" for n in range(count)})


def beside_it(folder: Path) -> Path:
    """Weights outside the graph, inside the package, as exporters do above 2 GB: two tensors would share the file."""
    (folder / "model.onnx_data").write_bytes(bytes(64) + np.arange(12, dtype=np.float32).tobytes())
    saved(outside("model.onnx_data", offset="64", length="48"), folder)
    return folder


def beside_it_zipped(folder: Path) -> Path:
    inside = folder / "inside"
    inside.mkdir()
    beside_it(inside)
    return zipped(*((file.name, file.read_bytes()) for file in sorted(inside.iterdir())))(folder)
