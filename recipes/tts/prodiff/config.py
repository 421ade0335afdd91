"""The configuration of the ProDiff recipe."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from recipes.tts.common.options import TtsConfig
from recipes.tts.fastspeech2.config import AugmentSection, LoadingSection
from speechkd.config import Config, ConfigPath
from speechkd.models.tts.prodiff_config import ProDiffNetworkConfig
from speechkd.training.options import TrainOptions

# In less than a window and its margins the similarity of two mels is one of their edges.
SHORTEST_SLICE = 16


class DiffusionSection(Config):
    """How many denoising steps there are, and what is learned of them."""

    steps: int = Field(4, ge=1, description="denoiser calls for an utterance; a student's are fewer than its teacher's")
    parameterisation: Literal["generator", "gradient"] = Field(
        "generator", description="generator: the clean mel is predicted; gradient: the noise, for comparison"
    )
    beta_min: float = Field(0.1, gt=0)
    beta_max: float = Field(40.0, gt=0)
    sampler: Literal["matched", "released"] = Field(
        "matched",
        description="how a student goes on after a step: to the level that it learned, or as the paper's code does",
    )


class TeacherSection(Config):
    """Whose steps are halved. A run with this section trains a student, which starts from the teacher's weights."""

    model: ConfigPath = Field(
        description="folder `model` of a finished run of tts/prodiff with twice diffusion.steps, or 2^rounds times"
    )
    rounds: int = Field(1, ge=1, le=10, description="halvings, each by train.max_steps: the student teaches the next")


class SlicesSection(Config):
    """How much of an utterance is denoised in a training step; the encoder always reads all of it."""

    frames: int = Field(
        0, ge=0, description=f"a stretch of so many frames, {SHORTEST_SLICE} or more; 0: whole utterances"
    )

    def problems(self) -> Iterable[tuple[str, str]]:
        """Stretches that are all margin."""
        if 0 < self.frames < SHORTEST_SLICE:
            yield "frames", f"{self.frames} is too short: 0, or {SHORTEST_SLICE} and more"


class LossSection(Config):
    """The weights of what a teacher learns from recordings."""

    l1: float = Field(0.5, ge=0, description="generator: mean absolute difference of decadic log mels")
    ssim: float = Field(0.5, ge=0, description="generator: 1 - structural similarity of decadic log mels")
    variance: float = Field(0.1, gt=0, description="each of durations, pitch and energy")

    def problems(self) -> Iterable[tuple[str, str]]:
        """Nothing to learn the mel by."""
        if self.l1 + self.ssim == 0:
            yield "l1", "with loss.ssim 0 as well, nothing would teach the denoiser"


class ProDiffRecipe(TtsConfig):
    """A ProDiff that learns from recordings; with a teacher, one that takes half its steps."""

    model: ProDiffNetworkConfig = ProDiffNetworkConfig()
    diffusion: DiffusionSection = DiffusionSection()
    teacher: TeacherSection | None = Field(None, description="a student's; absent: trained on recordings")
    slices: SlicesSection = SlicesSection()
    augment: AugmentSection = AugmentSection()
    loading: LoadingSection = LoadingSection()
    loss: LossSection = LossSection()
    train: TrainOptions

    def problems(self) -> Iterable[tuple[str, str]]:
        """What means nothing for a student, or for a teacher."""
        yield from TtsConfig.problems(self)  # not super(): what is looked at may be a stand-in with a part of the keys
        diffusion, gradient = self.diffusion, self.diffusion.parameterisation == "gradient"
        if self.teacher is None:
            if diffusion.sampler != "matched":
                yield "diffusion.sampler", "is a student's: a teacher's levels are sampled one by one"
        else:
            if gradient:
                yield "diffusion.parameterisation", "only a generator can teach or be taught"
            if self.loss != LossSection():
                yield "loss", "a student learns what its teacher says, by L1 alone; these weights are a teacher's"
        default = LossSection()
        if gradient and (self.loss.l1, self.loss.ssim) != (default.l1, default.ssim):
            yield "loss", "l1 and ssim compare mels, and with parameterisation gradient the noise is predicted"
