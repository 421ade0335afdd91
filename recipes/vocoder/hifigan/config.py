"""The configuration of the HiFi-GAN recipe."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from recipes.vocoder.common.config import VocoderConfig
from speechkd.audio.presets import MEL_PRESETS
from speechkd.config import Config, ConfigPath
from speechkd.models.vocoder.config import HIFIGAN_V1, HifiGanConfig
from speechkd.models.vocoder.files import vocoder_problem


class InitSection(Config):
    """What training starts from."""

    path: ConfigPath | None = Field(
        None, description="a generator of the same sizes and mel, published or trained here: its file or folder"
    )
    discriminators: ConfigPath | None = Field(
        None, description="folder `discriminators` of a run of the same sizes; absent: they start anew"
    )


class HifiGanRecipe(VocoderConfig):
    """HiFi-GAN."""

    model: HifiGanConfig = HIFIGAN_V1
    init: InitSection = InitSection()

    def problems(self) -> Iterable[tuple[str, str]]:
        """A generator of another mel; a game that has not begun, and nothing else to learn."""
        yield from VocoderConfig.problems(self)
        preset = MEL_PRESETS[self.audio.mel]
        if self.model.hop_samples != preset.hop_samples:
            why = f"multiply to {self.model.hop_samples} samples per frame, {preset.name} has {preset.hop_samples}"
            yield "model.upsample_rates", why
        if self.model.n_mels != preset.n_mels:
            yield "model.n_mels", f"is {self.model.n_mels}, {preset.name} has {preset.n_mels}"
        if not (self.losses.mel or self.losses.stft):
            yield "losses", "samples need a spectrum to learn: give losses.mel or losses.stft a weight"
        if self.init.path is not None and (problem := vocoder_problem(self.init.path, preset)):
            yield "init.path", problem
