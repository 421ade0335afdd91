"""The configuration of the FastSpeech 2 recipe."""

from __future__ import annotations

from pydantic import Field

from recipes.tts.common.options import TtsConfig
from speechkd.config import Config
from speechkd.models.tts.config import NetworkConfig
from speechkd.training.options import TrainOptions


class AugmentSection(Config):
    """What keeps the model from learning utterances by heart."""

    crop: float = Field(0.0, ge=0, le=1, description="share of training utterances cut to a random stretch of words")


class FastSpeech2Recipe(TtsConfig):
    """FastSpeech 2 on one speaker."""

    model: NetworkConfig = NetworkConfig()
    augment: AugmentSection = AugmentSection()
    train: TrainOptions
