"""The Transformer blocks of `speechkd.models.common.fft`, laid out for one utterance and no padding.

They compute what the originals compute in evaluation mode with a mask of ones. Convolutions are matrix products over
neighbouring frames laid side by side: of the forms that onnxruntime has these are the fastest on a processor, and the
ones that have 8-bit kernels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speechkd.models.common.fft import FftBlock, FftStack, positions


class Product(nn.Module):
    """x (…, in) @ weight (in, out) + bias, the weight stored as the product reads it."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight.detach().contiguous())
        self.register_buffer("bias", bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """x: (…, in) -> (…, out)."""
        product: Tensor = x @ self.weight + self.bias  # type: ignore[operator]
        return product


def linear(layer: nn.Linear) -> Product:
    """A linear layer."""
    return Product(layer.weight.T, layer.bias)


class FrameConv(nn.Module):
    """A convolution of odd kernel that keeps the length, over x (1, T, C)."""

    def __init__(self, layer: nn.Conv1d) -> None:
        super().__init__()
        self.kernel = layer.kernel_size[0]
        # (out, in, kernel) -> (kernel * in, out): the order in which `forward` lays the neighbours side by side.
        self.product = Product(layer.weight.permute(2, 1, 0).flatten(0, 1), layer.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """x: (1, T, C) -> (1, T, out)."""
        if self.kernel == 1:
            made: Tensor = self.product(x)
            return made
        reach, time = self.kernel // 2, x.shape[1]
        padded = F.pad(x, (0, 0, reach, reach))
        made = self.product(torch.cat([padded[:, start : start + time] for start in range(self.kernel)], dim=-1))
        return made


class Block(nn.Module):
    """An `FftBlock`."""

    def __init__(self, block: FftBlock) -> None:
        super().__init__()
        self.heads = block.attention.heads
        self.project_in, self.project_out = linear(block.attention.project_in), linear(block.attention.project_out)
        self.expand, self.contract = FrameConv(block.feed_forward.expand), FrameConv(block.feed_forward.contract)
        self.attention_norm, self.feed_forward_norm = block.attention_norm, block.feed_forward_norm

    def forward(self, x: Tensor) -> Tensor:
        """x: (1, T, C) -> (1, T, C)."""
        x = self.attention_norm(x + self._attended(x))
        made: Tensor = self.feed_forward_norm(x + self.contract(F.relu(self.expand(x))))
        return made

    def _attended(self, x: Tensor) -> Tensor:
        time, size = x.shape[1], x.shape[2] // self.heads
        joined = self.project_in(x).view(time, 3, self.heads, size)
        query, key, value = (joined[:, part].transpose(0, 1) for part in range(3))
        weights = torch.softmax(query @ key.transpose(1, 2) * size**-0.5, dim=-1)
        attended: Tensor = self.project_out((weights @ value).transpose(0, 1).reshape(1, time, -1))
        return attended


class Stack(nn.Module):
    """An `FftStack`."""

    def __init__(self, stack: FftStack) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(block) for block in stack.blocks)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """x: (1, T, C) -> (1, T, C)."""
        x = x + positions(x.shape[1], x.shape[2], x)
        for block in self.blocks:
            x = block(x)
        return x


def no_padding(x: Tensor) -> Tensor:
    """The mask (1, T) of a single utterance x (1, T, C): True everywhere."""
    return torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
