"""A model on disk: a folder with `manifest.json` and the weights it names, told apart by checksum.

The manifest says everything that turns a picture into the network's numbers and the network's numbers into an
answer, so that two machines with one package give the same answer.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Task: TypeAlias = Literal["classify", "detect", "segment", "inpaint"]
MANIFEST = "manifest.json"


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Filter: TypeAlias = Literal["nearest", "bilinear", "bicubic", "lanczos", "area"]


class Frame(Strict):
    """How a picture is brought into the network's frame. The filter is part of the model: the same weights lose a
    point of accuracy under another bicubic."""

    mode: Literal["stretch", "crop", "letterbox", "within"] = Field(
        description="stretch: to width × height; crop: short side to `short_side`, then the centre; letterbox: fit and "
        "pad; within: short side to `short_side` but the long side at most max(width, height), no padding"
    )
    width: int = Field(gt=0, le=16384)
    height: int = Field(gt=0, le=16384)
    short_side: int | None = Field(default=None, gt=0, le=16384)
    library: Literal["pillow", "opencv"] = "pillow"
    filter: Filter = "bilinear"
    antialias: bool = True
    pad_value: int = Field(default=114, ge=0, le=255)
    pad_at: Literal["centre", "end"] = "centre"
    crop_at: Literal["nearest", "floor"] = Field(
        default="nearest",
        description="crop: where half a pixel goes; torchvision and timm: nearest, Hugging Face: floor",
    )
    multiple_of: int = Field(default=1, ge=1, description="within: sides are rounded down to a multiple of this")
    scaled_decode: bool = Field(
        default=False,
        description="large JPEGs may be decoded at a fraction of their size: pixels move by 0.7 of 255 on average",
    )


class Numbers(Strict):
    """How pixels become the network's numbers: (pixel × scale − mean) ÷ std, per channel."""

    scale: float = 1 / 255
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    channels: Literal["rgb", "bgr"] = "rgb"
    layout: Literal["nchw", "nhwc"] = "nchw"
    dtype: Literal["float32", "float16", "uint8"] = "float32"


class Manifest(Strict):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$")
    task: Task
    labels: tuple[str, ...] = ()
    weights: str | None = Field(default=None, description="file name of the ONNX graph inside the package")
    sha256: str = Field(default="", description="of the weights file; of the recipe's name where there are no weights")
    inputs: tuple[str, ...] = Field(default=(), description="the picture's input first, then the mask's")
    frame: Frame | None = None
    numbers: Numbers | None = None
    head: str = Field(description="name of the reader in `heads`")
    head_parameters: dict[str, Any] = Field(default_factory=dict)
    max_batch: int | None = Field(default=None, description="largest batch the graph takes; None: any")
    thresholds: dict[str, float] = Field(default_factory=dict, description="confidence floor per class label")
    source: str = ""
    licence: str = ""
    description: str = ""
    quality: str = Field(default="", description="measured quality in one sentence, with its origin")
    price: int | None = Field(default=None, ge=0, description="price override, hundredths of a credit per picture")


@dataclass(frozen=True)
class Package:
    """One model in one folder."""

    folder: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def task(self) -> Task:
        return self.manifest.task

    @property
    def labels(self) -> tuple[str, ...]:
        return self.manifest.labels

    @property
    def weights(self) -> Path | None:
        return self.folder / self.manifest.weights if self.manifest.weights else None

    @cached_property
    def key(self) -> str:
        """Tells apart what gives different answers: the weights and how they are used."""
        told = self.manifest.model_dump_json(exclude={"source", "licence", "description", "quality", "price"})
        return hashlib.sha256(told.encode()).hexdigest()


def read_package(folder: Path) -> Package:
    return Package(folder, Manifest.model_validate_json((folder / MANIFEST).read_text("utf-8")))


def write_manifest(folder: Path, manifest: Manifest) -> Package:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(manifest.model_dump(mode="json", exclude_defaults=True), indent=1, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", "utf-8")
    return Package(folder, manifest)


def checksum(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
