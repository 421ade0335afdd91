"""What the shared stages of the vocoder recipes can be told; each recipe adds its generator."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from recipes.tts.common.options import CorpusSection, MelSection, RunSection, SplitSection
from speechkd.audio.presets import MEL_PRESETS
from speechkd.config import Config, ConfigPath
from speechkd.losses.spectral_config import PUBLISHED, Resolution
from speechkd.models.vocoder.discriminators_config import DiscriminatorsConfig
from speechkd.models.vocoder.files import vocoder_problem
from speechkd.training.options import AdversarialTrainOptions

_FILE_NAME = re.compile(r"[A-Za-z0-9._-]{1,60}")


class PredictedSection(Config):
    """Mels that an acoustic model predicts of the same utterances, to learn what it will be fed with."""

    predicted: ConfigPath | None = Field(
        None, description="folder `model` within a finished run of an acoustic model that can be given durations"
    )
    variances: Literal["true", "predicted"] = Field(
        "true", description="pitch and energy behind predicted mels: the recording's, or the acoustic model's own"
    )
    share: float = Field(1.0, gt=0, le=1, description="of the training slices whose mel is the predicted one")

    def problems(self) -> Iterable[tuple[str, str]]:
        """A folder that is no model."""
        if self.predicted is not None and not (self.predicted / "model.json").is_file():
            yield "predicted", f"there is no model.json in {self.predicted}; give the folder `model` of a run"


class SlicesSection(Config):
    """Which stretches of the recordings are learned from."""

    frames: int = Field(32, ge=4, description="length in training; 32 frames of 256 samples are HiFi-GAN's 8,192")
    valid_frames: int = Field(128, ge=4, description="length in validation, from the middle of each recording")


class LossSection(Config):
    """The terms of the generator's loss beside the game's verdicts."""

    mel: float = Field(45.0, ge=0, description="weight of the L1 of log mels up to half the sample rate")
    matching: float = Field(2.0, ge=0, description="weight of feature matching, while the game is on")
    stft: float = Field(0.0, ge=0, description="weight of the multi-resolution STFT loss")
    resolutions: tuple[Resolution, ...] = Field(PUBLISHED, min_length=1)


class AdversarialSection(Config):
    """The game against discriminators of samples."""

    weight: float = Field(1.0, ge=0, description="of the adversarial loss; 0: there is no game")
    start_step: int = Field(1, ge=1, description="first step of the game; until then spectra alone are learned")
    share: float = Field(
        1.0,
        gt=0,
        le=1,
        description="of the slices of a batch that are judged; the game costs more than all other terms",
    )
    discriminators: DiscriminatorsConfig = DiscriminatorsConfig()


class InitSection(Config):
    """What training starts from."""

    path: ConfigPath | None = Field(
        None, description="a generator of the same sizes and mel, published or trained here: its file or folder"
    )
    discriminators: ConfigPath | None = Field(
        None, description="folder `discriminators` of a run of the same sizes; absent: they start anew"
    )


class ComparedVocoder(Config):
    """A finished vocoder that the same held-out clips are put through."""

    label: str = Field(pattern=r"^[A-Za-z0-9][\w ,()+-]{0,59}$", description="its row in the table")
    path: ConfigPath = Field(description="checkpoint of the generator, or the folder that holds it")
    level_db: float = Field(0.0, ge=-40, le=40, description="it is fed mels shifted by this; its samples shifted back")


def folder_of(label: str) -> str:
    """A compared vocoder's label as the name of a folder."""
    return "compare_" + re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")


class VocoderScoreSection(Config):
    """What is measured besides mels, pitch and periodicity; each needs its package (the extra `metrics`)."""

    pesq: bool = Field(True, description="wide-band PESQ, by the package pesq, which is compiled where it is installed")
    stoi: bool = Field(True, description="intelligibility, by the package pystoi")


class VocoderResultsSection(Config):
    """Where the results row goes besides the run folder."""

    table: ConfigPath | None = Field(None, description="a RESULTS.md to keep a row in")
    label: str = Field("run", description="what this row is, in a few words")
    conf: str = Field("hifigan", description="this configuration's name for run.sh, shown in the table")


class VocoderConfig(Config):
    """The sections that every vocoder recipe has."""

    recipe: str
    run: RunSection
    corpora: tuple[CorpusSection, ...] = Field(min_length=1, description="all recordings to learn from")
    split: SplitSection = SplitSection()
    audio: MelSection = MelSection()
    mels: PredictedSection = PredictedSection()
    slices: SlicesSection = SlicesSection()
    losses: LossSection = LossSection()
    adversarial: AdversarialSection = AdversarialSection()
    init: InitSection = InitSection()
    train: AdversarialTrainOptions
    compare: tuple[ComparedVocoder, ...] = Field((), description="vocoders to measure beside this one")
    score: VocoderScoreSection = VocoderScoreSection()
    results: VocoderResultsSection = VocoderResultsSection()

    def transforms(self) -> Iterable[int]:
        """Lengths of the transforms of slices that the loss takes."""
        return [each.fft for each in self.losses.resolutions if self.losses.stft]

    def problems(self) -> Iterable[tuple[str, str]]:
        """What cannot work together: said before the training, not after it."""
        yield from _corpora_problems(self.corpora)
        yield from _slice_problems(self)
        yield from _compare_problems(self)
        if self.init.path is not None and (problem := vocoder_problem(self.init.path, MEL_PRESETS[self.audio.mel])):
            yield "init.path", problem


def _corpora_problems(corpora: Iterable[CorpusSection]) -> Iterable[tuple[str, str]]:
    seen: set[str] = set()
    for index, corpus in enumerate(corpora):
        if not _FILE_NAME.fullmatch(corpus.name):
            yield f"corpora.{index}.name", "becomes part of file names: use letters, digits, and . _ - only"
        if corpus.name in seen:
            yield f"corpora.{index}.name", f"two corpora are called {corpus.name}; their clips could not be told apart"
        seen.add(corpus.name)


def _slice_problems(cfg: VocoderConfig) -> Iterable[tuple[str, str]]:
    preset = MEL_PRESETS[cfg.audio.mel]
    longest = max([preset.n_fft, *cfg.transforms()])
    for name in ("frames", "valid_frames"):
        n_frames: int = getattr(cfg.slices, name)
        if n_frames * preset.hop_samples < longest:
            why = f"{n_frames} frames are {n_frames * preset.hop_samples} samples"
            yield f"slices.{name}", f"{why}, the longest transform has {longest}; slices must be longer"
    if cfg.train.batch_frames < cfg.slices.frames:
        yield "train.batch_frames", f"{cfg.train.batch_frames} holds no slice of {cfg.slices.frames} frames"


def _compare_problems(cfg: VocoderConfig) -> Iterable[tuple[str, str]]:
    folders: set[str] = set()
    for index, each in enumerate(cfg.compare):
        if folder_of(each.label) in folders:
            yield f"compare.{index}.label", f"another vocoder is labelled almost like {each.label}"
        folders.add(folder_of(each.label))
        if problem := vocoder_problem(each.path, MEL_PRESETS[cfg.audio.mel]):
            yield f"compare.{index}.path", problem
