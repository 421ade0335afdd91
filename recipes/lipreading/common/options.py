"""What the shared stages of lip reading can be told."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from speechkd.config import Config, ConfigPath
from speechkd.features.mouth.films import MOST_LOST


class RunSection(Config):
    """Where the run's artifacts go."""

    dir: ConfigPath = Field(description="folder of the run; created if absent")
    max_errors: int = Field(0, ge=0, description="clips that may fail in a stage before the stage fails")
    base: ConfigPath | None = Field(None, description="another run's folder, whose equal stages are taken over")


class CorpusSection(Config):
    """The films."""

    name: Literal["grid", "grid_packed", "lrw", "lrw1000", "video_text", "talker"] = Field(description="its layout")
    dir: ConfigPath | None = Field(None, description="folder of the corpus; none for the generated talker")
    options: dict[str, str] = Field({}, description="choices of the corpus's reader")
    limit: int = Field(0, ge=0, description="use only this many clips (by id); 0 uses all")

    def problems(self) -> Iterable[tuple[str, str]]:
        """The talker is generated, not read; a reader knows its options and their values."""
        from recipes.lipreading.common.corpora import CORPORA

        known = CORPORA[self.name].options
        for option, value in sorted(self.options.items()):
            if option not in known:
                yield (
                    f"options.{option}",
                    f"corpus {self.name} has no such option; it has: {', '.join(known) or 'none'}",
                )
            elif not re.fullmatch(known[option], value):
                yield f"options.{option}", f"should look like {known[option]}"
        if self.dir is not None and self.name == "talker":
            yield "dir", "the talker is generated and has no folder; another corpus has another name"


class SplitSection(Config):
    """Held-out clips."""

    by: Literal["random", "overlapped", "unseen", "official"] = Field(
        "random", description="random: a sentence is on one side; the others as in the literature"
    )
    valid: int = Field(50, ge=0, description="clips for choosing the best weights; official has its own")
    test: int = Field(100, ge=1, description="clips for the results, when split by random")
    per_speaker: int = Field(255, ge=1, description="test clips of each speaker, when overlapped")
    speakers: tuple[str, ...] = Field(("s1", "s2", "s20", "s22"), description="speakers of the test, when unseen")
    seed: int = Field(0, ge=0)


class VideoSection(Config):
    """The mouth crops, at 25 frames per second."""

    height: int = Field(50, ge=8, le=512, description="of a crop in pixels")
    width: int = Field(100, ge=8, le=512, description="of a crop in pixels")
    window: Literal["fixed", "moving"] = Field(
        "fixed", description="of films: one window for all frames, as the GRID crops have it, or one that follows"
    )
    resample: bool = Field(False, description="of films: take other rates, and of each time the nearest frame")
    keep_broken: bool = Field(False, description="of films: take what can be decoded of one that ends too early")
    most_lost: float = Field(
        MOST_LOST, ge=0, le=1, description="of films: largest share of frames without a face; above, the clip fails"
    )
