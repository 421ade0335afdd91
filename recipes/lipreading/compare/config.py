"""The configuration of the comparison of objectives."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from speechkd.config import Config, ConfigPath


class RunSection(Config):
    """Where the measurements go."""

    dir: ConfigPath = Field(description="folder of the run; created if absent")


class CorpusSection(Config):
    """The clips that the arms were trained on."""

    name: str = Field(description="the corpus's name in egs/")
    title: str = Field("", description="the corpus in words, for the table")


class FinishedRun(Config):
    """A finished run of an arm: one seed of it."""

    arm: str
    path: ConfigPath


class GradientSection(Config):
    """The study of gradients at the start."""

    clips: int = Field(16, ge=1, description="training clips, evenly spread")
    samples: int = Field(256, ge=8, description="sentences drawn per clip, for the reference and for each estimator")
    kernels: tuple[Annotated[int, Field(ge=1)], ...] = (1, 2, 3, 5, 8)
    reward: Literal["incremental", "prefix", "prefix_increment"] = "incremental"
    seed: int = Field(0, ge=0)


class BootstrapSection(Config):
    """How sure a difference is."""

    resamples: int = Field(10_000, ge=100, description="of the held-out sentences, the same for both arms")
    seed: int = Field(0, ge=0)


class ResultsSection(Config):
    """Where the table goes besides the run folder."""

    table: ConfigPath | None = Field(None, description="a RESULTS.md to keep sections in")
    label: str = Field("objectives", description="what this comparison is, in a few words")


class CompareRecipe(Config):
    """Objectives from one start, with equal updates and several seeds."""

    recipe: str
    run: RunSection
    corpus: CorpusSection
    start: ConfigPath = Field(description="the run whose model every arm continued from")
    arms: dict[str, str] = Field(min_length=2, description="by name: the arm in words, in the order of the table")
    baseline: str = Field("ce", description="the arm that the others are compared with")
    runs: tuple[FinishedRun, ...] = Field(min_length=2, description="finished runs; an arm has one per seed")
    gradients: GradientSection = GradientSection()
    bootstrap: BootstrapSection = BootstrapSection()
    results: ResultsSection = ResultsSection()

    def problems(self) -> Iterable[tuple[str, str]]:
        """Arms without runs, and runs without an arm."""
        if self.baseline not in self.arms:
            yield "baseline", f"{self.baseline!r} is none of the arms: {', '.join(self.arms)}"
        for number, each in enumerate(self.runs):
            if each.arm not in self.arms:
                yield f"runs.{number}.arm", f"{each.arm!r} is none of the arms: {', '.join(self.arms)}"
        for name in sorted(set(self.arms) - {each.arm for each in self.runs}):
            yield f"arms.{name}", "has no run"
