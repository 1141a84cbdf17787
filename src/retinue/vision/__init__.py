"""The eye: a library that serves any ONNX vision model. It knows no web, no database and no users.

from retinue.vision import Engine, open_model

async with Engine() as eye:
    seen = await eye.predict("efficientnet-lite0", Path("cat.jpg"))
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retinue.vision.asking import Asked, Explain
    from retinue.vision.builtin import builtin_packages
    from retinue.vision.engine import Engine
    from retinue.vision.errors import VisionError
    from retinue.vision.opening import open_model
    from retinue.vision.package import Manifest, Package, read_package, write_manifest
    from retinue.vision.results import Classes, Detections, Masks, Picture, Seen

# For onnxruntime, which else writes down a name for this machine and asks the network for the place to tell it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# Imported when first named: the runtime and OpenCV cost half a second, which `Package` alone need not pay.
_HOMES = {
    "Asked": "asking",
    "Explain": "asking",
    "builtin_packages": "builtin",
    "Engine": "engine",
    "VisionError": "errors",
    "open_model": "opening",
    "Manifest": "package",
    "Package": "package",
    "read_package": "package",
    "write_manifest": "package",
    "Classes": "results",
    "Detections": "results",
    "Masks": "results",
    "Picture": "results",
    "Seen": "results",
}

__all__ = [
    "Asked",
    "Classes",
    "Detections",
    "Engine",
    "Explain",
    "Manifest",
    "Masks",
    "Package",
    "Picture",
    "Seen",
    "VisionError",
    "builtin_packages",
    "open_model",
    "read_package",
    "write_manifest",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
