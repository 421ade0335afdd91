"""Sizes of the discriminator of spectra. Importing this module does not import torch."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from speechkd.config import Config


class SpectralConfig(Config):
    """One discriminator per transform; the defaults are sized for a CPU (UnivNet has 32 channels)."""

    ffts: tuple[int, ...] = Field(
        (1024, 512, 256), min_length=1, description="lengths of transforms and Hann windows; each hops by a quarter"
    )
    channels: int = Field(8, ge=1, description="channels of every convolution")
    strides: tuple[int, ...] = Field((2, 2, 2, 1), min_length=1, description="of each convolution along frequency")
    kernel_bins: int = Field(9, ge=1, description="kernel along frequency, odd")
    kernel_frames: int = Field(3, ge=1, description="kernel along time, odd")
    compression: float = Field(0.3, gt=0, le=1, description="magnitudes are raised to this power, phases are kept")

    def problems(self) -> Iterable[tuple[str, str]]:
        """Kernels without a middle, steps of nothing, transforms without a quarter."""
        for name in ("kernel_bins", "kernel_frames"):
            if getattr(self, name) % 2 == 0:
                yield name, f"must be odd, not {getattr(self, name)}"
        if min(self.strides) < 1:
            yield "strides", f"must be at least 1, not {min(self.strides)}"
        if any(fft < 8 or fft % 4 for fft in self.ffts):
            yield "ffts", "each must be a multiple of 4, and at least 8"
