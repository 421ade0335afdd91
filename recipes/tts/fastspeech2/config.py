"""The configuration of the FastSpeech 2 recipe."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from recipes.tts.common.init import InitSection, init_problems
from recipes.tts.common.options import TtsConfig
from speechkd.config import Config, ConfigPath
from speechkd.models.tts.config import NetworkConfig
from speechkd.training.options import TrainOptions


class AugmentSection(Config):
    """What keeps the model from learning utterances by heart."""

    crop: float = Field(0.0, ge=0, le=1, description="share of training utterances cut to a random stretch of words")
    own_variances: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of training utterances whose mels are made of predicted pitch and energy, as in speaking",
    )


class LossSection(Config):
    """What is minimised besides durations, pitch and energy."""

    mel: Literal["l1", "mse", "both", "frame"] = Field(
        "l1", description="difference of log mels; l1 is the paper's; frame: root mean square over the bands of a frame"
    )


class LoadingSection(Config):
    """How features are read while training."""

    window_shards: int = Field(
        0, ge=0, description="0: any utterance at any time; else read from front to back, this many shards at a time"
    )


class TeachersSection(Config):
    """Finished models that read texts to this one: their mean is a better model than each, and texts are unlimited."""

    models: tuple[ConfigPath, ...] = Field(
        min_length=1,
        description="folders `model` of finished runs of tts/fastspeech2 on the same corpus, whose mels are averaged",
    )
    prosody: ConfigPath | None = Field(
        None, description="another such folder, which tells pitch and energy alone: for `models` that have none"
    )
    texts: ConfigPath | None = Field(
        None, description="a file with a sentence per line, which nobody needs to have recorded; to be given"
    )
    share: float = Field(0.5, gt=0, lt=1, description="share of the batches that are texts; the others are recordings")
    start: Literal["random", "first"] = Field(
        "random", description="first: from the weights of the first of `models`, as far as they fit"
    )

    def folders(self) -> tuple[ConfigPath, ...]:
        """Of all teachers."""
        return self.models if self.prosody is None else (*self.models, self.prosody)


class FastSpeech2Recipe(TtsConfig):
    """FastSpeech 2 on one speaker."""

    model: NetworkConfig = NetworkConfig()
    augment: AugmentSection = AugmentSection()
    loading: LoadingSection = LoadingSection()
    loss: LossSection = LossSection()
    teachers: TeachersSection | None = Field(None, description="a student's; absent: recordings alone")
    init: InitSection | None = Field(None, description="fine-tuning: the voice that training starts from")
    train: TrainOptions

    def problems(self) -> Iterable[tuple[str, str]]:
        """A voice that training cannot start from."""
        yield from TtsConfig.problems(self)  # not super(): what is looked at may be a stand-in with a part of the keys
        yield from init_problems(self.init, "fastspeech2", self.audio.mel)
        if self.teachers is not None and self.model.pitch.target == "cwt":
            yield "teachers", "tell pitch as F0, not as its wavelet transform: set model.pitch.target f0, or none"
        if self.teachers is not None and self.teachers.start == "first" and self.init and self.init.voice:
            yield "teachers.start", "training starts from init.voice already: take one of the two"
