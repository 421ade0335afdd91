"""Sizes of the inverse-STFT vocoder, and how far it looks ahead. Importing this module does not import torch."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from speechkd.config import Config

MODEL = "istft"


class IstftConfig(Config):
    """An inverse-STFT vocoder: one frame of a short-time spectrum per mel frame, and what excites it.

    `lookahead` has an entry per block: the frames that the block's convolution sees of the future. The rest of its
    kernel sees the past, so a block with 0 is causal, one with kernel // 2 is symmetric.
    """

    n_mels: int = Field(80, ge=1, description="bands of the mel")
    n_fft: int = Field(1024, ge=4, description="length of the inverse transform and of its Hann window, in samples")
    hop_samples: int = Field(256, ge=1, description="samples per frame; the mel's hop")
    sample_rate: int = Field(22050, ge=1000, description="samples per second; the mel's")
    pitch_min_hz: float = Field(60.0, gt=0, description="lowest pitch that is told apart")
    pitch_max_hz: float = Field(600.0, gt=0, description="highest pitch that is told apart")
    pitch_bins: int = Field(240, ge=2, description="pitches that are told apart, evenly spaced in cents")
    channels: int = Field(256, ge=1, description="channels between the blocks")
    expanded: int = Field(768, ge=1, description="channels inside a block")
    kernel: int = Field(7, ge=1, description="kernel of a block's depthwise convolution, in frames")
    input_kernel: int = Field(7, ge=1, description="kernel of the convolution over the mel, in frames")
    input_lookahead: int = Field(3, ge=0, description="frames of the future that the convolution over the mel sees")
    lookahead: tuple[int, ...] = Field((3, 3, 0, 0, 0, 0), min_length=1, description="the same, per block")

    def problems(self) -> Iterable[tuple[str, str]]:
        """Frames that leave gaps or do not lie in the middle of a hop; kernels that cannot look so far ahead."""
        if self.n_fft < 2 * self.hop_samples:
            yield "n_fft", f"{self.n_fft} is less than two hops of {self.hop_samples}: frames would leave gaps"
        if (self.n_fft - self.hop_samples) % 2 or self.n_fft % 2:
            yield "n_fft", f"{self.n_fft} must be even, and differ from hop_samples by an even number"
        if not self.pitch_min_hz < self.pitch_max_hz < self.sample_rate / 4:
            yield "pitch_max_hz", f"must be more than pitch_min_hz, and less than a quarter of {self.sample_rate} Hz"
        if self.input_lookahead >= self.input_kernel:
            yield "input_lookahead", f"must be less than input_kernel {self.input_kernel}"
        if max(self.lookahead) >= self.kernel or min(self.lookahead) < 0:
            yield "lookahead", f"each must be from 0 to {self.kernel - 1}, one less than kernel"

    @property
    def bins(self) -> int:
        """Bins of the spectrum."""
        return self.n_fft // 2 + 1

    @property
    def margin_samples(self) -> int:
        """By how much a frame of the inverse transform reaches past its hop, to either side."""
        return (self.n_fft - self.hop_samples) // 2

    @property
    def look_ahead_frames(self) -> int:
        """Frames of the mel's future in the filters and the pitch of a frame."""
        return self.input_lookahead + sum(self.lookahead)

    @property
    def history_frames(self) -> int:
        """Frames of the mel's past in the filters and the pitch of a frame."""
        return self.input_kernel - 1 + len(self.lookahead) * (self.kernel - 1) - self.look_ahead_frames

    @property
    def reach_frames(self) -> int:
        """Frames to either side of a frame of the spectrum whose pitch is heard in its window."""
        return -(-self.n_fft // (2 * self.hop_samples))

    @property
    def look_ahead_samples(self) -> int:
        """A mel frame changes no sample that is more than this before the first sample of its hop."""
        return (self.look_ahead_frames + self.reach_frames) * self.hop_samples + self.margin_samples
