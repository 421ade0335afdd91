"""What rebuilds a ProDiff. Importing this module does not import torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from speechkd.config import Config
from speechkd.models.tts.config import AdaptorConfig, AdaptorNetworkConfig


class DenoiserConfig(Config):
    """Sizes of the denoiser; the defaults are the paper's."""

    layers: int = Field(20, ge=1, description="gated residual layers")
    channels: int = Field(256, ge=2, description="of a layer, even")
    kernel: int = Field(3, ge=1, description="of the gated convolutions, odd")
    dilation_cycle: int = Field(
        1, ge=1, le=12, description="layers after which dilation, doubling, starts again at 1; with 1 it stays 1"
    )

    def problems(self) -> Iterable[tuple[str, str]]:
        """A kernel without a middle, channels that the encoding of levels cannot halve."""
        if self.kernel % 2 == 0:
            yield "kernel", f"must be odd, not {self.kernel}"
        if self.channels % 2:
            yield "channels", f"must be even, not {self.channels}"

    @property
    def dilations(self) -> tuple[int, ...]:
        """Dilation of each layer in frames."""
        return tuple(2 ** (layer % self.dilation_cycle) for layer in range(self.layers))


class DiffusionConfig(Config):
    """The chain of noise levels, and what the denoiser gives."""

    n_steps: int = Field(4, ge=1, description="T: denoising steps of the teacher; there are T + 1 levels")
    beta_min: float = Field(0.1, gt=0)
    beta_max: float = Field(40.0, gt=0)
    predicts: Literal["x0", "noise"] = Field("x0", description="the clean mel (generator-based), or the noise")


class ProDiffNetworkConfig(AdaptorNetworkConfig):
    """Sizes of a ProDiff; the defaults are the paper's."""

    denoiser: DenoiserConfig = DenoiserConfig()


class ProDiffConfig(AdaptorConfig):
    """Everything that rebuilds a ProDiff without its training data."""

    network: ProDiffNetworkConfig = ProDiffNetworkConfig()
    diffusion: DiffusionConfig = DiffusionConfig()
    stride: int = Field(
        0,
        ge=0,
        description="levels that a step of a distilled student goes down; 0: a teacher, conditioned on its level",
    )
    sampler: Literal["matched", "released"] = Field(
        "matched", description="how a student goes on after a step: to the level that it was trained on, or as the "
        "paper's code does"
    )  # fmt: skip

    def problems(self) -> Iterable[tuple[str, str]]:
        """Strides that miss the bottom of the chain."""
        yield from AdaptorConfig.problems(self)
        if self.stride and self.diffusion.n_steps % self.stride:
            yield "stride", f"{self.stride} does not divide {self.diffusion.n_steps} steps"

    @property
    def calls(self) -> int:
        """Denoiser calls of an utterance."""
        return self.diffusion.n_steps // (self.stride or 1)
