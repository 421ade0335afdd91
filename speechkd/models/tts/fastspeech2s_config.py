"""What rebuilds a FastSpeech 2s. Importing this module does not import torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from speechkd.config import Config
from speechkd.models.tts.config import FastSpeech2Config, PitchConfig


class WaveformConfig(Config):
    """Sizes of the waveform decoder; the defaults are the paper's."""

    channels: int = Field(64, ge=1, description="channels of the samples' states, of residuals and of skips")
    blocks: int = Field(30, ge=1, description="gated convolutions, each with twice the dilation of the one before")
    cycle: int = Field(10, ge=1, le=16, description="blocks after which dilation starts again at 1")
    kernel: int = Field(3, ge=1, description="kernel of the gated convolutions, odd")
    samples_per_step: int = Field(
        1,
        ge=1,
        description="the blocks run at the sample rate over this, each of their states makes so many samples; 1: as in "
        "the paper",
    )
    excitation: Literal["none", "harmonic"] = Field(
        "none",
        description="harmonic: the decoder is given a sine and a pulse train at F0, and noise, and shapes them; "
        "none: it makes everything out of states, as in the paper",
    )

    def problems(self) -> Iterable[tuple[str, str]]:
        """A kernel without a middle, a cycle that is cut short."""
        if self.kernel % 2 == 0:
            yield "kernel", f"must be odd, not {self.kernel}"
        if self.blocks % self.cycle:
            yield "cycle", f"{self.blocks} blocks are no whole number of cycles of {self.cycle}"

    @property
    def dilations(self) -> tuple[int, ...]:
        """Dilation of each block in steps: 1, 2, 4 and so on, again in every cycle."""
        return tuple(2 ** (block % self.cycle) for block in range(self.blocks))

    @property
    def reach_steps(self) -> int:
        """How many steps to either side of a step the blocks look at."""
        return self.kernel // 2 * sum(self.dilations)


def excitation_problems(waveform: WaveformConfig, pitch: PitchConfig) -> Iterable[tuple[str, str]]:
    """An excitation that has no F0 of frames to follow."""
    if waveform.excitation == "harmonic" and (pitch.target == "none" or pitch.level != "frame"):
        found = "there is no pitch" if pitch.target == "none" else f"pitch.level is {pitch.level}"
        yield "waveform.excitation", f"a harmonic excitation follows the F0 of frames, and {found}"


def step_problems(key: str, waveform: WaveformConfig, hop_samples: int) -> Iterable[tuple[str, str]]:
    """Frames that are no even number of steps: upsampling would not be centred."""
    if hop_samples % (2 * waveform.samples_per_step):
        yield key, f"a frame of {hop_samples} samples is no even number of steps of {waveform.samples_per_step}"


class FastSpeech2sConfig(Config):
    """Everything that rebuilds a FastSpeech 2s without its training data."""

    trunk: FastSpeech2Config
    waveform: WaveformConfig = WaveformConfig()
    hop_samples: int = Field(ge=2, description="samples per frame, an even number of the waveform decoder's steps")
    sample_rate: int = Field(22050, ge=1, description="of the samples; only a harmonic excitation asks for it")

    def problems(self) -> Iterable[tuple[str, str]]:
        """A hop that cannot be upsampled to, an excitation without an F0."""
        yield from step_problems("hop_samples", self.waveform, self.hop_samples)
        yield from excitation_problems(self.waveform, self.trunk.network.pitch)

    @property
    def n_symbols(self) -> int:
        """Symbols that the model reads."""
        return self.trunk.n_symbols

    @property
    def n_mels(self) -> int:
        """Mel bands of the decoder that only training uses."""
        return self.trunk.n_mels

    @property
    def speakers(self) -> tuple[str, ...]:
        """Names of the voices; fewer than two have no embedding."""
        return self.trunk.speakers
