"""Asks the original EfficientNet-Lite0 in torch what it says, and keeps its logits beside the tests.

    python training/efficientnet_lite0_reference.py --weights FILE.pth --pictures FOLDER

FOLDER holds scikit-image's bundled pictures. The network is written here a second time, from the paper's table and in
torch's own modules, so that the graph we build is compared with something that was not built by us.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

PICTURES = ("coffee.png", "chelsea.png", "rocket.jpg", "astronaut.png", "motorcycle_left.png")
KEPT = Path(__file__).parents[1] / "tests" / "vision" / "efficientnet_lite0_logits.npz"
STAGES = ((1, 16, 3, 1, 1), (6, 24, 3, 2, 2), (6, 40, 5, 2, 2), (6, 80, 3, 2, 3), (6, 112, 5, 1, 3))
STAGES += ((6, 192, 5, 2, 4), (6, 320, 3, 1, 1))


class SameConv(nn.Conv2d):
    """TensorFlow's "same" padding: what is odd goes to the end."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pads = []
        for side, kernel, stride in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            pads += [total // 2, total - total // 2]
        return self._conv_forward(functional.pad(x, pads), self.weight, self.bias)


class Block(nn.Module):
    def __init__(self, channels: int, expand: int, out: int, kernel: int, stride: int) -> None:
        super().__init__()
        width = channels * expand
        if expand != 1:
            self._expand_conv = SameConv(channels, width, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(width, eps=1e-3)
        self._depthwise_conv = SameConv(width, width, kernel, stride, groups=width, bias=False)
        self._bn1 = nn.BatchNorm2d(width, eps=1e-3)
        self._project_conv = SameConv(width, out, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(out, eps=1e-3)
        self.expand, self.adds = expand, stride == 1 and channels == out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu6(self._bn0(self._expand_conv(x))) if self.expand != 1 else x
        y = functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return y + x if self.adds else y


class Lite0(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SameConv(3, 32, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=1e-3)
        blocks, channels = [], 32
        for expand, out, kernel, stride, repeats in STAGES:
            for repeat in range(repeats):
                blocks.append(Block(channels, expand, out, kernel, stride if repeat == 0 else 1))
                channels = out
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = SameConv(channels, 1280, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(1280, eps=1e-3)
        self._fc = nn.Linear(1280, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        x = functional.relu6(self._bn1(self._conv_head(x)))
        return self._fc(x.mean((2, 3)))


def numbers(picture: Path) -> torch.Tensor:
    """Short side to 256 bicubic, centre 224, (x − 127) ÷ 128: Pillow's own arithmetic, nothing of ours."""
    with Image.open(picture) as opened:
        image = opened.convert("RGB")
    scale = 256 / min(image.size)
    image = image.resize([round(side * scale) for side in image.size], Image.Resampling.BICUBIC)
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    pixels = np.asarray(image.crop((left, top, left + 224, top + 224)), np.float32)
    return torch.from_numpy((pixels - 127) / 128).permute(2, 0, 1)[None]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--weights", type=Path, required=True)
    asked.add_argument("--pictures", type=Path, required=True)
    given = asked.parse_args()
    network = Lite0()
    network.load_state_dict(torch.load(given.weights, weights_only=True))
    network.eval()
    with torch.no_grad():
        logits = {name: network(numbers(given.pictures / name))[0].numpy() for name in PICTURES}
        noise = np.random.default_rng(7).standard_normal((1, 3, 224, 224), np.float32)
        logits["noise"] = network(torch.from_numpy(noise))[0].numpy()
    np.savez_compressed(KEPT, **logits)
    for name, row in logits.items():
        odds = np.exp(row - row.max())
        print(f"{name:20} class {row.argmax():4} probability {odds.max() / odds.sum():.4f}")


if __name__ == "__main__":
    main()
