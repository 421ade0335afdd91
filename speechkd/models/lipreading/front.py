"""Frames of a mouth to features of each frame, at the frames' own rate.

paper: a 3-D convolution and the trunk of a ResNet-18 (He et al., CVPR 2016) on every frame, in the manner of
Stafylakis and Tzimiropoulos, Interspeech 2017. small: the same first idea with three convolutions in all.

Padding never counts. Behind the first convolution the real frames of a batch are taken out and stand side by side, so
that batch normalisation sees nothing else, in training too, and nothing is computed for padding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speechkd.models.lipreading.config import PaperFrontConfig, PixelConfig, SmallFrontConfig

#: Frames that the first convolution sees at once.
FRAMES = 5


class Pixels(nn.Module):
    """Grey values to numbers around zero, in fewer pixels if wished."""

    def __init__(self, config: PixelConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Frames (B, T, H, W) of grey values from 0 to 255, mask (B, T) -> (B, T, H / shrink, W / shrink)."""
        grey = frames.float() / 255.0
        if self.config.shrink > 1:
            grey = F.avg_pool2d(grey, self.config.shrink)
        normal = (grey - self.config.mean) / self.config.deviation
        return normal.masked_fill(~mask[:, :, None, None], 0.0)


class FirstConvolution(nn.Module):
    """A 3-D convolution over `FRAMES` frames with spatial stride 2, evaluated at real frames only.

    Over one channel it is a 2-D convolution whose channels are the neighbouring frames, which runs faster.
    """

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(FRAMES, channels, kernel, stride=2, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, pixels: Tensor, mask: Tensor) -> Tensor:
        """Pixels (B, T, H, W), zero where the mask (B, T) is false -> (N, channels, H / 2, W / 2) of N real frames."""
        padded = F.pad(pixels, (0, 0, 0, 0, FRAMES // 2, FRAMES // 2))
        clips, times = mask.nonzero(as_tuple=True)
        around = torch.arange(FRAMES, device=times.device)
        stacked = padded[clips[:, None], times[:, None] + around]
        return torch.relu(self.norm(self.convolution(stacked.contiguous(memory_format=torch.channels_last))))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions that are added to what they read, which is projected where its shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.convolution1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.convolution2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut.append(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(outputs))

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        inner = torch.relu(self.norm1(self.convolution1(maps)))
        return torch.relu(self.norm2(self.convolution2(inner)) + self.shortcut(maps))


def resnet18_trunk(channels: int) -> nn.Sequential:
    """Four stages of two blocks: (N, channels, H, W) -> (N, 8 channels, H / 8, W / 8)."""
    trunk, inputs = nn.Sequential(), channels
    for stage in range(4):
        outputs = channels * 2**stage
        trunk.append(BasicBlock(inputs, outputs, 1 if stage == 0 else 2))
        trunk.append(BasicBlock(outputs, outputs, 1))
        inputs = outputs
    return trunk


class FrontEnd(nn.Module):
    """What both front ends share: pixels, the first convolution, and frames put back into their clips."""

    def __init__(self, pixels: PixelConfig, first: FirstConvolution, rest: nn.Module, size: int) -> None:
        super().__init__()
        self.pixels = Pixels(pixels)
        self.first = first
        self.rest = rest
        self.size = size

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Frames (B, T, H, W) of grey values, mask (B, T) true at real ones -> (B, T, size), zero at the others."""
        features = self.rest(self.first(self.pixels(frames, mask), mask))
        clips = features.new_zeros(*mask.shape, self.size)
        clips[mask] = features
        return clips


class Project(nn.Module):
    """Averaged maps to the features of a frame."""

    def __init__(self, channels: int, grid: tuple[int, int], size: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(grid)
        inputs = channels * grid[0] * grid[1]
        # With as many features as maps, normalising is all that is left to do.
        self.linear = nn.Identity() if inputs == size else nn.Linear(inputs, size, bias=False)
        self.norm = nn.BatchNorm1d(size)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, channels, H, W) -> (N, size)."""
        features: Tensor = self.norm(self.linear(self.pool(maps).flatten(1)))
        return features


def paper_front(config: PaperFrontConfig) -> FrontEnd:
    """Kernel 5 x 7 x 7, pooling, ResNet-18, the average of its maps."""
    channels = config.channels
    rest = nn.Sequential(
        nn.MaxPool2d(3, stride=2, padding=1), resnet18_trunk(channels), Project(8 * channels, (1, 1), config.size)
    )
    return FrontEnd(config.pixels, FirstConvolution(channels, 7), rest, config.size)


def small_front(config: SmallFrontConfig) -> FrontEnd:
    """Kernel 5 x 5 x 5, two more convolutions, a coarse grid of averages that keeps where things are."""
    channels = config.channels
    rest = nn.Sequential(
        *_strided(channels, 2 * channels),
        *_strided(2 * channels, 4 * channels),
        Project(4 * channels, (config.rows, config.columns), config.size),
        nn.ReLU(),
    )
    return FrontEnd(config.pixels, FirstConvolution(channels, 5), rest, config.size)


def _strided(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
    return convolution, nn.BatchNorm2d(outputs), nn.ReLU()


def front_end(config: PaperFrontConfig | SmallFrontConfig) -> FrontEnd:
    """The front end of this configuration."""
    return paper_front(config) if isinstance(config, PaperFrontConfig) else small_front(config)
