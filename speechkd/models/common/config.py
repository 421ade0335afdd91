"""Sizes of the shared blocks. Importing this module does not import torch."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from speechkd.config import Config


class FftConfig(Config):
    """A stack of feed-forward Transformer blocks."""

    layers: int = Field(4, ge=1, description="number of blocks")
    heads: int = Field(2, ge=1, description="attention heads; must divide the hidden size")
    conv_channels: int = Field(1024, ge=1, description="channels between the two convolutions")
    conv_kernel: int = Field(9, ge=1, description="kernel of the first convolution, odd")
    second_kernel: int = Field(1, ge=1, description="kernel of the second convolution, odd")
    dropout: float = Field(0.1, ge=0, lt=1, description="after attention and after the convolutions")
    inner_dropout: float = Field(0.0, ge=0, lt=1, description="between the two convolutions")

    def problems(self) -> Iterable[tuple[str, str]]:
        """Kernels that have no middle."""
        for name in ("conv_kernel", "second_kernel"):
            if getattr(self, name) % 2 == 0:
                yield name, f"must be odd, not {getattr(self, name)}"


class PredictorConfig(Config):
    """One of the networks that predict duration, pitch or energy."""

    layers: int = Field(2, ge=1, description="number of convolutions")
    channels: int = Field(256, ge=1, description="channels of each convolution")
    kernel: int = Field(3, ge=1, description="kernel of each convolution, odd")
    dropout: float = Field(0.5, ge=0, lt=1, description="after each layer norm")
