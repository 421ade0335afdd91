"""The configuration of the FastSpeech 2s recipe."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from recipes.tts.common.init import InitSection, init_problems
from recipes.tts.common.options import TtsConfig
from recipes.tts.fastspeech2.config import AugmentSection, LoadingSection, LossSection
from speechkd.audio.presets import MEL_PRESETS
from speechkd.config import Config, ConfigPath
from speechkd.losses.spectral_config import PUBLISHED, Resolution
from speechkd.models.tts.config import NetworkConfig
from speechkd.models.tts.fastspeech2s_config import WaveformConfig, excitation_problems, step_problems
from speechkd.models.vocoder.discriminator_config import DiscriminatorConfig
from speechkd.training.options import AdversarialTrainOptions


class SlicedNetworkConfig(NetworkConfig):
    """Sizes of a FastSpeech 2 with a waveform decoder; the defaults are the paper's."""

    waveform: WaveformConfig = WaveformConfig()

    def trunk(self) -> NetworkConfig:
        """Everything but the waveform decoder."""
        return NetworkConfig(**{name: getattr(self, name) for name in NetworkConfig.model_fields})

    def problems(self) -> Iterable[tuple[str, str]]:
        """An excitation that has no F0 to follow."""
        yield from NetworkConfig.problems(self)
        yield from excitation_problems(self.waveform, self.pitch)


class SlicesSection(Config):
    """Which stretches of a batch are turned into samples; whole utterances would not fit into memory."""

    frames: int = Field(80, ge=1, description="length of a slice; 80 frames of 256 samples are the paper's 20,480")
    per_batch: int = Field(0, ge=0, description="slices of a batch, each of another utterance; 0: one of each")


class SpectralSection(Config):
    """The multi-resolution STFT loss."""

    weight: float = Field(1.0, gt=0)
    resolutions: tuple[Resolution, ...] = Field(PUBLISHED, min_length=1)


class AdversarialSection(Config):
    """The game against a discriminator of samples."""

    weight: float = Field(4.0, ge=0, description="of the adversarial loss; 0: there is no game")
    start_step: int = Field(100_000, ge=1, description="first step of the game; until then samples learn spectra alone")
    discriminator: DiscriminatorConfig = DiscriminatorConfig()


class SlicedInitSection(InitSection):
    """What training starts from: a FastSpeech 2s as a whole, or a FastSpeech 2 as its trunk."""

    trunk: ConfigPath | None = Field(
        None, description="folder `model` of a FastSpeech 2 of the same sizes, whose weights the trunk starts from"
    )
    freeze: bool = Field(False, description="the trunk keeps those weights: only the waveform decoder is trained")

    def problems(self) -> Iterable[tuple[str, str]]:
        """Two starts, and what a trunk cannot be asked for."""
        yield from InitSection.problems(self)
        if self.freeze and self.trunk is None and self.voice is None:
            yield "freeze", "without init.trunk or init.voice the trunk would never learn anything"
        if self.trunk is None:
            return
        if self.voice is not None:
            yield "trunk", "init.voice has a trunk of its own: give one of the two"
        elif self.statistics == "voice":
            yield "statistics", "the trunk keeps the scales of the corpus: only init.voice has others"


class FastSpeech2sRecipe(TtsConfig):
    """FastSpeech 2s."""

    model: SlicedNetworkConfig = SlicedNetworkConfig()
    augment: AugmentSection = AugmentSection()
    loading: LoadingSection = LoadingSection()
    loss: LossSection = LossSection()
    slices: SlicesSection = SlicesSection()
    spectral: SpectralSection = SpectralSection()
    adversarial: AdversarialSection = AdversarialSection()
    init: SlicedInitSection | None = Field(None, description="the voice or the trunk that training starts from")
    train: AdversarialTrainOptions

    def problems(self) -> Iterable[tuple[str, str]]:
        """Slices that the STFT loss cannot see, a voice that training cannot start from."""
        yield from TtsConfig.problems(self)  # not super(): what is looked at may be a stand-in with a part of the keys
        yield from init_problems(self.init, "fastspeech2s", self.audio.mel)
        hop_samples = MEL_PRESETS[self.audio.mel].hop_samples
        yield from step_problems("model.waveform.samples_per_step", self.model.waveform, hop_samples)
        n_samples = self.slices.frames * hop_samples
        longest = max(resolution.fft for resolution in self.spectral.resolutions)
        if n_samples <= longest:
            why = (
                f"{self.slices.frames} frames are {n_samples} samples, the longest transform of the loss has {longest}"
            )
            yield "slices.frames", f"{why}; slices must be longer"
