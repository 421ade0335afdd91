"""The configuration of the PCPG recipe."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from recipes.lipreading.common.options import CorpusSection, RunSection, SplitSection, VideoSection
from speechkd.config import Config, ConfigPath
from speechkd.distill.schedules import Ramp, Weight
from speechkd.models.lipreading.config import LipReaderConfig
from speechkd.training.options import TrainOptions


class AugmentSection(Config):
    """What keeps the model from learning clips by heart; equal for every objective."""

    flip: float = Field(0.5, ge=0, le=1, description="share of training clips that are mirrored")
    shift_pixels: int = Field(2, ge=0, description="clips are moved up to this far, down and across")
    mask_frames: int = Field(6, ge=0, description="longest stretch of frames that is hidden; 0 hides none")
    masks: int = Field(1, ge=0, description="such stretches per clip")


class CurriculumSection(Config):
    """Short clips first; equal for every objective."""

    epochs: int = Field(0, ge=0, description="epochs until all clips are used; 0: from the start")
    start: float = Field(0.3, gt=0, le=1, description="share of the clips in the first epoch, the shortest")


class LossSection(Config):
    """The discriminative part of the loss, which every objective has."""

    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the target that goes to all characters alike")
    ctc: float = Field(0.0, ge=0, description="weight of connectionist temporal classification; needs model.ctc")


class CrossEntropyOptions(Config):
    """Cross-entropy alone."""

    name: Literal["ce"] = "ce"


class PolicyOptions(Config):
    """A policy gradient beside cross-entropy: (1 - w) · CE + w · scale · policy."""

    samples: int = Field(4, ge=1, description="sentences drawn per clip")
    baseline: Literal["none", "moving_average", "leave_one_out", "greedy"] = "leave_one_out"
    normalise: bool = Field(False, description="advantages by their deviation over the minibatch")
    weight: Weight = Field(Ramp(from_step=0, to_step=200, start=0.0, end=0.5), description="w, by step")
    match_norm: bool = Field(
        True, description="scale: at the start, the policy's gradient has the norm of that of CE; else scale is 1"
    )
    match_batches: int = Field(8, ge=1, description="batches over which norms are measured")

    def problems(self) -> Iterable[tuple[str, str]]:
        """A baseline of others needs others."""
        if self.baseline == "leave_one_out" and self.samples < 2:
            yield "samples", "leave_one_out compares the samples of a clip: draw at least 2"


class TerminalOptions(PolicyOptions):
    """REINFORCE: all steps are credited with 1 - CER of the sentence."""

    name: Literal["terminal"] = "terminal"


StepReward = Literal["incremental", "prefix", "prefix_increment"]


class RewardToGoOptions(PolicyOptions):
    """Each step is credited with the rewards from it on."""

    name: Literal["reward_to_go"] = "reward_to_go"
    reward: StepReward = "incremental"


class PcpgOptions(PolicyOptions):
    """The pseudo-convolution: rewards and losses are averaged over windows of steps."""

    name: Literal["pcpg"] = "pcpg"
    reward: Literal["incremental", "prefix", "prefix_increment", "terminal"] = "incremental"
    kernel: int = Field(5, ge=1, description="k: steps in a window")
    stride: int = Field(1, ge=1, description="s: steps from a window to the next")

    def problems(self) -> Iterable[tuple[str, str]]:
        """Steps between windows."""
        yield from PolicyOptions.problems(self)
        if self.stride > self.kernel:
            yield (
                "stride",
                f"{self.stride} is longer than the kernel {self.kernel}: steps between them learn nothing",
            )


Objective = Annotated[
    CrossEntropyOptions | TerminalOptions | RewardToGoOptions | PcpgOptions, Field(discriminator="name")
]


class InitSection(Config):
    """A finished model to continue from."""

    path: ConfigPath = Field(description="folder `model` of a finished run")
    freeze_batch_norm: bool = Field(True, description="its batch statistics stay as they are")


class DecodeSection(Config):
    """How held-out clips are read."""

    beam: int = Field(5, ge=1, description="width of the beam, beside greedy reading")
    length_power: float = Field(0.0, ge=0, description="log p of a sentence is divided by its length to this power")
    nearest: bool = Field(False, description="of word corpora: also the nearest of all words that were trained on")


class ThroughputSection(Config):
    """What is timed."""

    clips: int = Field(32, ge=1, description="clips in a batch")
    rounds: int = Field(3, ge=1, description="timed steps, after one that is not")


class ResultsSection(Config):
    """Where the results go besides the run folder."""

    table: ConfigPath | None = Field(None, description="a RESULTS.md to keep a section in")
    label: str = Field("run", description="what this run is, in a few words")
    conf: str = Field("ce", description="this configuration's name for run.sh, shown in the table")
    folder: str = Field("", description="the folder of that run.sh in egs/; absent: by the corpus's name")
    title: str = Field("", description="the corpus in words, for tables")
    licence: str = Field("", description="licence of the clips")


class PcpgRecipe(Config):
    """Lip reading with attention: cross-entropy, and policy gradients from there."""

    recipe: str
    run: RunSection
    corpus: CorpusSection
    split: SplitSection = SplitSection()
    video: VideoSection = VideoSection()
    model: LipReaderConfig = LipReaderConfig()
    augment: AugmentSection = AugmentSection()
    curriculum: CurriculumSection = CurriculumSection()
    loss: LossSection = LossSection()
    objective: Objective = CrossEntropyOptions()
    init: InitSection | None = Field(None, description="continue from a finished model; absent: from chance")
    train: TrainOptions
    decode: DecodeSection = DecodeSection()
    films: tuple[ConfigPath, ...] | None = Field(
        None, description="folders of films, each beside its .align or .txt: read as well, from the file on"
    )
    throughput: ThroughputSection = ThroughputSection()
    results: ResultsSection = ResultsSection()

    def problems(self) -> Iterable[tuple[str, str]]:
        """What cannot work together."""
        if self.loss.ctc and not self.model.ctc:
            yield "loss.ctc", "needs an output per frame: set model.ctc"
        if self.model.ctc and not self.loss.ctc:
            yield "model.ctc", "nothing trains the output per frame: give loss.ctc a weight"
        if self.objective.name != "ce" and self.init is None:
            yield "objective", "sampled sentences of an untrained model earn nothing: give init.path a finished one"
