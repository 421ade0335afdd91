"""Transformer TTS for the training loop: its batches, its losses, and how well it aligns and speaks."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recipes.tts.common.dataset import Batch, Example, TtsDataset, frame_mask, mean_of
from recipes.tts.transformer.config import AugmentSection, CheckSection, GuideSection, LossSection
from speechkd.align.attention import durations_from_attention, focus_rate
from speechkd.data.batching import plan_batches
from speechkd.losses.guided_attention import aligned_attention, guided_attention
from speechkd.losses.masked import masked_distance
from speechkd.metrics.dtw import euclidean_cost, warping_path
from speechkd.metrics.speech import mel_l1
from speechkd.models.common.masks import length_mask
from speechkd.models.tts.transformer import TransformerOutput, TransformerTts
from speechkd.training.seeds import derive_seed

VALID_BATCH_FRAMES = 12000
#: Freely spoken validation utterances may last this times as long as the recording.
LONGEST = 2.0
#: Of the tokens, about a fifth last no frame.
LEAST_LOOKED_AT = 0.4
Rates = NDArray[np.float64]


@dataclass(frozen=True)
class Held:
    """What a validation found, for whoever wants to look: rates (L, H) of the heads, and one utterance's attention."""

    step: int
    rates: Rates
    attention: NDArray[np.float32]  # (L, H, F, T), teacher-forced


@dataclass(frozen=True)
class Forced:
    """A teacher-forced pass over one utterance: its losses, its attention (L, H, F, T), the aligner's durations."""

    losses: dict[str, float]
    attention: NDArray[np.float32]
    durations: NDArray[np.int64]


