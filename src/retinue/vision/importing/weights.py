"""Copies a model's weights into a package as one file, whatever files they came in."""

import contextlib
import os
import shutil
from pathlib import Path

from retinue.vision.errors import ModelRefused, ModelTooBig
from retinue.vision.importing.graph import MAX_FILE_BYTES, Graph, check_kind, read_graph
from retinue.vision.importing.graph_check import external_facts, open_own_file, tensors

WEIGHTS = "model.onnx"


def copy_weights(graph: Path, into: Path) -> tuple[Path, Graph]:
    """The graph as one file in `into`, and what is in it. One file has one checksum, and no session ever has to open
    a second one. Only the copy is read, so nothing can be put in its place after the check."""
    check_kind(graph)
    copied = into / WEIGHTS
    shutil.copyfile(graph, copied)
    read = read_graph(copied, beside=graph.parent)
    if read.external:
        _merge(copied, beside=graph.parent, names=read.external)
        read = read_graph(copied)
    return copied, read


def _merge(copied: Path, *, beside: Path, names: tuple[str, ...]) -> None:
    """Put the weights that lie beside the graph into it. The child has checked names, links and sizes; each file is
    opened once, checked again as opened, and read from that descriptor only."""
    import onnx
    from google.protobuf.message import EncodeError  # type: ignore[import-untyped]

    model = onnx.load(copied, load_external_data=False)
    with contextlib.ExitStack() as opened:
        descriptors: dict[str, int] = {}
        for name in names:
            descriptors[name] = open_own_file(beside / name)
            opened.callback(os.close, descriptors[name])
        if sum(os.fstat(descriptor).st_size for descriptor in descriptors.values()) > MAX_FILE_BYTES:
            raise ModelTooBig("The model's weights are larger than 2 GiB.")
        for tensor in tensors(model):
            if tensor.external_data:
                facts = external_facts(tensor)
                tensor.raw_data = os.pread(descriptors[facts.name], facts.length, facts.offset)
                del tensor.external_data[:]
                tensor.data_location = tensor.DEFAULT
    try:
        copied.write_bytes(model.SerializeToString())
    except (EncodeError, ValueError):
        raise ModelRefused("The model's weights do not fit into one file of 2 GiB.") from None
