"""Front ends: mouth crops to a vector per frame. Time keeps its resolution.

Frames of padding are left out after the 3-D convolution, so that they cost nothing and are in no batch statistics. They
are zeros, as the convolution's own padding is: a clip has the same vectors in a long batch as alone.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from speechkd.models.lipreading.config import FrontEnd, PaperFrontEnd, SmallFrontEnd


class FrontEndNetwork(nn.Module):
    """A 3-D convolution over all frames, the rest frame by frame."""

    def __init__(self, motion: nn.Conv3d, per_frame: nn.Sequential) -> None:
        super().__init__()
        self.motion, self.per_frame = motion, per_frame

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """frames (B, T, H, W), mask (B, T) true where a frame is -> (B, T, C), zeros in the padding."""
        x = self.motion(frames[:, None]).transpose(1, 2)
        features = self.per_frame(x[mask])
        out = features.new_zeros(*mask.shape, features.shape[1])
        out[mask] = features
        return out


def build_frontend(config: FrontEnd) -> FrontEndNetwork:
    """The front end of a configuration."""
    return _paper(config) if isinstance(config, PaperFrontEnd) else _small(config)


def _paper(config: PaperFrontEnd) -> FrontEndNetwork:
    """Conv3d 5x7x7 with stride 1x2x2, max-pooling, and the rest of ResNet-18 (He et al., CVPR 2016, table 1)."""
    n = config.channels
    sizes = [n, n, 2 * n, 4 * n, 8 * n]
    blocks = []
    for part, (before, after) in enumerate(pairwise(sizes)):
        blocks += [BasicBlock(before, after, stride=2 if part else 1), BasicBlock(after, after, stride=1)]
    head = [nn.BatchNorm2d(n), nn.ReLU(inplace=True), nn.MaxPool2d(3, stride=2, padding=1)]
    tail = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.BatchNorm1d(8 * n)]
    return FrontEndNetwork(_motion(n, (5, 7, 7)), nn.Sequential(*head, *blocks, *tail))


def _small(config: SmallFrontEnd) -> FrontEndNetwork:
    first, second, third = config.channels
    down, across = config.grid
    layers = [
        *(nn.BatchNorm2d(first), nn.ReLU(inplace=True), nn.MaxPool2d(2, ceil_mode=True)),
        *(_conv(first, second), nn.BatchNorm2d(second), nn.ReLU(inplace=True), nn.MaxPool2d(2, ceil_mode=True)),
        *(_conv(second, third), nn.BatchNorm2d(third), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((down, across))),
        *(nn.Flatten(), nn.Linear(third * down * across, config.features), nn.BatchNorm1d(config.features)),
    ]
    return FrontEndNetwork(_motion(first, config.kernel), nn.Sequential(*layers))


def _motion(channels: int, kernel: tuple[int, int, int]) -> nn.Conv3d:
    padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    return nn.Conv3d(1, channels, kernel, stride=(1, 2, 2), padding=padding, bias=False)


def _conv(before: int, after: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a short cut (He et al., CVPR 2016, figure 5, left)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first, self.first_norm = _conv(before, after, stride), nn.BatchNorm2d(after)
        self.second, self.second_norm = _conv(after, after), nn.BatchNorm2d(after)
        self.short: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.short = nn.Sequential(nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        """(F, C, H, W) -> (F, C', H / stride, W / stride)."""
        h = F.relu(self.first_norm(self.first(x)), inplace=True)
        return F.relu(self.second_norm(self.second(h)) + self.short(x), inplace=True)
