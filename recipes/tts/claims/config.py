"""The configuration of the claims recipe."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from recipes.tts.claims.rows import ROWS
from recipes.tts.common.claims.options import AudioSection, CorpusSection, ResultsSection, RunSection
from speechkd.config import Config, ConfigPath
from speechkd.models.vocoder.options import GriffinLimOptions, VocoderOptions


class SystemsSection(Config):
    """Run folders of what is compared; rows whose systems have no finished run say so."""

    teacher: ConfigPath | None = Field(None, description="Transformer TTS; absent: the teacher in fastspeech's run")
    fastspeech: ConfigPath | None = Field(None, description="taught by the teacher's own mels")
    fastspeech_gt: ConfigPath | None = Field(None, description="taught durations only, mels of recordings")
    fastspeech_fc: ConfigPath | None = Field(None, description="fully connected layers instead of convolutions")
    fastspeech2: ConfigPath | None = Field(None, description="the one that is measured where one is enough")
    fastspeech2_paper: ConfigPath | None = Field(None, description="pitch by wavelet transform, per frame")
    fastspeech2_no_cwt: ConfigPath | None = Field(None, description="the same with F0 itself")
    fastspeech2_no_energy: ConfigPath | None = Field(None, description="fastspeech2 without energy")
    fastspeech2_no_pitch: ConfigPath | None = Field(None, description="fastspeech2 without pitch")
    fastspeech2_neither: ConfigPath | None = Field(None, description="fastspeech2 without pitch and energy")
    fastspeech2_phoneme: ConfigPath | None = Field(None, description="pitch and energy per phoneme")
    fastspeech2s: ConfigPath | None = Field(None, description="tokens to waveform without mels")


class TextSection(Config):
    """From the hard sentences to tokens, as in the systems' own runs."""

    language: str = Field("en-us", pattern=r"^en(-[a-z]+)?$")
    lexicon: ConfigPath | None = Field(None, description="your own pronunciations, one `WORD  PH ON ES` per line")
    day_first: bool = Field(False, description="03/04/2026 is the third of April")


class SpeedSection(Config):
    """What is timed: all systems in one process, by turns."""

    frames: tuple[Annotated[int, Field(ge=10)], ...] = Field((100, 200, 400, 560, 800), min_length=1)
    tokens_per_frame: float = Field(1 / 7, gt=0, le=1, description="of the texts that are spoken")
    warm_up: int = Field(3, ge=1, description="calls of each system at the shortest length that do not count")
    rounds: int = Field(7, ge=1, description="counted calls of each system at each length, after one that is not")
    slow_rounds: int = Field(2, ge=1, description="the same for the teacher without cache, which computes all anew")
    threads: int = Field(0, ge=0, description="threads of torch while timing; 0: one per core of this machine")
    published: bool = Field(True, description="also time untrained networks of the published sizes")
    device: Literal["cpu", "cuda"] = "cpu"


class RobustnessSection(Config):
    """The hard sentences."""

    sentences: int = Field(0, ge=0, description="use only this many of each category; 0 uses all")
    controls: int = Field(48, ge=0, description="held-out recordings with which the listener itself is tested")
    backward_tokens: int = Field(2, ge=1, description="a step of the attention back by at least so many is a jump")


class ControlSection(Config):
    """What control is tried on."""

    utterances: int = Field(16, ge=1, description="held-out utterances, evenly spread")
    alphas: tuple[Annotated[float, Field(gt=0)], ...] = Field((0.5, 0.75, 1.0, 1.25, 1.5), min_length=2)
    break_frames: int = Field(40, ge=8, description="frames that are added at word boundaries")

    def problems(self) -> Iterable[tuple[str, str]]:
        """Everything is compared with alpha = 1."""
        if 1.0 not in self.alphas:
            yield "alphas", "must hold 1.0, with which the others are compared"


class TargetsSection(Config):
    """Distilled targets against recordings."""

    utterances: int = Field(1000, ge=1, description="training utterances, evenly spread")


class DurationsSection(Config):
    """Boundaries against a reference."""

    reference: ConfigPath | None = Field(None, description="folder of TextGrids; absent: the corpus's own, if it has")
    skip_even: bool = Field(
        False,
        description="leave out every other id of the reference, from the first: the aligner was calibrated on them",
    )
    teacher_utterances: int = Field(300, ge=1, description="utterances that the teacher listens to, evenly spread")


class TrainingSection(Config):
    """The steps of training that are timed, of all systems by turns."""

    steps: int = Field(30, ge=1, description="counted steps of each system in a round")
    warm_up: int = Field(10, ge=1, description="steps before them that do not count")
    rounds: int = Field(2, ge=1, description="of which the median counts")
    threads: int = Field(1, ge=1, description="threads of torch while timing")


class PitchSection(Config):
    """The pitch of what is spoken."""

    f0: Literal["dio", "harvest"] = Field("harvest", description="WORLD's pitch tracker; StoneMask refines either")


class AblationSection(Config):
    """Mel losses of all systems, in evaluation mode."""

    train_utterances: int = Field(100, ge=1, description="training utterances, evenly spread, for the gap")


class ClaimsRecipe(Config):
    """The papers' claims, measured on finished runs."""

    recipe: str
    run: RunSection
    corpus: CorpusSection
    systems: SystemsSection
    text: TextSection = TextSection()
    audio: AudioSection = AudioSection()
    vocoder: VocoderOptions = GriffinLimOptions()
    speed: SpeedSection = SpeedSection()
    robustness: RobustnessSection = RobustnessSection()
    control: ControlSection = ControlSection()
    targets: TargetsSection = TargetsSection()
    durations: DurationsSection = DurationsSection()
    training: TrainingSection = TrainingSection()
    pitch: PitchSection = PitchSection()
    ablation: AblationSection = AblationSection()
    causes: dict[str, str] = Field({}, description="by row: the likely cause where a direction does not hold")
    results: ResultsSection = ResultsSection()

    def problems(self) -> Iterable[tuple[str, str]]:
        """Causes of rows that there are."""
        for row in sorted(set(self.causes) - set(ROWS)):
            yield f"causes.{row}", f"there is no such row; the rows: {', '.join(ROWS)}"