class TransformerTask:
    """L = mel + stop + guided attention."""

    def __init__(
        self,
        model: TransformerTts,
        dataset: TtsDataset,
        train_ids: Sequence[str],
        valid_ids: Sequence[str],
        batch_frames: int,
        augment: AugmentSection | None = None,
        guide: GuideSection | None = None,
        loss: LossSection | None = None,
        check: CheckSection | None = None,
        watch: Callable[[Held], None] | None = None,
    ) -> None:
        self.model: nn.Module = model
        self.positive = model.config.network.stop.positive_weight
        self.mean, self.deviation = torch.tensor(model.config.mel_mean), torch.tensor(model.config.mel_deviation)
        self.dataset = dataset
        self.batch_frames = batch_frames
        self.augment, self.guide = augment or AugmentSection(), guide or GuideSection()
        self.loss, self.check = loss or LossSection(), check or CheckSection()
        self.watch = watch
        self.place, self.step = (0, 0), 0
        self.lengths = dataset.n_frames(train_ids)
        self.valid = plan_batches(dataset.n_frames(valid_ids), VALID_BATCH_FRAMES, seed=0, epoch=0)
        self.spoken = sorted(valid_ids)[: self.check.spoken]

    def epoch(self, seed: int, epoch: int) -> Sequence[Sequence[str]]:
        """Bucketed batches of one epoch."""
        self.place = (seed, epoch)
        return self.dataset.plan(self.lengths, self.batch_frames, seed, epoch)

    def load(self, ids: Sequence[str]) -> Batch:
        """A padded batch; some of its utterances are cut, by a draw that depends on seed, epoch and utterance alone."""
        return self.dataset.collate(ids, [self._example(id_) for id_ in ids])

    def _example(self, id_: str) -> Example:
        seed, epoch = self.place
        draw = random.Random(derive_seed(seed, epoch=epoch, purpose=f"crop {id_}"))
        return self.dataset.stretch(id_, draw) if draw.random() < self.augment.crop else self.dataset.example(id_)

    def losses(self, model: nn.Module, batch: Batch, step: int) -> Mapping[str, Tensor]:
        """The terms at a step, each with its weight; their sum is the loss."""
        self.step = step
        clock = self._clock(batch) if model.training else None
        given = self._given(model, batch, clock) if model.training else batch.mel
        output = model(batch.tokens, batch.token_lengths, given, batch.mel_lengths, batch.speakers, clock=clock)
        terms = transformer_losses(output, batch, self.loss, self.positive)
        if self.guide.weight and step <= (self.guide.until_step or step):
            heads = output.attention[:, list(self.guide.layers), : self.guide.heads or None].flatten(1, 2)
            terms["guide"] = self.guide.weight * self._penalty(heads, batch)
        return terms

    def _given(self, model: nn.Module, batch: Batch, clock: Tensor | None) -> Tensor:
        """The frames (B, F, n_mels) that the decoder is given: the true ones with noise, the model's own, and the mean.

        Its own frames are those of a pass without gradients (parallel scheduled sampling, Duckworth et al. 2019).
        """
        mel, augment = batch.mel, self.augment
        if augment.input_noise:
            mel = mel + torch.randn_like(mel) * self.deviation.to(mel) * augment.input_noise
        if augment.own_frames:
            with torch.no_grad():
                first = model(batch.tokens, batch.token_lengths, mel, batch.mel_lengths, batch.speakers, clock=clock)
            # Autocast remembers the weights that it has converted; some versions of torch take those converted here,
            # which know no gradient, for the pass with gradients too, and nothing would be learned.
            torch.clear_autocast_cache()
            mel = torch.where(_drawn(mel, augment.own_frames), first.coarse, mel)
        if augment.drop_frames:
            mel = torch.where(_drawn(mel, augment.drop_frames), self.mean.to(mel), mel)
        return mel

    def _clock(self, batch: Batch) -> Tensor | None:
        """Where each utterance's position code starts, and how fast it runs: (B, 2), or None for 0 and 1."""
        shift, rate = self.augment.clock_shift, self.augment.clock_rate
        if not shift and not rate:
            return None
        draw = 2.0 * torch.rand(len(batch.ids), 2, device=batch.mel.device) - 1.0
        return torch.stack([shift * draw[:, 0], 1.0 + rate * draw[:, 1]], dim=1)

    def _penalty(self, heads: Tensor, batch: Batch) -> Tensor:
        """How far the attention (B, N, F, T) of guided heads is from where it is wanted."""
        if self.guide.by == "alignment":
            return aligned_attention(heads, batch.variances.durations, batch.mel_lengths)
        return guided_attention(heads, batch.token_lengths, batch.mel_lengths, self.guide.sigma)

    def validate(self, model: nn.Module, device: torch.device) -> Mapping[str, float]:
        """Mean losses of the teacher-forced pass, how its best head aligns, and how free speech fits the recordings.

        focus_rate: of the best head, over all utterances; boundary_frames: how far its token boundaries are from
        the aligner's (a head that counts positions instead of following the text is sharp, and wrong). misfit, which is
        to choose the weights: `free_mel` + `unstopped` + (1 - `focus_rate`); see `spoken_freely`.
        """
        forced = [each for ids in self.valid for each in self._forced(model, ids, device)]
        rates: Rates = np.mean([following_rates(each.attention) for each in forced], axis=0)
        layer, head = divmod(int(rates.argmax()), rates.shape[1])
        errors = [boundary_error(each.attention[layer, head], each.durations) for each in forced]
        figures = mean_of([each.losses for each in forced])
        figures |= {"focus_rate": float(rates.max()), "boundary_frames": float(np.mean(errors))}
        if self.spoken:
            figures |= mean_of([self._free(model, id_, device) for id_ in self.spoken])
            figures["misfit"] = figures["free_mel"] + figures["unstopped"] + 1.0 - figures["focus_rate"]
        if self.watch is not None:
            self.watch(Held(self.step, rates, forced[0].attention))
        return figures

    def _forced(self, model: nn.Module, ids: Sequence[str], device: torch.device) -> list[Forced]:
        """The teacher-forced pass over a batch of held-out utterances; each gets the batch's mean losses."""
        batch = self.dataset.batch(ids).to(device)
        with torch.inference_mode():
            output = model(batch.tokens, batch.token_lengths, batch.mel, batch.mel_lengths, batch.speakers)
            terms = transformer_losses(output, batch, self.loss, self.positive)
        losses = {name: float(value) for name, value in terms.items()}
        losses["loss"] = sum(losses.values())
        durations = batch.variances.durations.cpu().numpy()
        return [
            Forced(losses, attention, durations[row, : attention.shape[3]])
            for row, attention in enumerate(attentions(output, batch))
        ]

    def _free(self, model: nn.Module, id_: str, device: torch.device) -> dict[str, float]:
        """See `spoken_freely`."""
        assert isinstance(model, TransformerTts)
        return spoken_freely(model, self.dataset.batch([id_]).to(device))


