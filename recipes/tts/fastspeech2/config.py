"""The configuration of the FastSpeech 2 recipe."""

from __future__ import annotations

from recipes.tts.common.options import TtsConfig
from speechkd.models.tts.config import NetworkConfig
from speechkd.training.options import TrainOptions


class FastSpeech2Recipe(TtsConfig):
    """FastSpeech 2 on one speaker."""

    model: NetworkConfig = NetworkConfig()
    train: TrainOptions
