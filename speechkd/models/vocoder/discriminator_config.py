"""Sizes of discriminators. Importing this module does not import torch."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from speechkd.config import Config


class DiscriminatorConfig(Config):
    """Sizes of the discriminator; the defaults are Parallel WaveGAN's."""

    channels: int = Field(64, ge=1, description="channels between the convolutions")
    layers: int = Field(10, ge=3, description="convolutions")
    kernel: int = Field(3, ge=1, description="kernel of each, odd")
    slope: float = Field(0.2, ge=0, lt=1, description="of the leaky ReLU")

    def problems(self) -> Iterable[tuple[str, str]]:
        """A kernel without a middle."""
        if self.kernel % 2 == 0:
            yield "kernel", f"must be odd, not {self.kernel}"
