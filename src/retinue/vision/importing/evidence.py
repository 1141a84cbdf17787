"""Everything that is known about one model before it is run, and the readings of it that all families share."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from retinue.vision.errors import ModelRefused
from retinue.vision.importing.graph import Graph, Tensor
from retinue.vision.importing.labels import check_labels
from retinue.vision.importing.source import Source
from retinue.vision.importing.told import Told, ask_for
from retinue.vision.package import Frame, Manifest, Numbers, Task

COLOURS = 3
PIXEL_MASK = "pixel_mask"  # which pixels are no padding: a batch here has one shape, so all of them
LICENCE_IN_CARD = re.compile(r"\A---\s*\n(?:(?!---).*\n){0,200}?license:\s*[\"']?([\w.+\- ]{1,80})", re.MULTILINE)


class Loose(BaseModel):
    """Part of a description that somebody else's tool wrote: what we read has its type, the rest is passed over, and
    null means not said."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def without_nulls(cls, said: Any) -> Any:
        return {key: value for key, value in said.items() if value is not None} if isinstance(said, dict) else said


@dataclass(frozen=True, slots=True)
class Evidence:
    graph: Graph
    source: Source
    told: Told

    @property
    def picture(self) -> Tensor:
        """The input that takes the picture."""
        fitting = [one for one in self.graph.inputs if one.rank in (None, 3, 4) and _layout(one) is not None]
        if not fitting:
            raise ModelRefused("The graph takes no picture with three colours.")
        return fitting[0]

    @property
    def layout(self) -> Literal["nchw", "nhwc"]:
        return _layout(self.picture) or "nchw"

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height, where the graph takes only one."""
        rank = self.picture.rank or 4
        first = rank - 2 if self.layout == "nchw" else rank - 3
        height, width = self.picture.side(first), self.picture.side(first + 1)
        return (width, height) if width and height else None

    @property
    def max_batch(self) -> int | None:
        return self.picture.side(0) if self.picture.rank == 4 else 1

    def description(self, name: str) -> dict[str, Any]:
        return self.source.descriptions.get(name, {})

    def labels(self, found: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if self.told.labels is not None:
            return check_labels(self.told.labels)
        return found if found is not None else self.source.labels and check_labels(self.source.labels)

    def frame(
        self, mode: Literal["stretch", "crop", "letterbox", "within"], size: tuple[int, int], **more: Any
    ) -> Frame:
        try:
            return Frame(mode=mode, width=size[0], height=size[1], **more)
        except ValueError:
            raise ModelRefused("The picture size that the model asks for is outside of 1 to 16384.") from None

    def numbers(self, *, scale: float, mean: Any, std: Any) -> Numbers:
        said = {"scale": scale, "mean": mean, "std": std, "layout": self.layout, "dtype": self.picture.dtype}
        try:
            numbers = Numbers.model_validate({**said, "mean": triple(mean), "std": triple(std)})
        except (ValueError, TypeError, OverflowError):
            raise ModelRefused("How the model wants its colours (scale, mean, std) cannot be read.") from None
        if 0 in numbers.std or not all(abs(value) < 1e6 for value in (numbers.scale, *numbers.mean, *numbers.std)):
            raise ModelRefused("How the model wants its colours (scale, mean, std) makes no sense.")
        return numbers

    def manifest(self, *, task: Task, head: str, **more: Any) -> Manifest:
        if self.told.task not in (None, task):
            raise ModelRefused(f"The file says that this model does {task}, not {self.told.task}.")
        more.setdefault("inputs", (self.picture.name,))
        for one in self.graph.inputs:
            if one.name not in (*more["inputs"], PIXEL_MASK):
                raise ModelRefused(
                    "The graph asks for more than a picture, and Retinue would not know what to give it."
                )
        return Manifest(name=self.name(), task=task, head=head, weights="model.onnx", max_batch=self.max_batch, **more)

    def name(self) -> str:
        if self.told.name is not None:
            if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,99}", self.told.name):
                raise ModelRefused("A model's name has 1 to 100 lower-case letters, digits, dots, dashes, underscores.")
            return self.told.name
        plain = unicodedata.normalize("NFKD", self.source.name).encode("ascii", "ignore").decode().lower()
        name = re.sub(r"[^a-z0-9._-]+", "-", plain).strip("-._")[:100]
        if not name:
            raise ask_for("name")
        return name

    def licence(self, *said: Any) -> str:
        card = LICENCE_IN_CARD.search(self.source.card)
        found = (*said, card.group(1).strip() if card else "")
        return next((str(one)[:200] for one in found if isinstance(one, str) and one), "")


def triple(value: Any) -> tuple[float, float, float]:
    values = [float(one) for one in value] if isinstance(value, list | tuple) else [float(value)] * COLOURS
    if len(values) != COLOURS:
        raise ValueError("three colours")
    return values[0], values[1], values[2]


def both_sides(value: Any) -> tuple[int, int] | None:
    """Width and height from 640, [height, width] or nothing."""
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    if isinstance(value, int) and not isinstance(value, bool):
        return value, value
    if isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(side, int) for side in value):
        return value[1], value[0]
    return None


def _layout(tensor: Tensor) -> Literal["nchw", "nhwc"] | None:
    rank = tensor.rank or 4
    if tensor.side(rank - 3) == COLOURS:
        return "nchw"
    if tensor.side(-1) == COLOURS:
        return "nhwc"
    # An exporter that leaves every side open is PyTorch's: colours first.
    return "nchw" if tensor.side(rank - 3) is None and tensor.side(-1) is None else None
