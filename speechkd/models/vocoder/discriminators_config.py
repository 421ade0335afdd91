"""Sizes of HiFi-GAN's discriminators. Importing this module does not import torch."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from speechkd.config import Config


def _divided(channels: tuple[int, ...], divisor: int) -> tuple[int, ...]:
    return tuple(each // divisor for each in channels)


def _division_problems(channels: tuple[int, ...], divisor: int) -> Iterable[tuple[str, str]]:
    if any(each % divisor for each in channels):
        yield "divide", f"{divisor} does not divide the channels {', '.join(map(str, channels))}"


class PeriodConfig(Config):
    """The multi-period discriminator; the defaults are HiFi-GAN's (Kong et al., NeurIPS 2020, appendix A.2)."""

    periods: tuple[int, ...] = Field((2, 3, 5, 7, 11), min_length=1, description="samples between columns of the view")
    channels: tuple[int, ...] = Field(
        (32, 128, 512, 1024, 1024), min_length=1, description="of the convolutions; all but the last have the stride"
    )
    kernel: int = Field(5, ge=1, description="along time, odd")
    stride: int = Field(3, ge=1, description="along time")
    divide: int = Field(1, ge=1, description="channels are divided by this: a CPU trains at 8 or 16")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Channels after division."""
        return _divided(self.channels, self.divide)

    def problems(self) -> Iterable[tuple[str, str]]:
        """Kernels without a middle, periods below one."""
        if self.kernel % 2 == 0:
            yield "kernel", f"must be odd, not {self.kernel}"
        if min(self.periods) < 1:
            yield "periods", f"must be at least 1, not {min(self.periods)}"
        yield from _division_problems(self.channels, self.divide)


class ScaleConfig(Config):
    """The multi-scale discriminator; the defaults are HiFi-GAN's (appendix A.2), after MelGAN's."""

    scales: int = Field(3, ge=1, description="waveforms: as it is, and averaged down by 2, 4, …")
    channels: tuple[int, ...] = Field((128, 128, 256, 512, 1024, 1024, 1024), min_length=1)
    kernels: tuple[int, ...] = (15, 41, 41, 41, 41, 41, 5)
    strides: tuple[int, ...] = (1, 2, 2, 4, 4, 1, 1)
    groups: tuple[int, ...] = (1, 4, 16, 16, 16, 16, 1)
    divide: int = Field(1, ge=1, description="channels are divided by this; groups shrink where they would not fit")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Channels after division."""
        return _divided(self.channels, self.divide)

    def problems(self) -> Iterable[tuple[str, str]]:
        """Lists of different length, kernels without a middle."""
        for name in ("kernels", "strides", "groups"):
            values = getattr(self, name)
            if len(values) != len(self.channels):
                yield name, f"has {len(values)} entries, channels has {len(self.channels)}"
            if min(values, default=1) < 1:
                yield name, f"must be at least 1, not {min(values)}"
        if any(kernel % 2 == 0 for kernel in self.kernels):
            yield "kernels", "must be odd"
        yield from _division_problems(self.channels, self.divide)


class DiscriminatorsConfig(Config):
    """Which discriminators judge the samples; null leaves one out."""

    period: PeriodConfig | None = PeriodConfig()
    scale: ScaleConfig | None = ScaleConfig()

    def problems(self) -> Iterable[tuple[str, str]]:
        """Nobody is left."""
        if all(getattr(self, name) is None for name in type(self).model_fields):
            yield "", "at least one discriminator is needed; without a game set adversarial.weight to 0"
