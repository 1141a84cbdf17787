"""Model files made to harm whoever opens them, and their harmless twins, generated: group E of the safety corpus."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from onnx import TensorProto, helper

from retinue.vision.errors import (
    ExternalDataRefused,
    FactsMissing,
    ModelRefused,
    ModelTooBig,
    NotAModel,
    UnsupportedOperator,
    VisionError,
)
from tests.corpus.model_graphs import (
    Runs,
    answering,
    any_batch,
    at_absolute_path,
    behind_hard_link,
    behind_symbolic_link,
    beside_it,
    beside_it_zipped,
    chain_of,
    checkpoint,
    classifier,
    constant_of,
    content,
    cut_short,
    encrypted_package,
    endless,
    expanding,
    from_the_future,
    graph,
    in_a_branch,
    in_a_function,
    in_a_pipe,
    in_an_attribute,
    many_outputs,
    mean_colours,
    named_twice,
    nested,
    one_colour,
    other_shape,
    picture,
    pointing,
    ranging,
    resizing,
    saved,
    scoring,
    sequence_input,
    swelling_package,
    tiling,
    with_weight_of,
    without_inputs,
    zipped,
)


@dataclass(frozen=True)
class Hostile:
    """`make` writes the model below a folder of its own, beside which lies a secret, and gives what is handed in.

    `falls` says where it has to be stopped: before any session is opened, or in the trial run.
    """

    name: str
    make: Callable[[Path], Path]
    expected: tuple[type[VisionError], ...] = (ModelRefused,)
    falls: Literal["import", "trial"] = "import"


@dataclass(frozen=True)
class Benign:
    name: str
    make: Callable[[Path], Path]
    labels: int = 3


EVIL = [helper.make_node("Steal", ["images"], ["stolen"], domain="evil.ops"), *mean_colours("stolen")]

HOSTILE = [
    Hostile("weights above the folder", pointing("../secret.bin"), (ExternalDataRefused,)),
    Hostile("weights out by a detour", pointing("sub/../../secret.bin"), (ExternalDataRefused,)),
    Hostile("weights at an absolute path", at_absolute_path, (ExternalDataRefused,)),
    Hostile("weights behind backslashes", pointing("..\\secret.bin"), (ExternalDataRefused,)),
    Hostile("weights on a drive", pointing("C:/secret.bin"), (ExternalDataRefused,)),
    Hostile("weights behind a question mark", pointing("?/../secret.bin"), (ExternalDataRefused,)),
    Hostile("weights behind a symbolic link", behind_symbolic_link, (ExternalDataRefused,)),
    Hostile("weights behind a hard link", behind_hard_link, (ExternalDataRefused,)),
    Hostile("weights from the working directory", pointing("pyproject.toml"), (ExternalDataRefused,)),
    Hostile("weights nowhere named", pointing(""), (ExternalDataRefused,)),
    Hostile("weights in a device", pointing("/dev/zero", length=str(8 << 30)), (ExternalDataRefused,)),
    Hostile("weights in a pipe", in_a_pipe, (ExternalDataRefused,)),
    Hostile("weights cut short", cut_short, (ExternalDataRefused,)),
    Hostile("weights named twice", named_twice, (ExternalDataRefused,)),
    Hostile("weights in an attribute", in_an_attribute, (ExternalDataRefused,)),
    Hostile("weights with the key __class__", pointing("w.bin", __class__="x"), (ExternalDataRefused,)),
    Hostile("weights with the key basepath", pointing("secret.bin", basepath=".."), (ExternalDataRefused,)),
    Hostile("weights at a negative offset", pointing("w.bin", offset="-8"), (ExternalDataRefused,)),
    Hostile("weights at an offset of 5,000 digits", pointing("w.bin", offset="9" * 5000), (ExternalDataRefused,)),
    Hostile("a foreign operator", graph(nodes=EVIL, domains=("evil.ops",)), (UnsupportedOperator,)),
    Hostile(
        "a foreign operator in a branch",
        lambda folder: saved(in_a_branch("Steal", "evil.ops"), folder),
        (UnsupportedOperator,),
    ),
    Hostile("a foreign operator in a function", in_a_function, (UnsupportedOperator,)),
    Hostile(
        "an operator that opens a compiled engine",
        lambda folder: saved(in_a_branch("EPContext", "com.microsoft"), folder),
        (UnsupportedOperator,),
    ),
    Hostile(
        "an operator that does not exist",
        graph(nodes=[helper.make_node("Steal", ["images"], ["stolen"]), *mean_colours("stolen")]),
        (UnsupportedOperator,),
    ),
    Hostile("a weight of 2⁴⁰ numbers in 16 bytes", lambda folder: saved(with_weight_of([2**40], bytes(16)), folder)),
    Hostile("a weight whose size overflows", lambda folder: saved(with_weight_of([2**32, 2**32], bytes(16)), folder)),
    Hostile("a weight of negative size", lambda folder: saved(with_weight_of([-4], bytes(16)), folder)),
    Hostile("a weight too short", lambda folder: saved(with_weight_of([5], bytes(16)), folder)),
    Hostile("a weight too long", lambda folder: saved(with_weight_of([3], bytes(16)), folder)),
    Hostile(
        "2.5 TB made from a shape", lambda folder: saved(constant_of([100_000, 100_000, 64]), folder), falls="trial"
    ),
    Hostile("3 GiB made from a shape", lambda folder: saved(constant_of([3 << 28]), folder), falls="trial"),
    Hostile("a number expanded to 40 GB", lambda folder: saved(expanding(), folder), falls="trial"),
    Hostile("a number tiled to 40 GB", lambda folder: saved(tiling(), folder), falls="trial"),
    Hostile("a range of 40 GB", lambda folder: saved(ranging(), folder), falls="trial"),
    Hostile("a picture resized to 49 GB", lambda folder: saved(resizing(), folder), falls="trial"),
    Hostile("an endless loop", lambda folder: saved(endless(), folder), falls="trial"),
    Hostile("a pickle that runs code", content(pickle.dumps(Runs())), (NotAModel,)),
    Hostile("a PyTorch checkpoint", checkpoint, (NotAModel,)),
    Hostile("a Keras file", content(b"\x89HDF\r\n\x1a\n" + bytes(2000), "model.h5"), (NotAModel,)),
    Hostile("a web page", content(b"<!DOCTYPE html><title>404</title>"), (NotAModel,)),
    Hostile("a Git LFS pointer", content(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), (NotAModel,)),
    Hostile("nothing at all", content(b"")),
    Hostile("random bytes", content(np.random.default_rng(7).bytes(65_536)), (NotAModel, ModelRefused)),
    Hostile("zeros", content(bytes(65_536)), (NotAModel, ModelRefused)),
    Hostile("a graph cut short", content(classifier().SerializeToString()[:-40])),
    Hostile(
        "empty nodes without end",
        content(b"\x08\x08\x3a" + b"\x80\x80\x80\x10" + bytes([0x0A, 0]) * (16 << 20)),
        (ModelTooBig, ModelRefused),
    ),
    Hostile("an operator set of the future", graph(opset=9999)),
    Hostile("a format of the future", lambda folder: saved(from_the_future(), folder)),
    Hostile("250,000 nodes", lambda folder: saved(chain_of(250_000), folder), (ModelTooBig,)),
    Hostile("graphs nested 20 deep", lambda folder: saved(nested(20), folder)),
    Hostile("no inputs", lambda folder: saved(without_inputs(), folder)),
    Hostile("text as input", graph(inputs=[picture(dtype=TensorProto.STRING)])),
    Hostile("a sequence as input", lambda folder: saved(sequence_input(), folder)),
    Hostile("a picture of one colour", lambda folder: saved(one_colour(), folder)),
    Hostile("10,000 outputs", lambda folder: saved(many_outputs(10_000), folder)),
    Hostile(
        "answers that are no numbers", lambda folder: saved(answering("Div", "none", none=0.0), folder), falls="trial"
    ),
    Hostile(
        "answers that are not even infinite",
        lambda folder: saved(answering("Mul", "none", none=float("nan")), folder),
        falls="trial",
    ),
    Hostile("another shape than declared", lambda folder: saved(other_shape(), folder), falls="trial"),
    Hostile(
        "50 MB of class names",
        lambda folder: saved(classifier(names="{0: '" + "a" * (50 << 20) + "'}"), folder),
        (ModelTooBig,),
    ),
    Hostile("class names that call a function", graph(names="__import__('os').mkdir('retinue-was-here')")),
    Hostile("class names nested 100,000 deep", graph(names="[" * 100_000)),
    Hostile("class names with gaps", graph(names={0: "a", 2: "b", 5: "c"})),
    Hostile("class names equal but for case", graph(names={0: "Wrench", 1: "wrench", 2: "hammer"})),
    Hostile("class names equal but for Unicode form", graph(names={0: "caf\u00e9", 1: "cafe\u0301", 2: "x"})),
    Hostile("class names with control characters", graph(names={0: "a\x1b[31m", 1: "b", 2: "c"})),
    Hostile("fewer class names than scores", graph(names={0: "a", 1: "b"})),
    Hostile("a package that climbs out", zipped(("../model.onnx", None))),
    Hostile("a package with an absolute name", zipped(("/model.onnx", None))),
    Hostile("a package with backslashes", zipped(("..\\model.onnx", None))),
    Hostile("a package with two graphs", zipped(("a.onnx", None), ("b.onnx", None)), (FactsMissing,)),
    Hostile("a package with a library", zipped(("model.onnx", None), ("ops.so", b"\x7fELF"))),
    Hostile("a package with code", zipped(("model.onnx", None), ("model.py", b"import os"))),
    Hostile("a package with a link", zipped(("model.onnx", None), links=("labels.txt",))),
    Hostile("a package that swells", swelling_package, (ModelTooBig,)),
    Hostile("a package under a password", encrypted_package),
    Hostile(
        "a package cut short", lambda folder: content(zipped(("model.onnx", None))(folder).read_bytes()[:-30])(folder)
    ),
    Hostile("a package without a graph", zipped(("config.json", b"{}")), (NotAModel,)),
    Hostile("a package with broken JSON", zipped(("model.onnx", None), ("config.json", b"[" * 100_000))),
    Hostile("a package with a list for a description", zipped(("model.onnx", None), ("config.json", b"[1]"))),
]

LABELS_WITH_SIGNS = {n: f"part {n}, the 'small' \"one\"" for n in range(3)}
SCRIPTS = {0: "<script>alert(1)</script>", 1: "__import__('os').mkdir('retinue-was-here')", 2: "{{7*7}}"}

BENIGN = [
    Benign("the sound classifier", graph()),
    Benign("any number of pictures at once", lambda folder: saved(any_batch(), folder)),
    Benign("20,000 nodes", lambda folder: saved(chain_of(20_000), folder)),
    Benign("10,000 class names", lambda folder: saved(scoring(10_000), folder), labels=10_000),
    Benign("class names with commas and quotes", graph(names=LABELS_WITH_SIGNS)),
    Benign("class names that look like code", graph(names=SCRIPTS)),
    Benign("weights in a file of its own", beside_it),
    Benign("weights in a file of its own, zipped", beside_it_zipped),
    Benign("a zipped package", zipped(("model.onnx", None))),
    Benign(
        "a zipped package with a root folder and what computers leave in it",
        zipped(
            ("mine/", b""), ("mine/model.onnx", None), ("__MACOSX/mine/._model.onnx", b"x"), ("mine/.DS_Store", b"x")
        ),
    ),
    Benign("graphs nested 5 deep", lambda folder: saved(nested(5), folder)),
    Benign("an operator in a branch", lambda folder: saved(in_a_branch("Relu", ""), folder)),
    Benign("a small constant made from a shape", lambda folder: saved(constant_of([64]), folder)),
]