def _drawn(mel: Tensor, share: float) -> Tensor:
    """True at a share of the frames of a mel (B, F, n_mels): (B, F, 1)."""
    return torch.rand(*mel.shape[:2], 1, device=mel.device) < share


def spoken_freely(model: TransformerTts, batch: Batch) -> dict[str, float]:
    """One utterance (a batch of it) spoken without the recording, beside it.

    free_mel: mean |difference| of log mels along the path of dynamic time warping; unstopped: 1 if no stop token came
    within twice the recording's length; free_length: frames over those of the recording.
    """
    n_frames = int(batch.mel_lengths[0])
    speakers = batch.speakers if model.speaker_embedding is not None else None
    spoken = model.generate(batch.tokens, speakers, max_frames=int(LONGEST * n_frames))
    recorded, said = (mel[0].float().cpu().numpy().astype(np.float64) for mel in (batch.mel, spoken.mel))
    i, j = warping_path(euclidean_cost(recorded, said))
    return {
        "free_mel": mel_l1(recorded[i], said[j]),
        "unstopped": float(not spoken.stopped),
        "free_length": len(said) / n_frames,
    }


def following_rates(attention: NDArray[np.float32]) -> Rates:
    """The focus rate (L, H) of every head of an attention (L, H, F, T), 0 for heads that look at few of the tokens.

    A head that rests on one token all the time has the focus rate of a perfect one.
    """
    looked_at = np.zeros((*attention.shape[:2], attention.shape[3]), dtype=bool)
    np.put_along_axis(looked_at, attention.argmax(axis=3), True, axis=2)
    return np.where(looked_at.mean(axis=2) >= LEAST_LOOKED_AT, focus_rate(attention), 0.0)


def boundary_error(head: NDArray[np.float32], durations: NDArray[np.int64]) -> float:
    """Mean |difference| in frames between where tokens end by a head's attention (F, T) and by durations (T,).

    Tokens that last no frame, and the last one, do not count.
    """
    ends, theirs = durations_from_attention(head).cumsum()[:-1], durations.cumsum()[:-1]
    counted = durations[:-1] > 0
    return float(np.abs(ends - theirs)[counted].mean()) if counted.any() else 0.0


def attentions(output: TransformerOutput, batch: Batch) -> list[NDArray[np.float32]]:
    """The attention of each utterance without its padding: (L, H, F, T)."""
    weights = output.attention.float().cpu().numpy()
    lengths = zip(batch.mel_lengths.tolist(), batch.token_lengths.tolist(), strict=True)
    return [each[:, :, :frames, :tokens] for each, (frames, tokens) in zip(weights, lengths, strict=True)]


def transformer_losses(
    output: TransformerOutput, batch: Batch, weights: LossSection, positive: float
) -> dict[str, Tensor]:
    """mel: L1 or MSE of log mels, or their sum; coarse: the same before a post-net, if there is one. stop:
    cross-entropy of stopping at the last step and at none before, the last with the weight `positive`.
    """
    frames = frame_mask(batch)
    losses = {"mel": masked_distance(weights.mel, output.mel, batch.mel, frames)}
    if output.coarse is not output.mel:
        losses["coarse"] = masked_distance(weights.mel, output.coarse, batch.mel, frames)
    losses["stop"] = weights.stop_weight * stop_loss(output.stop_logits, output.steps, positive)
    return losses


def stop_loss(logits: Tensor, steps: Tensor, positive: float) -> Tensor:
    """Mean over real steps of -[w y log p + (1 - y) log(1 - p)], y = 1 at an utterance's last step, w = positive.

    logits: (B, S), steps: (B,).
    """
    target = torch.arange(logits.shape[1], device=logits.device)[None] == steps[:, None] - 1
    terms = nn.functional.binary_cross_entropy_with_logits(
        logits.float(), target.float(), reduction="none", pos_weight=logits.new_tensor(positive, dtype=torch.float32)
    )
    return (terms * length_mask(steps, logits.shape[1])).sum() / steps.sum()
