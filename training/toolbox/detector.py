"""The network: EfficientNet-Lite0 cut after its fifth stage, a small feature pyramid, and one anchor-free head."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from training.toolbox.scene import LABELS

STRIDES = (8, 16, 32)
BINS = 16  # a side is an expectation over 16 distances of one stride each: up to 480 px at stride 32

# expand, channels, kernel, stride, repeats: EfficientNet-Lite0 without its last three blocks, half its weights
STAGES = ((1, 16, 3, 1, 1), (6, 24, 3, 2, 2), (6, 40, 5, 2, 2), (6, 80, 3, 2, 3), (6, 112, 5, 1, 3), (6, 192, 5, 2, 2))
TAPS = (4, 10, 12)  # the last blocks at strides 8, 16 and 32
TAP_CHANNELS = (40, 112, 192)


class SameConv(nn.Conv2d):
    """TensorFlow pads a stride of two on the far side first; the pretrained weights expect that."""

    def forward(self, x: Tensor) -> Tensor:
        if self.groups == 1 or self.kernel_size[0] == 3 or not torch.is_grad_enabled():
            return self.convolved(x)
        # The way back through a wide depthwise kernel takes three times as long in bfloat16 as in float32.
        with torch.autocast(x.device.type, enabled=False):
            return self.convolved(x.float()).to(x.dtype)

    def convolved(self, x: Tensor) -> Tensor:
        if self.stride[0] == 1:
            return super().forward(x)
        near, far = stride_two_padding(self.kernel_size[0])
        padded = functional.pad(x, (near, far, near, far))
        return functional.conv2d(padded, self.weight, self.bias, self.stride, 0, 1, self.groups)


def stride_two_padding(kernel: int) -> tuple[int, int]:
    near = (kernel - 2) // 2
    return near, kernel - 2 - near


def conv_bn(inside: int, out: int, kernel: int, *, stride: int = 1, groups: int = 1, act: bool = True) -> nn.Sequential:
    padding = kernel // 2 if stride == 1 else 0
    layers: list[nn.Module] = [
        SameConv(inside, out, kernel, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(out, eps=1e-3, momentum=0.03),
    ]
    if act:
        layers.append(nn.ReLU6(inplace=True))
    return nn.Sequential(*layers)


class Inverted(nn.Module):
    """MobileNet's inverted bottleneck, without squeeze and excitation."""

    def __init__(self, inside: int, out: int, *, expand: int, kernel: int, stride: int) -> None:
        super().__init__()
        middle = inside * expand
        self.expand = conv_bn(inside, middle, 1) if expand > 1 else None
        self.depthwise = conv_bn(middle, middle, kernel, stride=stride, groups=middle)
        self.project = conv_bn(middle, out, 1, act=False)
        self.shortcut = stride == 1 and inside == out

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else self.expand(x)
        y = self.project(self.depthwise(y))
        return x + y if self.shortcut else y


