"""FastSpeech 2 for the training loop: its batches and its losses."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from recipes.tts.common.dataset import Batch, Example, TtsDataset, frame_mask, mean_of, token_mask
from recipes.tts.fastspeech2.config import AugmentSection
from speechkd.data.batching import plan_batches
from speechkd.features.logarithm import log_hz
from speechkd.features.statistics import Statistics
from speechkd.losses.masked import masked_bce, masked_distance, masked_mse
from speechkd.models.tts.adaptor import Adapted
from speechkd.models.tts.fastspeech2 import FastSpeech2, Prediction
from speechkd.models.tts.variance import PitchPrediction
from speechkd.training.seeds import derive_seed

VALID_BATCH_FRAMES = 12000


class FastSpeech2Task:
    """L = |mel| + (log d)² + pitch + energy, all weights 1 (FastSpeech 2, section 2.4)."""

    def __init__(
        self,
        model: FastSpeech2,
        dataset: TtsDataset,
        train_ids: Sequence[str],
        valid_ids: Sequence[str],
        batch_frames: int,
        augment: AugmentSection | None = None,
        window_shards: int = 0,
        mel_loss: str = "l1",
    ) -> None:
        self.model: nn.Module = model
        self.dataset = dataset
        self.batch_frames = batch_frames
        self.augment = augment or AugmentSection()
        self.window_shards = window_shards
        self.mel_loss = mel_loss
        self.place = (0, 0)
        self.lengths = dataset.n_frames(train_ids)
        self.valid = plan_batches(dataset.n_frames(valid_ids), VALID_BATCH_FRAMES, seed=0, epoch=0)

    def epoch(self, seed: int, epoch: int) -> Sequence[Sequence[str]]:
        """Bucketed batches of one epoch."""
        self.place = (seed, epoch)
        return self.dataset.plan(self.lengths, self.batch_frames, seed, epoch, self.window_shards)

    def load(self, ids: Sequence[str]) -> Batch:
        """A padded batch; some of its utterances are cut, some are to hear what the model predicts.

        Which ones is drawn by seed, epoch and utterance alone.
        """
        batch = self.dataset.collate(ids, [self._example(id_) for id_ in ids])
        batch.variances.own = self.own_variances(ids)
        return batch

    def own_variances(self, ids: Sequence[str]) -> Tensor | None:
        """Which of them are to hear the pitch and energy that the model predicts: (B,) bool; None if never any."""
        return torch.tensor([self._hears_itself(id_) for id_ in ids]) if self.augment.own_variances else None

    def _hears_itself(self, id_: str) -> bool:
        seed, epoch = self.place
        draw = random.Random(derive_seed(seed, epoch=epoch, purpose=f"own variances {id_}"))
        return draw.random() < self.augment.own_variances

    def _example(self, id_: str) -> Example:
        seed, epoch = self.place
        draw = random.Random(derive_seed(seed, epoch=epoch, purpose=f"crop {id_}"))
        return self.dataset.stretch(id_, draw) if draw.random() < self.augment.crop else self.dataset.example(id_)

    def losses(self, model: nn.Module, batch: Batch, step: int = 0) -> Mapping[str, Tensor]:
        """The five terms; their sum is the loss."""
        prediction: Prediction = model(batch.tokens, batch.token_lengths, batch.variances, batch.speakers)
        return fastspeech2_losses(prediction, batch, self.dataset.statistics, self.mel_loss)

    def validate(self, model: nn.Module, device: torch.device) -> Mapping[str, float]:
        """Mean losses over the validation utterances, with true durations, pitch and energy.

        Where utterances hear what the model predicts, also `own_mel`: the mel's loss if all of them do.
        """
        rows: list[dict[str, float]] = []
        for ids in self.valid:
            batch = self.dataset.batch(ids).to(device)
            with torch.inference_mode():
                row = {name: float(value) for name, value in self.losses(model, batch).items()}
                row["loss"] = sum(row.values())
                if self.augment.own_variances:
                    batch.variances.own = torch.ones(len(ids), dtype=torch.bool, device=device)
                    row["own_mel"] = float(self.losses(model, batch)["mel"])
            rows += [row] * len(ids)
        return mean_of(rows)


def fastspeech2_losses(
    prediction: Prediction, batch: Batch, statistics: Statistics, mel_loss: str = "l1"
) -> dict[str, Tensor]:
    """mel: L1, or as `masked_distance` names it; and the `variance_losses`."""
    mel = masked_distance(mel_loss, prediction.mel, batch.mel, frame_mask(batch))
    return {"mel": mel} | variance_losses(prediction, batch, statistics)


def variance_losses(prediction: Prediction | Adapted, batch: Batch, statistics: Statistics) -> dict[str, Tensor]:
    """duration: MSE of log(d + 1). pitch: MSE (of the wavelet transform and its mean and deviation, or of normalised
    log F0) with cross-entropy of voicing. energy: MSE of normalised energy; of tokens, that of pauses without frames is
    learned, too. Without pitch or energy in the model, there is no such term.
    """
    tokens, frames = token_mask(batch), frame_mask(batch)
    log_durations = torch.log(batch.variances.durations.float() + 1.0)
    losses = {"duration": masked_mse(prediction.log_durations.float(), log_durations, tokens)}
    # Positions of a feature: frames, or tokens that have frames.
    spoken = tokens & (batch.variances.durations > 0)
    if prediction.pitch is not None:
        losses["pitch"] = _pitch_loss(prediction.pitch, batch, statistics, frames, spoken)
    if prediction.energy is not None:
        energy = (batch.variances.energy - statistics.energy_mean) / statistics.energy_deviation
        places = frames if energy.shape[1] == frames.shape[1] else spoken | (tokens & batch.pauses)
        losses["energy"] = masked_mse(prediction.energy.values, energy, places)
    return losses


def _pitch_loss(pitch: PitchPrediction, batch: Batch, statistics: Statistics, frames: Tensor, spoken: Tensor) -> Tensor:
    variances = batch.variances
    if batch.wavelet is not None and pitch.statistics is not None:
        loss = masked_mse(pitch.values, batch.wavelet, frames)
        loss = loss + (pitch.statistics - batch.pitch_statistics).square().mean(dim=0).sum()
        return loss + masked_bce(pitch.voicing, variances.voiced, frames)
    per_frame = pitch.voicing.shape[1] == frames.shape[1]
    target = (log_hz(variances.pitch_hz) - statistics.log_f0_mean) / statistics.log_f0_deviation
    if per_frame:
        voiced = frames & variances.voiced
        voicing = masked_bce(pitch.voicing, variances.voiced, frames)
        return masked_mse(pitch.values.squeeze(-1), target, voiced) + voicing
    return masked_mse(pitch.values.squeeze(-1), target, spoken)
