"""The configuration of the FastSpeech recipe."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

from pydantic import Field

from recipes.tts.common.init import InitSection, init_problems
from recipes.tts.common.options import TtsConfig
from recipes.tts.transformer.config import TransformerSections
from speechkd.config import Config, ConfigPath
from speechkd.models.tts.fastspeech_config import FastSpeechNetwork
from speechkd.training.options import TrainOptions


class TeacherSection(Config):
    """Who teaches: a Transformer TTS that is there already, or one that is trained in this run."""

    hints: ClassVar[dict[str, str]] = dict.fromkeys(
        ("network", "train", "guide", "augment", "check"), "how a teacher is trained here stands under teacher.own"
    ) | {"head": "the teacher's own training chooses it, by validation utterances"}

    model: ConfigPath | None = Field(
        None, description="folder `model` of a finished run of tts/transformer; absent: one is trained in this run"
    )
    own: TransformerSections | None = Field(None, description="the sections of tts/transformer to train it with")

    def problems(self) -> Iterable[tuple[str, str]]:
        """No teacher, or two."""
        if (self.model is None) == (self.own is None):
            yield "model", "give either a finished teacher (teacher.model) or how to train one (teacher.own)"


class TargetSection(Config):
    """What the teacher hands over, and what of it is good enough."""

    source: Literal["kd", "gt"] = Field(
        "kd",
        description="kd: the teacher's own speech with the attention of that pass; gt: the recordings, with the "
        "attention of the teacher-forced pass over them",
    )
    path: Literal["argmax", "monotone"] = Field(
        "argmax",
        description="argmax: frames are counted where they look most; monotone: the best path that never turns",
    )
    focus_threshold: float = Field(
        0.5,
        ge=0,
        le=1,
        description="least focus rate of an utterance; at 0.5 the token that a frame is counted for has, on average, "
        "as much of its attention as all others together",
    )
    teacher_focus: float = Field(
        0.5, ge=0, le=1, description="least mean focus rate of the teacher's best head; below, no durations are taken"
    )
    shortest: float = Field(0.5, ge=0, description="kd: frames of an utterance by those of its recording, at least")
    longest: float = Field(
        2.0, gt=0, description="kd: where the teacher is stopped; what has not ended by then is left out"
    )
    seed: int = Field(1234, ge=0, description="of the teacher's prenet")
    device: Literal["cpu", "cuda"] = Field("cpu", description="where the teacher speaks; the bytes depend on it")

    def problems(self) -> Iterable[tuple[str, str]]:
        """No length is allowed."""
        if self.shortest >= self.longest:
            yield "shortest", f"{self.shortest:g} leaves no length below targets.longest {self.longest:g}"


class LossSection(Config):
    """The two terms of the loss."""

    mel: Literal["mse", "l1"] = Field("mse", description="distance of the mels")
    mel_weight: float = Field(1.0, gt=0)
    duration_weight: float = Field(1.0, gt=0)


class FastSpeechRecipe(TtsConfig):
    """FastSpeech, taught by a Transformer TTS."""

    model: FastSpeechNetwork = FastSpeechNetwork()
    teacher: TeacherSection
    targets: TargetSection = TargetSection()
    loss: LossSection = LossSection()
    init: InitSection | None = Field(None, description="fine-tuning: the voice that training starts from")
    train: TrainOptions

    def problems(self) -> Iterable[tuple[str, str]]:
        """A voice that training cannot start from."""
        yield from TtsConfig.problems(self)  # not super(): what is looked at may be a stand-in with a part of the keys
        yield from init_problems(self.init, "fastspeech", self.audio.mel)
