"""What every recipe of claims can be told."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from recipes.tts.common.options import _known_preset
from speechkd.config import Config, ConfigPath


class RunSection(Config):
    """Where the measurements go."""

    dir: ConfigPath = Field(description="folder of the run; created if absent")


class CorpusSection(Config):
    """The recordings that the systems were trained on."""

    name: str = Field(description="the corpus's name in egs/")
    title: str = Field("", description="the corpus in words, for the table")


class AudioSection(Config):
    """How mels become sound; the same for all systems."""

    mel: Annotated[str, BeforeValidator(_known_preset)] = Field("hifigan_22k", description="the systems' mel preset")
    vocoder_level_db: float = Field(
        0.0, ge=-40, le=40, description="HiFi-GAN is fed mels shifted by this, and its samples are shifted back"
    )


class ResultsSection(Config):
    """Where the table goes besides the run folder."""

    table: ConfigPath | None = Field(None, description="a CLAIMS.md to write")
