"""The configuration of the recipe for spelling to sound."""

from __future__ import annotations

from pydantic import Field

from speechkd.config import Config, ConfigPath
from speechkd.models.g2p.config import G2pNetworkConfig
from speechkd.training.options import TrainOptions


class RunSection(Config):
    """Where the run's artifacts go."""

    dir: ConfigPath = Field(description="folder of the run; created if absent")


class SplitSection(Config):
    """Held-out words, drawn by chance; all pronunciations of a word are on one side."""

    valid: int = Field(2000, ge=1, description="words for choosing the best weights")
    test: int = Field(5000, ge=1, description="words for the results table")
    seed: int = Field(0, ge=0)
    limit: int = Field(0, ge=0, description="use only this many words, spread over the alphabet; 0 uses all")


class AlignSection(Config):
    """Which letter makes which phones."""

    rounds: int = Field(6, ge=1, description="rounds of expectation-maximisation")
    fewest: int = Field(5, ge=1, description="phones of a letter that occur less often are not learnt, nor their words")


class G2pTrainOptions(TrainOptions):
    """One training run."""

    batch_frames: int = Field(2048, ge=1, description="letters per batch, padding included")
    label_smoothing: float = Field(0.1, ge=0, lt=1, description="share of the target that goes to all tags alike")


class PackSection(Config):
    """The weights in the form in which the package ships them."""

    to: ConfigPath | None = Field(None, description="a folder to copy them to, e.g. speechkd/text/weights")


class ScoreSection(Config):
    """What is measured."""

    speed_words: int = Field(1000, ge=1, description="test words with which the speeds are measured")


class ResultsSection(Config):
    """Where the results go besides the run folder."""

    table: ConfigPath | None = Field(None, description="a RESULTS.md to keep the tables in")
    label: str = Field("run", description="what this run is, in a few words")


class G2pRecipe(Config):
    """Spelling to sound, from the CMU dictionary."""

    recipe: str
    run: RunSection
    split: SplitSection = SplitSection()
    align: AlignSection = AlignSection()
    model: G2pNetworkConfig = G2pNetworkConfig()
    train: G2pTrainOptions
    pack: PackSection = PackSection()
    score: ScoreSection = ScoreSection()
    results: ResultsSection = ResultsSection()
