"""What may be asked of one picture beside the picture itself."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Explain:
    """Ask for a heat map: of the given class, or of the top answer."""

    label: str | None = None
    method: Literal["cam", "occlusion"] | None = None
    opacity: float = 0.5


@dataclass(frozen=True, slots=True)
class Asked:
    """Parameters of one prediction. `confidence` unset means the manifest's thresholds, else 0.5; given, it is the
    floor for every class. It never filters a classifier, whose answer is cut by `top_k`."""

    confidence: float | None = None
    top_k: int = 5
    iou: float | None = None
    max_detections: int = 300
    radius: float = 3.0
    explain: Explain | None = None
    thresholds: dict[str, float] = field(default_factory=dict)

    def floor(self, label: str, manifest_thresholds: dict[str, float]) -> float:
        if self.confidence is not None:
            return self.confidence
        return self.thresholds.get(label, manifest_thresholds.get(label, 0.5))
