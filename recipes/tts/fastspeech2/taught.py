"""FastSpeech 2 that learns from recordings and from teachers that read texts to it, batch by batch."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from recipes.tts.common.dataset import Batch, TtsDataset
from recipes.tts.common.texts import TextBatch
from recipes.tts.fastspeech2.sentences import Sentences
from recipes.tts.fastspeech2.task import FastSpeech2Task
from speechkd.data.batching import plan_batches
from speechkd.distill.targets import Targets
from speechkd.distill.teacher import Teacher
from speechkd.models.tts.adaptor import Variances
from speechkd.training.seeds import derive_seed


class TaughtTask:
    """A share of the batches are texts, and what teachers say of them stands where recordings stand in the others.

    The losses are the same, so the student's outputs mean the same wherever a batch comes from; it is validated on
    recordings alone.
    """

    def __init__(self, recorded: FastSpeech2Task, sentences: Sentences, teacher: Teacher, share: float) -> None:
        self.recorded, self.teacher, self.share = recorded, teacher, share
        self.model: nn.Module = recorded.model
        pace = frames_per_token(recorded.dataset, recorded.lengths)
        self.sentences = sentences.no_longer_than(int(recorded.batch_frames / pace))
        self.lengths = self.sentences.lengths(pace)

    def epoch(self, seed: int, epoch: int) -> Sequence[Sequence[str]]:
        """All recordings, and as many batches of texts as the share asks for, in a random order."""
        recorded = list(self.recorded.epoch(seed, epoch))
        batches = recorded + self._texts(round(len(recorded) * self.share / (1.0 - self.share)), seed, epoch)
        random.Random(derive_seed(seed, epoch=epoch, purpose="recordings and texts")).shuffle(batches)
        return batches

    def _texts(self, count: int, seed: int, epoch: int) -> list[Sequence[str]]:
        """Batches of texts; in an epoch each text once before any comes again."""
        batches: list[Sequence[str]] = []
        while len(batches) < count:
            turn = derive_seed(seed, purpose=f"texts after {len(batches)} batches")
            batches += plan_batches(self.lengths, self.recorded.batch_frames, turn, epoch)
        return batches[:count]

    def load(self, ids: Sequence[str]) -> Batch | TextBatch:
        """Recordings as `FastSpeech2Task` loads them, or texts, which the teachers read when the loss is computed."""
        return self.sentences.batch(ids) if ids[0] in self.sentences else self.recorded.load(ids)

    def losses(self, model: nn.Module, batch: Batch | TextBatch, step: int) -> Mapping[str, Tensor]:
        """Those of `FastSpeech2Task`."""
        if isinstance(batch, TextBatch):
            batch = self._read(batch)
        return self.recorded.losses(model, batch, step)

    def _read(self, texts: TextBatch) -> Batch:
        batch = read_batch(texts, self.teacher.targets(texts), self.recorded.dataset.silent)
        own = self.recorded.own_variances(texts.ids)
        batch.variances.own = None if own is None else own.to(texts.device)
        return batch

    def validate(self, model: nn.Module, device: torch.device) -> Mapping[str, float]:
        """Those of `FastSpeech2Task`: beside recordings."""
        return self.recorded.validate(model, device)


def frames_per_token(dataset: TtsDataset, lengths: Mapping[str, int]) -> float:
    """The pace of recordings of these lengths in frames."""
    n_tokens = sum(len(dataset.tokens.meta(id_)["symbols"]) for id_ in lengths)
    return sum(lengths.values()) / n_tokens


def read_batch(texts: TextBatch, read: Targets, silent: Sequence[int]) -> Batch:
    """Texts with what was read of them (`plan.target_specs`) as if it had been recorded. silent: ids of pauses."""
    durations = read["durations"]
    pauses = torch.isin(texts.tokens, torch.tensor(silent, device=texts.device)) & texts.mask
    return Batch(
        ids=texts.ids,
        tokens=texts.tokens,
        token_lengths=texts.token_lengths,
        speakers=texts.speakers,
        mel=read["mel"],
        mel_lengths=durations.sum(dim=1),
        variances=Variances(durations, read["pitch_hz"], read["voiced"], read["energy"]),
        pauses=pauses,
        wavelet=None,
        pitch_statistics=torch.zeros(len(texts.ids), 2, device=texts.device),
    )
