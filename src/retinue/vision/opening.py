"""The library's front door for one model: open it by name, folder or file, and ask it about pictures."""

import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retinue.vision.asking import Asked
from retinue.vision.errors import NoSuchModel
from retinue.vision.images import Image, Opened, decode
from retinue.vision.model import Mask, Model, Prepared, open_session
from retinue.vision.package import MANIFEST, Package, read_package
from retinue.vision.results import HeatMap, Result, Seen, Timing

if TYPE_CHECKING:
    from retinue.vision.importing import Told

PLAIN = Asked()
GivenPicture: TypeAlias = bytes | str | Path | NDArray[np.uint8] | Image | Opened  # a str is a path
GivenMask: TypeAlias = bytes | str | Path | Mask


class OpenModel:
    """One model for one caller at a time; `Engine` serves many."""

    def __init__(self, model: Model, *, behind: ExitStack | None = None) -> None:
        """`behind` is closed with the model: what it was opened from."""
        self.model = model
        self._behind = behind or ExitStack()

    @property
    def package(self) -> Package:
        return self.model.package

    def predict(self, picture: GivenPicture, *, mask: GivenMask | None = None, asked: Asked = PLAIN) -> Seen:
        started = time.perf_counter()
        image = read_picture(picture, self.package)
        prepared = self.model.prepare(image, read_mask(mask, image))
        decoded = time.perf_counter()
        outputs = self.model.forward([prepared])[0]
        result = self.model.read(outputs, prepared, asked)
        answered = time.perf_counter()
        heat_map = explained(self.model, image, prepared, result, asked)
        total_ms = (time.perf_counter() - started) * 1e3
        timing = Timing((decoded - started) * 1e3, 0.0, (answered - decoded) * 1e3, total_ms)
        return Seen(result, image.width, image.height, timing, heat_map)

    def close(self) -> None:
        self.model.close()
        self._behind.close()

    def __enter__(self) -> "OpenModel":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def open_model(wanted: str | Path, *, told: "Told | None" = None, threads: int | None = None) -> OpenModel:
    """A package's folder, an ONNX export, or a built-in model by its name.

    `told` says what an export does not say of itself. The model uses all the processors this process may use.
    """
    with ExitStack() as behind:
        package = _package(wanted, told, behind)
        model = open_session(package, threads=threads or len(os.sched_getaffinity(0)))
        return OpenModel(model, behind=behind.pop_all())


def explained(model: Model, image: Image, prepared: Prepared, result: Result, asked: Asked) -> HeatMap | None:
    """The heat map, where one was asked for."""
    if asked.explain is None:
        return None
    from retinue.vision.saliency import explain

    return explain(model, image, prepared, result, asked)


def read_mask(mask: GivenMask | None, image: Image) -> Mask | None:
    """Files are cleaned to two values and have to be as large as their picture; arrays are taken as they are."""
    if mask is None or isinstance(mask, np.ndarray):
        return mask
    from retinue.vision.masks import clean_mask

    data = Path(mask).read_bytes() if isinstance(mask, str | Path) else mask
    return clean_mask(data, width=image.width, height=image.height)


def read_picture(picture: GivenPicture, package: Package) -> Image:
    """Whatever a caller has in hand, as a picture; a JPEG at a fraction of its size where the manifest allows it."""
    if isinstance(picture, Image):
        return picture
    if isinstance(picture, np.ndarray):
        return Image.of(picture)
    short_side = decode_short_side(package)
    if isinstance(picture, Opened):
        return picture.decode(short_side=short_side)
    data = Path(picture).read_bytes() if isinstance(picture, str | Path) else picture
    return decode(data, short_side=short_side)


def decode_short_side(package: Package) -> int | None:
    """How many pixels the short side of a scaled decode has to keep; None where the manifest wants every pixel."""
    frame = package.manifest.frame
    if frame is None or not frame.scaled_decode or package.task == "inpaint":  # its answer has every pixel
        return None
    return max(frame.short_side or 0, frame.width, frame.height)


def _package(wanted: str | Path, told: "Told | None", behind: ExitStack) -> Package:
    path = Path(wanted)
    if (path / MANIFEST).is_file():
        return read_package(path)
    if path.exists():
        from retinue.vision.importing import import_model

        folder = behind.enter_context(tempfile.TemporaryDirectory(prefix="retinue-"))
        return import_model(path, Path(folder) / "package", told=told)
    from retinue.vision.builtin import builtin_packages, default_cache

    try:
        return builtin_packages(default_cache())[str(wanted)]
    except KeyError:
        raise NoSuchModel(f"There is neither a built-in model nor a package “{path.name}”.") from None
