"""FastSpeech 2s for the training loop: whole utterances as mels, slices of them as samples."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from recipes.tts.common.dataset import Batch, TtsDataset
from recipes.tts.common.recordings import Recordings
from recipes.tts.fastspeech2.task import FastSpeech2Task, fastspeech2_losses
from speechkd.losses.adversarial import discriminator_loss, generator_loss
from speechkd.losses.spectral import MultiResolutionStftLoss
from speechkd.models.tts.fastspeech2s import FastSpeech2s, Places
from speechkd.models.vocoder.discriminator import WaveformDiscriminator
from speechkd.training.seeds import derive_seed


@dataclass
class SlicedBatch:
    """Utterances, and the recorded samples (S, n_frames * hop) of slices of some of them."""

    batch: Batch
    places: Places
    samples: Tensor

    def to(self, device: torch.device | str) -> SlicedBatch:
        """The same batch on another device."""
        places = Places(self.places.rows.to(device), self.places.starts.to(device), self.places.n_frames)
        return SlicedBatch(self.batch.to(device), places, self.samples.to(device))


class FastSpeech2sTask(FastSpeech2Task):
    """L = L_FastSpeech2 + L_STFT + λ · (D(x̂) - 1)², the last from `adversarial.start_step` (section 2.5).

    Slices are of utterances that are whole and long enough: of a stretch cut out of an utterance, or of a short one,
    only the mel is learned. A slice begins at a frame and never reaches into padding. With an adversarial weight of 0
    there is no opponent. A frozen trunk has nothing to learn: L_FastSpeech2 is left out.
    """

    opponent: nn.Module

    def __init__(
        self,
        model: FastSpeech2s,
        dataset: TtsDataset,
        splits: tuple[Sequence[str], Sequence[str]],
        recordings: Recordings,
        cfg: Any,
    ) -> None:
        """splits: the ids to train on and those to validate on. cfg: the sections of the recipe."""
        super().__init__(
            model,  # type: ignore[arg-type]
            dataset, *splits, cfg.train.batch_frames, cfg.augment, cfg.loading.window_shards, cfg.loss.mel,
        )  # fmt: skip
        self.recordings, self.slices = recordings, cfg.slices
        self.spectral_weight, self.adversarial_weight = cfg.spectral.weight, cfg.adversarial.weight
        self.spectral = MultiResolutionStftLoss(cfg.spectral.resolutions)
        if self.adversarial_weight > 0:  # the loop trains an opponent wherever there is one
            self.opponent = WaveformDiscriminator(cfg.adversarial.discriminator)
        self.start_step = cfg.adversarial.start_step
        self._made: Tensor | None = None

    def load(self, ids: Sequence[str]) -> SlicedBatch:  # type: ignore[override]
        """A padded batch with its slices, which depend on seed, epoch and utterances alone."""
        batch = super().load(ids)
        rows = self._sliceable(batch)
        draw = random.Random(derive_seed(self.place[0], epoch=self.place[1], purpose=f"slices {' '.join(ids)}"))
        if self.slices.per_batch and len(rows) > self.slices.per_batch:
            rows = sorted(draw.sample(rows, self.slices.per_batch))
        lengths = batch.mel_lengths.tolist()
        return self._sliced(batch, rows, [draw.randint(0, lengths[row] - self.slices.frames) for row in rows])

    def _sliceable(self, batch: Batch) -> list[int]:
        """Rows of a batch that are whole utterances of at least a slice."""
        whole = self.recordings.n_frames
        frames = zip(batch.ids, batch.mel_lengths.tolist(), strict=True)
        return [row for row, (id_, n) in enumerate(frames) if n == whole[id_] and n >= self.slices.frames]

    def _sliced(self, batch: Batch, rows: list[int], starts: list[int]) -> SlicedBatch:
        n_frames = self.slices.frames
        parts = [self.recordings.slice(batch.ids[row], at, n_frames) for row, at in zip(rows, starts, strict=True)]
        n_samples = n_frames * self.recordings.preset.hop_samples
        samples = torch.stack(parts) if parts else torch.zeros(0, n_samples)
        return SlicedBatch(batch, Places(torch.tensor(rows).long(), torch.tensor(starts).long(), n_frames), samples)

    def losses(self, model: nn.Module, batch: SlicedBatch, step: int = 0) -> Mapping[str, Tensor]:  # type: ignore[override]
        """The terms of FastSpeech 2, `spectral`, and once the game has begun `adversarial`."""
        terms, made = self._quiet_terms(model, batch)
        self._made = made.detach()
        if self._playing(batch, step):
            terms["adversarial"] = self.adversarial_weight * generator_loss([self.opponent(made)])
        return terms

    def opponent_losses(self, opponent: nn.Module, batch: SlicedBatch, step: int) -> Mapping[str, Tensor]:
        """`discriminator`, on the samples that `losses` made of the same batch; nothing before the game begins."""
        if not self._playing(batch, step):
            return {}
        assert self._made is not None
        return {"discriminator": discriminator_loss([opponent(batch.samples)], [opponent(self._made)])}

    def _playing(self, batch: SlicedBatch, step: int) -> bool:
        return step >= self.start_step and self.adversarial_weight > 0 and len(batch.samples) > 0

    def _quiet_terms(self, model: nn.Module, sliced: SlicedBatch) -> tuple[dict[str, Tensor], Tensor]:
        """All terms but the adversarial one, and the samples that were made."""
        batch = sliced.batch
        prediction, made = model(batch.tokens, batch.token_lengths, batch.variances, batch.speakers, sliced.places)
        terms = {}
        if prediction is not None:
            terms = fastspeech2_losses(prediction, batch, self.dataset.statistics, self.mel_loss)
        if len(made):
            terms["spectral"] = self.spectral_weight * self.spectral(made, sliced.samples)
        elif prediction is None:
            terms["spectral"] = made.sum()  # of no samples: 0, and no gradient
        return terms, made

    def validate(self, model: nn.Module, device: torch.device) -> Mapping[str, float]:
        """Mean losses over the validation utterances, with true durations, pitch and energy, and over their middles."""
        sums: dict[str, list[float]] = {}
        for ids in self.valid:
            batch = self.dataset.batch(ids)
            places = self._sliceable(batch)
            starts = [(int(batch.mel_lengths[row]) - self.slices.frames) // 2 for row in places]
            with torch.inference_mode():
                terms, _ = self._quiet_terms(model, self._sliced(batch, places, starts).to(device))
            for name, value in terms.items():
                sums.setdefault(name, []).extend([float(value)] * len(places if name == "spectral" else ids))
        means = {name: sum(values) / len(values) for name, values in sums.items()}
        return means | {"loss": sum(means.values())}
