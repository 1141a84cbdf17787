"""The kinds of answers that networks give, and who reads each: the one page that says what can be read.

Every head's docstring names its outputs and its `head_parameters`. All of them take `outputs`: the graph's output
names in the order the head wants them, needed only where the graph has more or orders them otherwise.
"""

from retinue.vision.heads.classify import Classify
from retinue.vision.heads.detr import Detr
from retinue.vision.heads.head import Head, Outputs
from retinue.vision.heads.inpaint import Inpaint
from retinue.vision.heads.instances import YoloSegment
from retinue.vision.heads.semantic import Semantic
from retinue.vision.heads.torchvision import TorchvisionDetect
from retinue.vision.heads.yolo import YoloEndToEnd, YoloRaw

__all__ = ["HEADS", "Head", "Outputs"]

HEADS: dict[str, Head] = {
    "classify": Classify(),
    "yolo-raw": YoloRaw(),
    "yolo-end2end": YoloEndToEnd(),
    "yolo-segment": YoloSegment(),
    "detr": Detr(),
    "torchvision-detect": TorchvisionDetect(),
    "semantic": Semantic(),
    "inpaint": Inpaint(),
}
