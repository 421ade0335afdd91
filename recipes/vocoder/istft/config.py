"""The configuration of the inverse-STFT vocoder's recipe."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from recipes.vocoder.common.config import AdversarialSection, LossSection, VocoderConfig
from speechkd.audio.presets import MEL_PRESETS
from speechkd.config import Config, ConfigPath
from speechkd.distill.schedules import Weight, weight_at
from speechkd.models.vocoder.discriminators_config import DiscriminatorsConfig
from speechkd.models.vocoder.files import vocoder_problem
from speechkd.models.vocoder.istft_config import IstftConfig
from speechkd.models.vocoder.spectral_discriminator_config import SpectralConfig


class TeacherSection(Config):
    """The vocoder that teaches."""

    path: ConfigPath | None = Field(
        None, description="a finished vocoder, slow and good: its checkpoint or folder; null: nobody teaches"
    )
    level_db: float = Field(0.0, ge=-40, le=40, description="it is fed mels shifted by this; its samples shifted back")
    source: Literal["stored", "live"] = Field(
        "stored", description="stored: it speaks every clip once, before training; live: every slice, at every step"
    )
    context_frames: int = Field(
        16, ge=0, description="frames around a slice that a live teacher hears; 12 are all that HiFi-GAN V3 hears"
    )


class DistillSection(Config):
    """Weights of what is learned from the teacher's samples; each may depend on the step."""

    mel: Weight = Field(0.0, description="L1 of log mels up to half the sample rate")
    stft: Weight = Field(0.0, description="multi-resolution STFT, at losses.resolutions")
    pitch: Weight = Field(0.0, description="cross-entropy of the pitch, where the teacher's samples are voiced")

    def weights(self) -> dict[str, Weight]:
        """The weights by term."""
        return {name: getattr(self, name) for name in ("mel", "stft", "pitch")}


class AugmentSection(Config):
    """Mels that nobody recorded: made of recorded ones, and answered by the teacher alone."""

    share: float = Field(0.25, gt=0, le=8, description="of such slices per recorded slice in a batch; at least one")
    copies: int = Field(1, ge=1, description="changed copies of each clip that are stored; a live one hears new ones")
    gain_db: float = Field(6.0, ge=0, le=30, description="louder or softer by up to this")
    tilt_db: float = Field(6.0, ge=0, le=30, description="highest against lowest band, by up to this")
    stretch: float = Field(0.15, ge=0, lt=0.8, description="slower or faster by up to this share")
    shift_bands: float = Field(2.0, ge=0, le=20, description="the spectrum moves up or down by up to so many bands")
    seed: int = Field(0, ge=0)


class RecordedSection(LossSection):
    """The terms of the loss against the recordings."""

    pitch: float = Field(1.0, ge=0, description="weight of the pitch's cross-entropy, where the recording is voiced")


class JudgesConfig(DiscriminatorsConfig):
    """HiFi-GAN's discriminators, and one of complex spectra; null leaves one out."""

    spectral: SpectralConfig | None = SpectralConfig()


class GameSection(AdversarialSection):
    """The game against discriminators of samples and spectra."""

    discriminators: JudgesConfig = JudgesConfig()


class IstftRecipe(VocoderConfig):
    """The inverse-STFT vocoder."""

    model: IstftConfig = IstftConfig()
    losses: RecordedSection = RecordedSection()
    adversarial: GameSection = GameSection()
    teacher: TeacherSection = TeacherSection()
    distill: DistillSection = DistillSection()
    augment: AugmentSection = AugmentSection()

    def transforms(self) -> Iterable[int]:
        """Those of the teacher's terms, too."""
        weights = self.distill.weights()
        if self.losses.stft or weights["stft"] != 0:
            yield from (each.fft for each in self.losses.resolutions)

    def problems(self) -> Iterable[tuple[str, str]]:
        """A network or a teacher of another mel; terms without a teacher; nothing to learn at first."""
        yield from VocoderConfig.problems(self)
        preset = MEL_PRESETS[self.audio.mel]
        for name in ("hop_samples", "n_mels", "sample_rate"):
            if getattr(self.model, name) != getattr(preset, name):
                yield f"model.{name}", f"is {getattr(self.model, name)}, {preset.name} has {getattr(preset, name)}"
        if not (self.losses.mel or self.losses.stft) and all(
            weight_at(each, 1) == 0 for each in (self.distill.mel, self.distill.stft)
        ):
            yield "losses", "nothing is learned at step 1: give a term of losses or of distill a weight"
        if not self.losses.pitch and self.distill.pitch == 0:
            yield "losses.pitch", "nobody teaches the pitch: give it a weight here or in distill"
        if self.teacher.path is None:
            yield from self._needs_teacher()
        elif problem := vocoder_problem(self.teacher.path, preset):
            yield "teacher.path", problem

    def _needs_teacher(self) -> Iterable[tuple[str, str]]:
        asking = [f"distill.{name}" for name, weight in self.distill.weights().items() if weight != 0]
        if asking:
            why = f"{', '.join(asking)} ask{'s' if len(asking) == 1 else ''} for a teacher"
            yield "teacher.path", f"{why}: give its folder, or set 0"
