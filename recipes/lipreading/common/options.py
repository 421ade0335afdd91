"""What the shared stages can be told."""

from __future__ import annotations

from pydantic import Field

from speechkd.config import Config, ConfigPath


class RunSection(Config):
    """Where the run's artifacts go."""

    dir: ConfigPath = Field(description="folder of the run; created if absent")
    max_errors: int = Field(0, ge=0, description="clips that may fail in a stage before the stage fails")
    base: ConfigPath | None = Field(
        None, description="another run's folder: stages that it has finished with the same inputs are taken over"
    )


class CorpusSection(Config):
    """The clips."""

    name: str = Field(description="talker (drawn on the spot)")
    dir: ConfigPath | None = Field(None, description="folder of the corpus")
    options: dict[str, str] = Field({}, description="choices of the corpus's reader")
    limit: int = Field(0, ge=0, description="use only this many clips; 0 uses all")


class SplitSection(Config):
    """Held-out clips."""

    valid: int = Field(16, ge=1, description="clips for choosing the best weights")
    test: int = Field(32, ge=1, description="clips for the results table")
    seed: int = Field(0, ge=0)


class VideoSection(Config):
    """From video to crops."""

    height: int = Field(50, ge=8)
    width: int = Field(100, ge=8)
