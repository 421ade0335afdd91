"""What rebuilds a FastSpeech. Importing this module does not import torch."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from speechkd.config import Config
from speechkd.models.common.config import FftConfig, PredictorConfig

_FFT = FftConfig(
    layers=6, heads=2, conv_channels=1536, conv_kernel=3, second_kernel=3, dropout=0.1, inner_dropout=0.1
)  # fmt: skip


class FastSpeechNetwork(Config):
    """Sizes of a FastSpeech; the defaults are the paper's.

    The paper gives the duration predictor 384 channels in its text and 256 in its table: `predictor.channels` is 256,
    as in everything built on it since. Layers of these sizes have 50 million parameters, not the 30 that are printed.
    """

    hidden: int = Field(384, ge=2, description="channels of all states")
    encoder: FftConfig = _FFT
    decoder: FftConfig = _FFT
    predictor: PredictorConfig = PredictorConfig(dropout=0.1)
    detach_duration: bool = Field(False, description="the duration loss does not train the encoder")

    def problems(self) -> Iterable[tuple[str, str]]:
        """Sizes that do not fit together."""
        for name, stack in (("encoder", self.encoder), ("decoder", self.decoder)):
            if self.hidden % stack.heads:
                yield f"{name}.heads", f"{stack.heads} heads do not divide the hidden size {self.hidden}"
        if self.predictor.kernel % 2 == 0:
            yield "predictor.kernel", f"must be odd, not {self.predictor.kernel}"


class FastSpeechConfig(Config):
    """Everything that rebuilds a FastSpeech without its training data."""

    network: FastSpeechNetwork = FastSpeechNetwork()
    n_symbols: int = Field(ge=1)
    n_mels: int = Field(ge=1)
    pause_ids: tuple[int, ...] = Field((), description="tokens between words: those that a break may be put on")
    speakers: tuple[str, ...] = Field((), description="names; with two or more, each has an embedding")
    mel_mean: tuple[float, ...] = Field(description="of the training recordings, per band, natural log")
    mel_deviation: tuple[float, ...]

    def problems(self) -> Iterable[tuple[str, str]]:
        """Statistics of another mel, pauses that are no symbols."""
        for name in ("mel_mean", "mel_deviation"):
            if len(getattr(self, name)) != self.n_mels:
                yield name, f"{len(getattr(self, name))} values for {self.n_mels} mel bands"
        if any(not 0 <= each < self.n_symbols for each in self.pause_ids):
            yield "pause_ids", f"there are {self.n_symbols} symbols, numbered from 0"
