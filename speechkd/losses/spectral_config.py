"""Resolutions of the STFT loss. Importing this module does not import torch."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from speechkd.config import Config


class Resolution(Config):
    """One STFT, in samples."""

    fft: int = Field(ge=2, description="length of the transform")
    hop: int = Field(ge=1, description="step from frame to frame")
    window: int = Field(ge=2, description="length of the Hann window")

    def problems(self) -> Iterable[tuple[str, str]]:
        """A window that does not fit."""
        if self.window > self.fft:
            yield "window", f"{self.window} is longer than the transform of {self.fft}"


#: Parallel WaveGAN (Yamamoto et al., ICASSP 2020), table 1.
PUBLISHED = (
    Resolution(fft=1024, hop=120, window=600),
    Resolution(fft=2048, hop=240, window=1200),
    Resolution(fft=512, hop=50, window=240),
)
