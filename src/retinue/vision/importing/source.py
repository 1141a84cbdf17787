"""Finds the one ONNX file in what a person brought (file, folder, ZIP) and the descriptions that lie beside it."""

import contextlib
import itertools
import json
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from retinue.vision.errors import ModelRefused, ModelTooBig, NotAModel
from retinue.vision.importing.graph import MAX_FILE_BYTES
from retinue.vision.importing.told import Told, ask_for
from retinue.vision.package import MANIFEST

MAX_DESCRIPTION_BYTES = 8 << 20  # config.json with 21,841 class names is 2 MB
MAX_ENTRIES = 64
MAX_RATIO = 100  # deflate's own ceiling is 1032:1; weights hardly shrink at all
CHUNK_BYTES = 1 << 20

DESCRIPTIONS = ("config.json", "preprocessor_config.json", MANIFEST)
LABEL_FILES = ("labels.txt", "classes.txt")
CARD = "README.md"
WEIGHTS_ENDINGS = (".onnx", ".onnx_data", ".onnx.data", ".data", ".bin", ".weights", ".pb")
OTHER_ENDINGS = (".json", ".txt", ".md", ".yaml", ".yml", ".license", ".pbtxt")
# Folders in which exporters put the graph, below the folder that holds the descriptions.
GRAPH_FOLDERS = (".", "onnx")


@dataclass(frozen=True, slots=True)
class Source:
    """The graph's file, and what was found beside it."""

    graph: Path
    name: str  # as the person knows it, without the ending
    descriptions: dict[str, dict[str, Any]] = field(default_factory=dict)
    labels: tuple[str, ...] | None = None
    card: str = ""


@contextlib.contextmanager
def open_source(path: Path, *, told: Told) -> Iterator[Source]:
    """Look at a file, a folder or a ZIP file; an unpacked ZIP is gone when the block ends."""
    if path.is_dir():
        yield _in_folder(path, told=told, name=path.resolve().name)
    elif path.is_file() and _is_zip(path):
        with tempfile.TemporaryDirectory(prefix="model-") as folder:
            unpack(path, Path(folder))
            yield _in_folder(Path(folder), told=told, name=path.stem)
    elif path.suffix == ".onnx" and path.parent.is_dir():
        yield _described(path, beside=_describing_folder(path), name=path.stem)
    else:
        yield Source(path, name=path.stem)


def unpack(archive: Path, into: Path) -> None:
    """Unpack a model package: a handful of flat, ordinary files of known kinds, else nothing at all."""
    try:
        with zipfile.ZipFile(archive) as packed:
            entries = [entry for entry in packed.infolist() if not entry.is_dir()]
            _check_entries(entries)
            left = MAX_FILE_BYTES
            for entry in entries:
                left -= _unpack_one(packed, entry, into / _place(entry), limit=left)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError):
        raise ModelRefused("The ZIP file is broken.") from None


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MAX_ENTRIES:
        raise ModelRefused(f"A model package holds at most {MAX_ENTRIES} files.")
    for entry in entries:
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise ModelRefused("The package holds a link or a device, not only files.")
        if entry.flag_bits & 1:
            raise ModelRefused("The package is encrypted.")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ModelRefused("The package is compressed in a way that Retinue does not read.")
        if entry.file_size > MAX_RATIO * max(entry.compress_size, 1024):
            raise ModelTooBig("The package swells more than a hundred times when unpacked.")
    if sum(entry.file_size for entry in entries) > MAX_FILE_BYTES:
        raise ModelTooBig("The package is larger than 2 GiB unpacked.")
    places = [str(_place(entry)).casefold() for entry in entries]
    if len(set(places)) < len(places):
        raise ModelRefused("The package holds two files of one name.")
    ends = sorted((entry.header_offset, entry.header_offset + entry.compress_size) for entry in entries)
    if any(start < end for (_, end), (start, _) in itertools.pairwise(ends)):
        raise ModelRefused("The package's files overlap.")


