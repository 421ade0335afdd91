"""The configuration of the HiFi-GAN recipe."""

from __future__ import annotations

from collections.abc import Iterable

from recipes.vocoder.common.config import VocoderConfig
from speechkd.audio.presets import MEL_PRESETS
from speechkd.models.vocoder.config import HIFIGAN_V1, HifiGanConfig


class HifiGanRecipe(VocoderConfig):
    """HiFi-GAN."""

    model: HifiGanConfig = HIFIGAN_V1

    def problems(self) -> Iterable[tuple[str, str]]:
        """A generator of another mel; nothing to learn before the game."""
        yield from VocoderConfig.problems(self)
        preset = MEL_PRESETS[self.audio.mel]
        if self.model.hop_samples != preset.hop_samples:
            why = f"multiply to {self.model.hop_samples} samples per frame, {preset.name} has {preset.hop_samples}"
            yield "model.upsample_rates", why
        if self.model.n_mels != preset.n_mels:
            yield "model.n_mels", f"is {self.model.n_mels}, {preset.name} has {preset.n_mels}"
        if not (self.losses.mel or self.losses.stft):
            yield "losses", "samples need a spectrum to learn: give losses.mel or losses.stft a weight"
