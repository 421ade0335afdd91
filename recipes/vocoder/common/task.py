"""A vocoder for the training loop: slices, spectral losses, and the game against the discriminators."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from recipes.vocoder.common.dataset import SliceBatch, SliceDataset
from speechkd.audio.mel import mel_spectrogram
from speechkd.audio.presets import MelPreset
from speechkd.data.batching import plan_batches
from speechkd.losses.adversarial import discriminator_loss, feature_matching_loss, generator_loss
from speechkd.losses.spectral import MultiResolutionStftLoss
from speechkd.models.vocoder.discriminators import DiscriminatorOutput


class MelLoss(nn.Module):
    """Mean |mel(x̂) - mel(x)| of natural log mels (HiFi-GAN, equation 3).

    Their bands reach half the sample rate, wherever those of `preset` end: what the generator is not told in a mel it
    must still put there.
    """

    def __init__(self, preset: MelPreset) -> None:
        super().__init__()
        self.preset = replace(preset, fmin_hz=0.0, fmax_hz=preset.sample_rate / 2)

    def forward(self, made: Tensor, true: Tensor) -> Tensor:
        """made, true: (B, N) samples, N at least the preset's transform -> scalar."""
        with torch.autocast(made.device.type, enabled=False):
            pair = (mel_spectrogram(samples.float(), self.preset) for samples in (made, true))
            made_mel, true_mel = pair
        return (made_mel - true_mel).abs().mean()


class VocoderTask:
    """L = λ_mel L_mel + λ_stft L_stft + λ_fm L_fm + λ_adv Σ (D(x̂) - 1)², the last two from `start_step`.

    HiFi-GAN, equations 1 to 5, with 45, 0, 2 and 1. A subclass may make samples in another way (`make`), add terms
    (`quiet_terms`), or give other batches (`load`, `valid_batch`).
    """

    def __init__(
        self,
        model: nn.Module,
        opponent: nn.Module,
        dataset: SliceDataset,
        splits: tuple[Sequence[str], Sequence[str]],
        cfg: Any,
    ) -> None:
        """model: anything that maps mels (B, n_mels, F) to samples (B, F * hop). opponent: maps samples to a list of
        discriminator outputs. splits: the ids to train on and those to validate on. cfg: the sections of the recipe.
        """
        self.model, self.opponent, self.dataset = model, opponent, dataset
        self.train_ids, self.valid_ids = splits
        self.slices, self.weights, self.game = cfg.slices, cfg.losses, cfg.adversarial
        self.batch_frames = cfg.train.batch_frames
        self.place = (0, 0)
        self.mel_loss = MelLoss(dataset.recordings.preset)
        self.stft_loss = MultiResolutionStftLoss(self.weights.resolutions) if self.weights.stft else None
        self._made: Tensor | None = None

    def epoch(self, seed: int, epoch: int) -> Sequence[Sequence[str]]:
        """Every clip once, in batches of slices."""
        self.place = (seed, epoch)
        return plan_batches(dict.fromkeys(self.train_ids, self.slices.frames), self.batch_frames, seed, epoch)

    def load(self, ids: Sequence[str]) -> SliceBatch:
        """A slice of each clip, which depends on seed, epoch and clip alone."""
        return self.dataset.random(ids, self.slices.frames, *self.place)

    def make(self, model: nn.Module, batch: SliceBatch, step: int) -> Tensor:
        """The samples (B, F * hop) of a batch's mels; step 0 in validation."""
        samples: Tensor = model(batch.mel.transpose(1, 2))
        return samples

    def losses(self, model: nn.Module, batch: SliceBatch, step: int = 0) -> Mapping[str, Tensor]:
        """`mel`, `stft` if it has a weight, and once the game has begun `adversarial` and `matching`."""
        made = self.make(model, batch, step)
        self._made = made.detach()
        terms = self.quiet_terms(batch, made, step)
        if self.playing(step):
            rows = self.judged(len(made), step)
            terms |= self._game_terms(batch.samples[rows], made[rows])
        return terms

    def quiet_terms(self, batch: SliceBatch, made: Tensor, step: int) -> dict[str, Tensor]:
        """The weighted terms that need no discriminator; step 0 in validation."""
        terms = {}
        if self.weights.mel:
            terms["mel"] = self.weights.mel * self.mel_loss(made, batch.samples)
        if self.stft_loss is not None:
            terms["stft"] = self.weights.stft * self.stft_loss(made, batch.samples)
        return terms

    def judged(self, n_slices: int, step: int) -> list[int]:
        """The slices of a batch that the discriminators hear at a step: others at the next one."""
        count = math.ceil(self.game.share * n_slices)
        return sorted((step * count + place) % n_slices for place in range(count))

    def _game_terms(self, true: Tensor, made: Tensor) -> dict[str, Tensor]:
        said: list[DiscriminatorOutput] = self.opponent(made)
        terms = {"adversarial": self.game.weight * generator_loss([each.verdict for each in said])}
        if self.weights.matching:
            with torch.no_grad():
                of_real: list[DiscriminatorOutput] = self.opponent(true)
            pair = ([each.layers for each in outputs] for outputs in (of_real, said))
            terms["matching"] = self.weights.matching * feature_matching_loss(*pair)
        return terms

    def opponent_losses(self, opponent: nn.Module, batch: SliceBatch, step: int) -> Mapping[str, Tensor]:
        """`discriminator`, on the samples that `losses` made of the same batch; nothing before the game begins."""
        if not self.playing(step):
            return {}
        assert self._made is not None
        rows = self.judged(len(self._made), step)
        pair = ([each.verdict for each in opponent(samples[rows])] for samples in (batch.samples, self._made))
        return {"discriminator": discriminator_loss(*pair)}

    def playing(self, step: int) -> bool:
        """Whether the game is on at a step."""
        return bool(self.game.weight) and step >= self.game.start_step

    def valid_batch(self, ids: Sequence[str], predicted: bool) -> SliceBatch:
        """The fixed slices of validation."""
        return self.dataset.middle(ids, self.slices.valid_frames, predicted)

    def validate(self, model: nn.Module, device: torch.device) -> Mapping[str, float]:
        """Over the middles of the validation clips: mean terms, their sum `loss`, and `mel_l1`.

        Where there are predicted mels, the same with them, named `…_predicted`; `loss` is then theirs.
        """
        figures = self._figures(model, device, False)
        if self.dataset.predicted is not None:
            with_predicted = self._figures(model, device, True)
            figures |= {f"{name}_predicted": value for name, value in with_predicted.items()}
            figures["loss"] = figures.pop("loss_predicted")
        return figures

    def _figures(self, model: nn.Module, device: torch.device, predicted: bool) -> dict[str, float]:
        size = max(1, self.batch_frames // self.slices.valid_frames)
        sums: dict[str, float] = {}
        for first in range(0, len(self.valid_ids), size):
            batch = self.valid_batch(self.valid_ids[first : first + size], predicted).to(device)
            with torch.inference_mode():
                made = self.make(model, batch, 0)
                terms = self.quiet_terms(batch, made, 0)
                figures = {name: float(value) for name, value in terms.items()}
                figures |= {"loss": sum(figures.values()), "mel_l1": float(self.mel_loss(made, batch.samples))}
            for name, value in figures.items():
                sums[name] = sums.get(name, 0.0) + value * len(batch.ids)
        return {name: value / len(self.valid_ids) for name, value in sums.items()}