def _place(entry: zipfile.ZipInfo) -> Path:
    """Where an entry goes: one common root folder is dropped, `onnx/` kept; any other depth or way out is refused."""
    parts = PurePosixPath(entry.filename).parts
    escapes = entry.filename.startswith("/") or any(part == ".." or set(part) & set("\\:\0") for part in parts)
    if escapes or not parts:
        raise ModelRefused("The package holds a file whose name leads out of it.")
    folder = "onnx" if len(parts) > 1 and parts[-2] == "onnx" else ""
    if len(parts) > 3 or not parts[-1].lower().endswith((*WEIGHTS_ENDINGS, *OTHER_ENDINGS)):
        if parts[-1] in (".DS_Store", "Thumbs.db", ".gitattributes", "LICENSE", "NOTICE") or parts[0] == "__MACOSX":
            return Path("__other__", *parts)
        raise ModelRefused("The package holds files that are no part of a model.")
    return Path("__other__", *parts) if parts[0] == "__MACOSX" else Path(folder, parts[-1])


def _unpack_one(packed: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, *, limit: int) -> int:
    if target.parts[-2:-1] == ("__other__",) or "__other__" in target.parts:
        return 0
    target.parent.mkdir(exist_ok=True)
    written = 0
    with packed.open(entry) as source, target.open("xb") as sink:
        while chunk := source.read(CHUNK_BYTES):
            written += len(chunk)
            if written > min(limit, entry.file_size):
                raise ModelTooBig("The package holds more than it says.")
            sink.write(chunk)
    return written


def _is_zip(path: Path) -> bool:
    with path.open("rb") as stream:
        if stream.read(4) != b"PK\x03\x04":
            return False
    if path.suffix.lower() != ".zip" and _is_checkpoint(path):
        raise NotAModel("This is a PyTorch checkpoint or a Keras model. Export it to ONNX first.")
    return True


def _is_checkpoint(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as packed:
            return not any(name.endswith(".onnx") for name in packed.namelist())
    except zipfile.BadZipFile:
        return False


def _in_folder(folder: Path, *, told: Told, name: str) -> Source:
    graphs = [file for below in GRAPH_FOLDERS for file in sorted((folder / below).glob("*.onnx"))]
    if told.file is not None:
        graphs = [file for file in graphs if told.file in (file.name, file.relative_to(folder).as_posix())]
    if not graphs:
        raise NotAModel("There is no ONNX file in it.")
    if len(graphs) > 1:
        raise ask_for("file")
    return _described(graphs[0], beside=folder, name=name)


def _describing_folder(graph: Path) -> Path:
    above = graph.parent.parent
    if (
        graph.parent.name == "onnx"
        and not (graph.parent / "config.json").is_file()
        and (above / "config.json").is_file()
    ):
        return above
    return graph.parent


def _described(graph: Path, *, beside: Path, name: str) -> Source:
    found = {file: _read_json(beside / file) for file in DESCRIPTIONS if (beside / file).is_file()}
    labels = next((_read_lines(beside / file) for file in LABEL_FILES if (beside / file).is_file()), None)
    card = _read_text(beside / CARD) if (beside / CARD).is_file() else ""
    return Source(graph, name=name, descriptions=found, labels=labels, card=card[:65_536])


def _read_json(file: Path) -> dict[str, Any]:
    try:
        said = json.loads(_read_text(file))
    except (ValueError, RecursionError):
        raise ModelRefused(f"{file.name} beside the model is no valid JSON.") from None
    if not isinstance(said, dict):
        raise ModelRefused(f"{file.name} beside the model does not describe one.")
    return said


def _read_lines(file: Path) -> tuple[str, ...]:
    return tuple(line.strip() for line in _read_text(file).splitlines() if line.strip())


def _read_text(file: Path) -> str:
    if file.stat().st_size > MAX_DESCRIPTION_BYTES:
        raise ModelTooBig(f"{file.name} beside the model is larger than {MAX_DESCRIPTION_BYTES >> 20} MiB.")
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ModelRefused(f"{file.name} beside the model is not text.") from None
