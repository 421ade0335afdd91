"""From a recipe's vocoder options to something that turns mels into samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from speechkd.audio.presets import mel_preset
from speechkd.errors import ConfigError
from speechkd.models.vocoder.checkpoint import load_generator, load_generator_files
from speechkd.models.vocoder.files import require_same_mel
from speechkd.models.vocoder.griffinlim import GriffinLim
from speechkd.models.vocoder.hifigan import HifiGan
from speechkd.models.vocoder.istft import IstftVocoderNetwork
from speechkd.models.vocoder.istft_store import load_istft
from speechkd.models.vocoder.options import GriffinLimOptions, HifiGanOptions, IstftOptions

# Fetches files of a hub repository at a commit, by name and digest: (repo, revision, {name: sha256}) -> paths.
Fetch = Callable[[str, str, Mapping[str, str]], Sequence[Path]]


class Vocoder(Protocol):
    """Turns log-mels of one preset into samples."""

    mel_preset_name: str

    def __call__(self, mel: Tensor) -> Tensor:
        """mel: (B, frames, n_mels) to samples (B, frames * hop)."""
        ...


Network = TypeVar("Network", bound=nn.Module)


class NetworkVocoder(Generic[Network]):
    """A trained generator, mel (B, n_mels, F) to samples (B, F * hop), as a vocoder.

    `level_db`: it hears mels that much louder than they are, and its samples are made that much softer. A generator
    is at its best at the level, over the noise floor, of the recordings that it was trained on.
    """

    def __init__(self, generator: Network, mel_preset_name: str, level_db: float = 0.0) -> None:
        self.generator = generator
        self.mel_preset_name = mel_preset_name
        self.level_db = level_db

    @torch.inference_mode()
    def __call__(self, mel: Tensor) -> Tensor:
        """mel: (B, frames, n_mels), natural log, to samples (B, frames * hop)."""
        shift = self.level_db / 20.0 * math.log(10.0)
        samples: Tensor = self.generator(mel.transpose(1, 2) + shift)
        return samples * math.exp(-shift)


class HifiGanVocoder(NetworkVocoder[HifiGan]):
    """A HiFi-GAN generator as a vocoder."""


class IstftVocoder(NetworkVocoder[IstftVocoderNetwork]):
    """An inverse-STFT network as a vocoder."""


def load_vocoder(
    options: GriffinLimOptions | HifiGanOptions | IstftOptions,
    mel_preset_name: str,
    fetch: Fetch | None = None,
    level_db: float = 0.0,
) -> Vocoder:
    """The vocoder that `options` name, for mels of the preset `mel_preset_name`.

    `fetch` brings files of the hub (speechkd.hub.fetch.fetch_files); without it only local vocoders load. `level_db`
    is that of networks; Griffin-Lim makes the same samples at every level.
    Raises ConfigError for a vocoder of another mel preset, naming both; DataError for unusable weights.
    """
    preset = mel_preset(mel_preset_name)
    if isinstance(options, GriffinLimOptions):
        return GriffinLim(mel_preset_name, options.n_iter)
    if isinstance(options, IstftOptions):
        network, mel = load_istft(options.path)
        require_same_mel(mel, preset, str(options.path))
        return IstftVocoder(network, mel_preset_name, level_db)
    for key, message in options.problems():
        raise ConfigError(message, where=".".join(filter(None, ("vocoder", key))))
    if options.path is not None:
        where = str(options.path)
        generator, mel = load_generator(options.path)
    else:
        where = f"{options.hub}@{options.revision}"
        generator, mel = load_generator_files(_fetched(options, fetch), where)
    require_same_mel(mel, preset, where)
    return HifiGanVocoder(generator, mel_preset_name, level_db)


def _fetched(options: HifiGanOptions, fetch: Fetch | None) -> Sequence[Path]:
    if fetch is None or options.hub is None or options.revision is None:
        raise ConfigError("a vocoder of the hub cannot be used here", todo="Fetch it first and give vocoder.path")
    return fetch(options.hub, options.revision, options.sha256)