class Backbone(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = conv_bn(3, 32, 3, stride=2)
        blocks: list[nn.Module] = []
        inside = 32
        for expand, out, kernel, stride, repeats in STAGES:
            for repeat in range(repeats):
                blocks.append(Inverted(inside, out, expand=expand, kernel=kernel, stride=stride if repeat == 0 else 1))
                inside = out
        self.blocks = nn.ModuleList(blocks)
        self.frozen: list[nn.Module] = []

    def freeze(self, blocks: int) -> None:
        """The stem and the first blocks stay as they are: folded once, then run without a way back."""
        folded = copy.deepcopy(nn.ModuleList((self.stem, *self.blocks[:blocks]))).eval()
        for part in (self.stem, *self.blocks[:blocks]):
            part.requires_grad_(False)
            part.eval()
        fold(folded)
        self.frozen = list(folded.to(torch.bfloat16, memory_format=torch.channels_last))

    def train(self, mode: bool = True) -> Backbone:
        super().train(mode)
        for part in (self.stem, *self.blocks)[: len(self.frozen)]:
            part.eval()
        return self

    def forward(self, x: Tensor) -> list[Tensor]:
        x = x * (255 / 128) - 127 / 128
        taps = []
        for number, block in enumerate((self.stem, *self.blocks), start=-1):
            if number + 1 < len(self.frozen):
                with torch.no_grad():
                    x = self.frozen[number + 1](x.to(torch.bfloat16))
            else:
                x = block(x)
            if number in TAPS:
                taps.append(x)
        return taps


def fold(module: nn.Module) -> None:
    """Each batch norm becomes part of the convolution before it."""
    for child in module.modules():
        if isinstance(child, nn.Sequential) and isinstance(child[0], nn.Conv2d):
            child[0] = fuse_conv_bn_eval(child[0], child[1])
            child[1] = nn.Identity()


def separable(inside: int, out: int, *, kernel: int = 5, stride: int = 1) -> nn.Sequential:
    depthwise = conv_bn(inside, inside, kernel, stride=stride, groups=inside, act=False)
    return nn.Sequential(*depthwise, *conv_bn(inside, out, 1))


class Pyramid(nn.Module):
    """Coarse knowledge goes up to the fine maps, then fine edges go back down."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter = nn.ModuleList(conv_bn(channels, width, 1) for channels in TAP_CHANNELS)
        # On the finest map a kernel of five would cost a tenth of the whole training.
        self.up = nn.ModuleList((separable(width * 2, width), separable(width * 2, width, kernel=3)))
        self.shrink = nn.ModuleList(separable(width, width, stride=2) for _ in range(2))
        self.down = nn.ModuleList(separable(width * 2, width) for _ in range(2))

    def forward(self, taps: list[Tensor]) -> list[Tensor]:
        fine, middle, coarse = (enter(tap) for enter, tap in zip(self.enter, taps, strict=True))
        middle = self.up[0](torch.cat((middle, functional.interpolate(coarse, scale_factor=2.0)), 1))
        fine = self.up[1](torch.cat((fine, functional.interpolate(middle, scale_factor=2.0)), 1))
        middle = self.down[0](torch.cat((middle, self.shrink[0](fine)), 1))
        coarse = self.down[1](torch.cat((coarse, self.shrink[1](middle)), 1))
        return [fine, middle, coarse]


class Head(nn.Module):
    """Every level has its own: sharing one saved 0.1 M weights that the budget does not need."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.boxes = nn.Sequential(*self.stem(width), nn.Conv2d(width, 4 * BINS, 1))
        self.scores = nn.Sequential(*self.stem(width), nn.Conv2d(width, len(LABELS), 1))
        last = self.scores[-1]
        assert isinstance(last, nn.Conv2d)
        assert last.bias is not None
        nn.init.constant_(last.bias, -4.6)  # at the start one place in a hundred is a tool

    @staticmethod
    def stem(width: int) -> list[nn.Module]:
        return [separable(width, width, kernel=3), separable(width, width, kernel=3)]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.boxes(x), self.scores(x)


@dataclass(frozen=True)
class Raw:
    """Per anchor: distance logits [n, a, 4 * BINS], class logits [n, a, labels]; centres and strides in pixels."""

    distances: Tensor
    logits: Tensor
    centres: Tensor
    strides: Tensor


class Detector(nn.Module):
    def __init__(self, width: int = 96) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.pyramid = Pyramid(width)
        self.heads = nn.ModuleList(Head(width) for _ in STRIDES)

    def forward(self, x: Tensor) -> Raw:
        levels = self.pyramid(self.backbone(x))
        distances, logits, centres, strides = [], [], [], []
        for level, head, stride in zip(levels, self.heads, STRIDES, strict=True):
            sides, scores = head(level)
            distances.append(sides.flatten(2).transpose(1, 2))
            logits.append(scores.flatten(2).transpose(1, 2))
            where = grid(level.shape[2], level.shape[3], stride).to(x.device)
            centres.append(where)
            strides.append(torch.full((len(where), 1), float(stride), device=x.device))
        return Raw(torch.cat(distances, 1), torch.cat(logits, 1), torch.cat(centres), torch.cat(strides))


def grid(rows: int, columns: int, stride: int) -> Tensor:
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return (torch.stack((x, y), -1).reshape(-1, 2).float() + 0.5) * stride


def corners(raw: Raw) -> Tensor:
    """[n, anchors, 4]: left, top, right, bottom in input pixels."""
    bins = torch.arange(BINS, dtype=torch.float32, device=raw.distances.device)
    chances = raw.distances.float().view(-1, raw.distances.shape[1], 4, BINS).softmax(-1)
    sides = (chances * bins).sum(-1) * raw.strides  # as a matrix product this takes 2 ms longer in onnxruntime
    return torch.cat((raw.centres - sides[..., :2], raw.centres + sides[..., 2:]), -1)


def load_imagenet(backbone: Backbone, weights: Path) -> None:
    """Starts the backbone from EfficientNet-Lite0's ImageNet weights (Apache-2.0)."""
    state = torch.load(weights, map_location="cpu", weights_only=True)
    copy_layers(backbone.stem, state, conv="_conv_stem", norm="_bn0")
    for number, block in enumerate(backbone.blocks):
        assert isinstance(block, Inverted)
        where = f"_blocks.{number}."
        if block.expand is not None:
            copy_layers(block.expand, state, conv=where + "_expand_conv", norm=where + "_bn0")
        copy_layers(block.depthwise, state, conv=where + "_depthwise_conv", norm=where + "_bn1")
        copy_layers(block.project, state, conv=where + "_project_conv", norm=where + "_bn2")


def copy_layers(layers: nn.Module, state: Mapping[str, Tensor], *, conv: str, norm: str) -> None:
    assert isinstance(layers, nn.Sequential)
    layers[0].load_state_dict({"weight": state[conv + ".weight"]})
    layers[1].load_state_dict(
        {key: state[f"{norm}.{key}"] for key in ("weight", "bias", "running_mean", "running_var")}
        | {"num_batches_tracked": torch.tensor(0)}
    )
