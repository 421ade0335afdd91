"""Vocoders as graphs: `mel` (1, n_mels, F) to what `speechkd.synthesis.engines.vocoders` expects of each kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from speechkd.errors import ConfigError
from speechkd.models.vocoder import istft_numpy
from speechkd.models.vocoder.griffinlim import GriffinLim
from speechkd.models.vocoder.istft import IstftVocoderNetwork
from speechkd.models.vocoder.load import HifiGanVocoder, IstftVocoder


@dataclass(frozen=True)
class VocoderGraph:
    """A network to export and the names of what comes out of it."""

    network: nn.Module
    outputs: tuple[str, ...]


class FiltersAndPitch(nn.Module):
    """The part of an inverse-STFT vocoder that is a network."""

    def __init__(self, network: IstftVocoderNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """mel (1, n_mels, F) -> the fields of Filters: three of (1, F, bins), and the pitch (1, F)."""
        made = self.network.filters(mel)
        return made.real, made.imaginary, made.noise, self.network.f0_hz(made.pitch)


def vocoder_graph(vocoder: Any) -> VocoderGraph:
    """The network of a vocoder; ConfigError for one that has none, as Griffin-Lim."""
    if isinstance(vocoder, HifiGanVocoder):
        return VocoderGraph(vocoder.generator, ("samples",))
    if isinstance(vocoder, IstftVocoder):
        return VocoderGraph(FiltersAndPitch(vocoder.generator), istft_numpy.Filters._fields)
    name = "Griffin-Lim" if isinstance(vocoder, GriffinLim) else type(vocoder).__name__
    todo = "Pack the voice with a neural vocoder, or speak with torch"
    raise ConfigError(f"{name} has no onnx form", why="it is an iteration, not a network", todo=todo)
