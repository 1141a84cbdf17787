"""How an answer is held against what should be in the picture: a higher room knows kits, this one only their shape."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeAlias

from retinue.base.errors import Invalid
from retinue.media.links import AssetAddress, Links

TASKS = ("detect", "segment")  # the answers that say of each thing where it is
KINDS = ("present", "missing", "extra", "unsure")


class CannotCompare(Invalid):
    code = "cannot-compare"
    title = "Only a model that detects or segments can be held against a kit"


class Kit(Protocol):
    """What should be in the picture."""

    @property
    def model(self) -> str | None:
        """The model that is asked where the request names none."""

    def compare(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """`{complete, present[], missing[], extra[], unsure[]}`; each entry has a `box`, or none."""


Compare: TypeAlias = Callable[[str], Awaitable[Kit]]
"""Finds a kit by its id, or refuses."""


def with_crops(told: Mapping[str, Any], row: Mapping[str, Any], links: Links) -> dict[str, Any]:
    """A comparison with a link beside each box that opens this part of the picture."""
    address = AssetAddress(row["image_id"], row["user_id"])

    def linked(entry: Mapping[str, Any]) -> dict[str, Any]:
        return {**entry, "crop_url": links.to(address, crop=entry["box"]) if entry["box"] else None}

    return {**told, **{kind: [linked(entry) for entry in told[kind]] for kind in KINDS}}
