"""What rebuilds an acoustic model. Importing this module does not import torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from speechkd.config import Config
from speechkd.models.common.config import FftConfig, PredictorConfig


class PitchConfig(Config):
    """How pitch is represented."""

    target: Literal["cwt", "f0", "none"] = Field(
        "cwt", description="predict the wavelet transform, or normalised log F0, or no pitch at all"
    )
    level: Literal["frame", "phoneme"] = Field("frame", description="one value per frame or per token")
    bins: int = Field(256, ge=2, description="log-spaced F0 bins of the embedding")
    smallest_scale_frames: float = Field(1.0, ge=0.7, le=4.0, description="of the wavelet transform; ten octaves up")
    inverse: Literal["paper", "matched"] = Field(
        "paper", description="weights of the inverse transform: (i + 2.5)^-2.5, or those that fit the scales"
    )


class EnergyConfig(Config):
    """How energy is represented."""

    target: Literal["norm", "none"] = Field(
        "norm", description="predict the norm of each spectrum, or no energy at all"
    )
    level: Literal["frame", "phoneme"] = Field("frame", description="one value per frame or per token")
    bins: int = Field(256, ge=2, description="uniform bins of the embedding")


class AdaptorNetworkConfig(Config):
    """Sizes of an encoder with a variance adaptor; the defaults are FastSpeech 2's."""

    hidden: int = Field(256, ge=2, description="channels of all states")
    encoder: FftConfig = FftConfig()
    predictor: PredictorConfig = PredictorConfig()
    pitch: PitchConfig = PitchConfig()
    energy: EnergyConfig = EnergyConfig()
    energy_sees_pitch: bool = Field(False, description="the energy predictor reads states that hold the pitch already")

    def problems(self) -> Iterable[tuple[str, str]]:
        """Sizes that do not fit together."""
        yield from heads_problems("encoder", self.encoder, self.hidden)
        if self.predictor.kernel % 2 == 0:
            yield "predictor.kernel", f"must be odd, not {self.predictor.kernel}"
        if self.pitch.target == "cwt" and self.pitch.level == "phoneme":
            yield "pitch.level", "the wavelet transform is per frame; use target: f0 for phoneme-level pitch"
        if self.energy_sees_pitch and "none" in (self.pitch.target, self.energy.target):
            yield "energy_sees_pitch", "needs both pitch and energy"
        if self.energy_sees_pitch and (self.pitch.level, self.energy.level) == ("frame", "phoneme"):
            yield "energy_sees_pitch", "pitch per frame cannot be read by energy per phoneme"


class NetworkConfig(AdaptorNetworkConfig):
    """Sizes of a FastSpeech 2; the defaults are the paper's."""

    decoder: FftConfig = FftConfig()

    def problems(self) -> Iterable[tuple[str, str]]:
        """Sizes that do not fit together."""
        yield from AdaptorNetworkConfig.problems(self)
        yield from heads_problems("decoder", self.decoder, self.hidden)


def heads_problems(name: str, stack: FftConfig, hidden: int) -> Iterable[tuple[str, str]]:
    """Heads that do not divide the states."""
    if hidden % stack.heads:
        yield f"{name}.heads", f"{stack.heads} heads do not divide the hidden size {hidden}"


class VarianceStatistics(Config):
    """Corpus statistics that the model carries: they give its bins and scales."""

    f0_min_hz: float = Field(gt=0)
    f0_max_hz: float = Field(gt=0)
    log_f0_mean: float
    log_f0_deviation: float = Field(gt=0)
    energy_min: float
    energy_max: float
    energy_mean: float
    energy_deviation: float = Field(gt=0)
    mel_mean: tuple[float, ...]
    mel_deviation: tuple[float, ...]


class AdaptorConfig(Config):
    """Everything that rebuilds a model on a variance adaptor without its training data."""

    network: AdaptorNetworkConfig = AdaptorNetworkConfig()
    n_symbols: int = Field(ge=1)
    n_mels: int = Field(ge=1)
    pause_ids: tuple[int, ...] = Field((), description="tokens that may last zero frames; all others get at least one")
    speakers: tuple[str, ...] = Field((), description="names; with two or more, each has an embedding")
    statistics: VarianceStatistics

    def problems(self) -> Iterable[tuple[str, str]]:
        """Statistics of another mel."""
        if len(self.statistics.mel_mean) != self.n_mels:
            yield "statistics.mel_mean", f"{len(self.statistics.mel_mean)} values for {self.n_mels} mel bands"


class FastSpeech2Config(AdaptorConfig):
    """Everything that rebuilds a FastSpeech 2 without its training data."""

    network: NetworkConfig = NetworkConfig()
