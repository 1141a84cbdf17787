"""What a person says about a model beside its file: everything here wins over what the file says."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from retinue.vision.errors import FactsMissing
from retinue.vision.package import Frame, Manifest, Numbers, Task

Pixels: TypeAlias = Literal["raw", "unit", "signed", "imagenet"]
Triple: TypeAlias = tuple[float, float, float]

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
NO_MEAN: Triple = (0.0, 0.0, 0.0)
NO_STD: Triple = (1.0, 1.0, 1.0)

PIXELS: dict[Pixels, tuple[float, Triple, Triple]] = {
    "raw": (1.0, NO_MEAN, NO_STD),  # 0…255
    "unit": (1 / 255, NO_MEAN, NO_STD),  # 0…1
    "signed": (1 / 127.5, (1.0, 1.0, 1.0), NO_STD),  # −1…1
    "imagenet": (1 / 255, IMAGENET_MEAN, IMAGENET_STD),
}

QUESTIONS = {
    "labels": "labels (the class names, in the order of the network's outputs)",
    "task": "task (classify, detect, segment or inpaint)",
    "size": "size (width and height of the pictures the network was trained on)",
    "pixels": "pixels (raw, unit, signed or imagenet: how the network wants colours as numbers)",
    "name": "name (lower-case letters, digits, dots, dashes)",
    "file": "file (which of the ONNX files)",
}


@dataclass(frozen=True, slots=True)
class Told:
    """Unset means: as the file says, and if the file does not say it, ask."""

    labels: tuple[str, ...] | None = None
    task: Task | None = None
    name: str | None = None
    size: tuple[int, int] | None = None  # width, height
    fit: Literal["stretch", "crop", "letterbox"] | None = None
    short_side: int | None = None
    filter: Literal["nearest", "bilinear", "bicubic", "lanczos", "area"] | None = None
    library: Literal["pillow", "opencv"] | None = None
    pixels: Pixels | None = None
    scale: float | None = None
    mean: Triple | None = None
    std: Triple | None = None
    channels: Literal["rgb", "bgr"] | None = None
    thresholds: dict[str, float] | None = None
    file: str | None = None  # which ONNX file of a folder with several
    source: str | None = None
    licence: str | None = None
    description: str | None = None

    @property
    def says_pixels(self) -> bool:
        return any(value is not None for value in (self.pixels, self.scale, self.mean, self.std))


def ask_for(*missing: str) -> FactsMissing:
    """The error that asks for what nobody said yet, all at once."""
    wanted = "; ".join(QUESTIONS[name] for name in missing)
    return FactsMissing(f"The file does not say everything. Please add: {wanted}.", missing=missing)


def put_over(manifest: Manifest, told: Told) -> Manifest:
    """The manifest as the file has it, with what the person said put over it."""
    said = {
        name: value
        for name in ("thresholds", "source", "licence", "description")
        if (value := getattr(told, name)) is not None
    }
    return manifest.model_copy(
        update={**said, "frame": _frame(manifest.frame, told), "numbers": _numbers(manifest.numbers, told)}
    )


def _frame(frame: Frame | None, told: Told) -> Frame | None:
    if frame is None:
        return None
    said: dict[str, object] = {
        name: value for name in ("short_side", "filter", "library") if (value := getattr(told, name))
    }
    if told.fit and told.fit != frame.mode:
        said["mode"] = told.fit
        if told.fit == "crop" and not told.short_side:
            said["short_side"] = min(frame.width, frame.height)
    return Frame.model_validate({**frame.model_dump(), **said})


def _numbers(numbers: Numbers | None, told: Told) -> Numbers | None:
    if numbers is None:
        return None
    said: dict[str, object] = {}
    if told.pixels:
        said["scale"], said["mean"], said["std"] = PIXELS[told.pixels]
    said |= {name: value for name in ("scale", "mean", "std", "channels") if (value := getattr(told, name)) is not None}
    return Numbers.model_validate({**numbers.model_dump(), **said})
