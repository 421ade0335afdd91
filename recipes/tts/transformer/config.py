"""The configuration of the Transformer TTS recipe."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from recipes.tts.common.init import InitSection, init_problems
from recipes.tts.common.options import TtsConfig
from speechkd.config import Config
from speechkd.models.tts.transformer_config import TransformerNetwork
from speechkd.training.options import TrainOptions

#: Figures of a validation that there are only if it speaks freely.
OF_FREE_SPEECH = ("misfit", "free_mel", "unstopped", "free_length")


class AugmentSection(Config):
    """What keeps the model from learning utterances by heart, and from trusting the frames that it is given."""

    crop: float = Field(0.0, ge=0, le=1, description="share of training utterances cut to a random stretch of words")
    input_noise: float = Field(
        0.0, ge=0, description="deviation of noise on the frames that the decoder is given, in deviations of the mel"
    )
    drop_frames: float = Field(
        0.0, ge=0, lt=1, description="share of the frames that the decoder is given as the mean frame instead"
    )
    own_frames: float = Field(
        0.0, ge=0, le=1, description="share of them that is what the model itself made of the true ones in a first pass"
    )
    clock_shift: float = Field(
        0.0, ge=0, description="the decoder's position code starts up to this many steps early or late"
    )
    clock_rate: float = Field(
        0.0, ge=0, lt=1, description="and runs up to this share slower or faster: to follow the text, it must listen"
    )


class GuideSection(Config):
    """Guided attention: some heads are asked to go along the diagonal, or where the recipe's aligner went."""

    by: Literal["diagonal", "alignment"] = Field(
        "diagonal",
        description="diagonal: Tachibana et al. 2018, nothing else is known; alignment: that of the stage align, which "
        "then teaches the teacher",
    )
    weight: float = Field(0.0, ge=0, description="of the guide's loss; 0 turns it off")
    sigma: float = Field(0.2, gt=0, description="width of the free band about the diagonal, as a share of the text")
    until_step: int = Field(0, ge=0, description="the last step that is guided; 0 guides to the end")
    layers: tuple[int, ...] = Field((-1,), description="decoder layers that are guided; negative ones from the last")
    heads: int = Field(0, ge=0, description="heads that are guided in each of them, from the first; 0 guides all")


class LossSection(Config):
    """The other losses."""

    mel: Literal["l1", "mse", "both"] = Field("l1", description="difference of log mels")
    stop_weight: float = Field(1.0, ge=0, description="weight of the stop token's loss")


class CheckSection(Config):
    """What validation measures besides the losses."""

    spoken: int = Field(8, ge=0, description="validation utterances that are spoken freely at each validation")


class TransformerSections(Config):
    """What the training needs; FastSpeech's recipe has the same under `teacher`."""

    model: TransformerNetwork = TransformerNetwork()
    augment: AugmentSection = AugmentSection()
    guide: GuideSection = GuideSection()
    loss: LossSection = LossSection()
    check: CheckSection = CheckSection()
    train: TrainOptions

    def problems(self) -> Iterable[tuple[str, str]]:
        """A guide for heads that are not there."""
        yield from guide_problems(self.model, self.guide)
        yield from choice_problems(self.train, self.check)


class TransformerRecipe(TransformerSections, TtsConfig):
    """Transformer TTS, one speaker or several."""

    init: InitSection | None = Field(None, description="fine-tuning: the voice that training starts from")

    def problems(self) -> Iterable[tuple[str, str]]:
        """What cannot work together."""
        yield from TtsConfig.problems(self)  # not super(): what is looked at may be a stand-in with a part of the keys
        yield from TransformerSections.problems(self)
        yield from init_problems(self.init, "transformer", self.audio.mel)


def choice_problems(train: TrainOptions, check: CheckSection) -> Iterable[tuple[str, str]]:
    """Weights that are to be chosen by speech that nobody listens to."""
    if train.best_by in OF_FREE_SPEECH and not check.spoken:
        yield "train.best_by", f"{train.best_by} is measured on utterances that are spoken: check.spoken is 0"


def guide_problems(model: TransformerNetwork, guide: GuideSection) -> Iterable[tuple[str, str]]:
    """A guide for layers or heads that the decoder does not have."""
    stack = model.decoder
    if guide.weight and not guide.layers:
        yield "guide.layers", "there is a weight, and no layer to guide"
    for layer in guide.layers:
        if not -stack.layers <= layer < stack.layers:
            yield "guide.layers", f"there is no layer {layer} among {stack.layers}"
    if guide.heads > stack.heads:
        yield "guide.heads", f"{guide.heads} heads are more than the decoder's {stack.heads}"
