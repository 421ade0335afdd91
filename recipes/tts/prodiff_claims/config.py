"""The configuration of ProDiff's claims."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from recipes.tts.common.claims.options import AudioSection, CorpusSection, ResultsSection, RunSection
from recipes.tts.prodiff_claims.rows import ROWS
from speechkd.config import Config, ConfigPath
from speechkd.models.vocoder.options import GriffinLimOptions, VocoderOptions


class SystemsSection(Config):
    """Run folders of what is compared; rows whose systems have no finished run say so."""

    teacher: ConfigPath | None = Field(None, description="ProDiff of 4 steps, learned from recordings")
    student: ConfigPath | None = Field(None, description="of 2 steps, taught by the teacher")
    direct: ConfigPath | None = Field(None, description="of 2 steps, learned from recordings")
    generator: ConfigPath | None = Field(None, description="a long chain whose clean mel is predicted")
    gradient: ConfigPath | None = Field(None, description="the same chain, its noise predicted")
    fastspeech2: ConfigPath | None = Field(None, description="FastSpeech 2 of the same size")
    joined: ConfigPath | None = Field(None, description="a student of several speakers, of whom this corpus has one")
    second: ConfigPath | None = Field(None, description="a student of another one of these speakers alone")


class ChainsSection(Config):
    """The preliminary study: one model for each form, sampled in fewer and fewer steps."""

    steps: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (2, 4, 8, 16, 32, 64, 128), min_length=3, description="numbers of steps that divide the chains of both models"
    )
    utterances: int = Field(16, ge=2, description="held-out utterances, evenly spread")

    def problems(self) -> Iterable[tuple[str, str]]:
        """Too little to tell few steps from many."""
        if list(self.steps) != sorted(set(self.steps)):
            yield "steps", "must rise: the last is the whole chain, with which the others are compared"


class TargetsSection(Config):
    """How much a student's targets vary."""

    utterances: int = Field(16, ge=1, description="held-out utterances, evenly spread")
    noises: int = Field(8, ge=2, description="draws of noise for each")


class DiversitySection(Config):
    """How varied speech is."""

    bins: int = Field(50, ge=2, description="k-means cells of mel frames")
    fitted_frames: int = Field(20000, ge=100, description="frames of training recordings that they are fitted to")
    utterances: int = Field(16, ge=1, description="held-out utterances that are said anew, evenly spread")
    noises: int = Field(4, ge=2, description="times that each is said")


class SpeedSection(Config):
    """What is timed: all systems in one process, by turns."""

    frames: tuple[Annotated[int, Field(ge=10)], ...] = Field((200, 400, 800), min_length=1)
    tokens_per_frame: float = Field(1 / 7, gt=0, le=1, description="of the texts that are spoken")
    warm_up: int = Field(3, ge=1, description="calls of each system at the shortest length that do not count")
    rounds: int = Field(9, ge=1, description="counted calls of each system at each length, after one that is not")
    threads: int = Field(1, ge=1, description="threads of torch while timing")
    device: Literal["cpu", "cuda"] = "cpu"


class SpeakersSection(Config):
    """Several speakers in one model."""

    recordings: int = Field(200, ge=2, description="training recordings of each that the classifier learns from")


class ProDiffClaimsRecipe(Config):
    """ProDiff's claims, measured on finished runs."""

    recipe: str
    run: RunSection
    corpus: CorpusSection
    systems: SystemsSection
    audio: AudioSection = AudioSection()
    vocoder: VocoderOptions = GriffinLimOptions()
    chains: ChainsSection = ChainsSection()
    targets: TargetsSection = TargetsSection()
    diversity: DiversitySection = DiversitySection()
    speed: SpeedSection = SpeedSection()
    speakers: SpeakersSection = SpeakersSection()
    causes: dict[str, str] = Field({}, description="by row: the likely cause where a direction does not hold")
    results: ResultsSection = ResultsSection()

    def problems(self) -> Iterable[tuple[str, str]]:
        """Causes of rows that there are."""
        for row in sorted(set(self.causes) - set(ROWS)):
            yield f"causes.{row}", f"there is no such row; the rows: {', '.join(ROWS)}"
